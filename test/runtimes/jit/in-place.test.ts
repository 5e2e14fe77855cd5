import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../../src/core/tensor.js";
import { Builder } from "../../../src/graph/builder.js";
import type { Graph, Value } from "../../../src/graph/graph.js";
import { add, mul } from "../../../src/ops/arithmetic.js";
import { type LoopStep, loop } from "../../../src/ops/control.js";
import { reshape, unsqueeze } from "../../../src/ops/reshape.js";
import { scatterND } from "../../../src/ops/scatter.js";
import { gather } from "../../../src/ops/slicing.js";
import type { Runtime } from "../../../src/runtime/runtime.js";
import { jit } from "../../../src/runtimes/jit/jit.js";
import { programOf } from "../../../src/runtimes/jit/program.js";
import { ortNode } from "../../../src/runtimes/ort-node.js";

const rows = 5;
const places = [3, 0, 3, 1, 4, 0];

type Body = (b: Builder, place: Value, tables: readonly Value[]) => LoopStep;

/** A loop that carries tables of rows, and in each iteration is told the place of one. */
function looped(width: number, count: number, body: Body): Graph {
  const b = new Builder();
  const where = b.input("places", "int64", [places.length]);
  const tables = Array.from({ length: count }, (_, k) => b.input(`table${k}`, "float64", [rows, width]));
  const { carried, scans } = loop(
    b,
    { trips: places.length, carried: tables, length: places.length },
    (inner, i, values) => body(inner, gather(inner, where, i), values),
  );
  return b.graph(Object.fromEntries([...carried, ...scans].map((value, k) => [`out${k}`, value])));
}

function put(b: Builder, table: Value, place: Value, row: Value): Value {
  return scatterND(b, table, reshape(b, place, [1, 1]), unsqueeze(b, row, [0]));
}

/** What becomes of a row: twice that before it, and one. */
const grown = (b: Builder, row: Value) => add(b, mul(b, row, 2), 1);

const bodies: Record<string, { readonly count: number; readonly body: Body }> = {
  "that nothing else reads": {
    count: 1,
    body: (b, place, [table]) => ({ carried: [put(b, table!, place, grown(b, gather(b, table!, 2)))] }),
  },
  "twice in an iteration": {
    count: 1,
    body(b, place, [table]) {
      const once = put(b, table!, place, grown(b, gather(b, table!, 1)));
      return { carried: [put(b, once, b.scalar("int64", 2), grown(b, gather(b, once, place)))] };
    },
  },
  "of which a row is read before and used after": {
    count: 1,
    body(b, place, [table]) {
      const before = gather(b, table!, place);
      const next = put(b, table!, place, grown(b, before));
      return { carried: [next], scans: [add(b, before, gather(b, next, place))] };
    },
  },
  "with one of its own rows": {
    count: 1,
    body: (b, place, [table]) => ({
      carried: [put(b, table!, b.scalar("int64", 0), gather(b, table!, place))],
    }),
  },
  "that is used whole after it": {
    count: 1,
    body(b, place, [table]) {
      const next = put(b, table!, place, grown(b, gather(b, table!, 0)));
      return { carried: [next], scans: [add(b, table!, next)] };
    },
  },
  "that is stacked as well": {
    count: 1,
    body(b, place, [table]) {
      const next = put(b, table!, place, grown(b, gather(b, table!, place)));
      return { carried: [next], scans: [next] };
    },
  },
  "that changes places with another": {
    count: 2,
    body: (b, place, [one, other]) => ({
      carried: [other!, put(b, one!, place, grown(b, gather(b, other!, place)))],
    }),
  },
  "that goes on in two places": {
    count: 2,
    body(b, place, [one, other]) {
      const next = put(b, one!, place, grown(b, gather(b, other!, place)));
      return { carried: [next, next] };
    },
  },
  "inside a loop that reads it": {
    count: 2,
    body(b, place, [one, other]) {
      const { carried } = loop(b, { trips: 2, carried: [other!] }, (inner, k, [within]) => ({
        carried: [put(inner, within!, k, grown(inner, gather(inner, one!, place)))],
      }));
      return { carried: [put(b, one!, place, gather(b, carried[0]!, 0)), carried[0]!] };
    },
  },
};

async function outputsOf(runtime: Runtime, graph: Graph): Promise<number[][]> {
  const executable = await runtime.compile(graph);
  const feeds: Record<string, Tensor> = { places: tensor("int64", [places.length], places) };
  for (const { name, shape } of graph.inputs.slice(1)) {
    const size = (shape as number[]).reduce((product, dim) => product * dim, 1);
    const values = Array.from({ length: size }, (_, i) => Math.sin(i + name!.length));
    feeds[name!] = tensor("float64", shape as number[], values);
  }
  const given = Object.entries(feeds).map(([name, value]) => [name, runtime.upload(value)]);
  const results = await executable.run(Object.fromEntries(given));
  return Promise.all(graph.outputs.map(async ({ name }) => numbers(await runtime.download(results[name]!))));
}

describe("rows written to a table that a loop carries", () => {
  // small tables are in locals, row by row
  for (const width of [1, 3, 40]) {
    for (const [what, { count, body }] of Object.entries(bodies)) {
      it(`${what}, ${width} wide, are those of ONNX Runtime`, async () => {
        const graph = looped(width, count, body);
        // the same operations in the same order
        expect(await outputsOf(jit(), graph)).to.deep.equal(await outputsOf(await ortNode(), graph));
      });
    }
  }

  it("need no copy of it", () => {
    const width = 10_000;
    const bytesOf = (name: string) => {
      const graph = looped(width, 1, bodies[name]!.body);
      const sizes = {
        shapes: graph.inputs.map(({ shape }) => shape as number[]),
        closed: new Set<string>(),
        trips: new Map(),
      };
      return programOf(graph, sizes, new Map(), false).bytes / (8 * width);
    };
    // the table as it comes in and as it is carried, and a new row or two
    expect(bytesOf("that nothing else reads")).to.be.below(2 * rows + 3);
    expect(bytesOf("twice in an iteration")).to.be.below(2 * rows + 3);
    // where the table before is needed too, there is another
    expect(bytesOf("that is used whole after it")).to.be.above(3 * rows);
  });
});

describe("what a loop starts from", () => {
  /** Adds one, a number of times. */
  const raised = (b: Builder, x: Value, trips = 3): Value =>
    loop(b, { trips, carried: [x] }, (inner, _i, [y]) => ({ carried: [add(inner, y!, 1)] })).carried[0]!;

  const graphs: Record<string, (b: Builder, x: Value) => Record<string, Value>> = {
    "may be needed after it": (b, x) => ({ up: raised(b, x), x }),
    "may be another look at what is needed after it": (b, x) => {
      const up = raised(b, reshape(b, x, [-1]));
      return { up, sum: add(b, reshape(b, up, x.shape as number[]), x) };
    },
    "may be a row of what is needed after it": (b, x) => ({
      up: raised(b, gather(b, x, 1)),
      y: mul(b, x, 3),
    }),
    "may be a look at what lies outside of the loop around it": (b, x) => {
      const { carried } = loop(b, { trips: 4, carried: [mul(b, x, 0)] }, (inner, _i, [sum]) => {
        const up = raised(inner, reshape(inner, x, [-1]));
        return { carried: [add(inner, sum!, reshape(inner, up, x.shape as number[]))] };
      });
      return { sum: carried[0]! };
    },
    "may be what another has left": (b, x) => ({ up: raised(b, raised(b, raised(b, x, 0), 2)) }),
    "may be carried by the loop around it": (b, x) => {
      const { carried, scans } = loop(b, { trips: 4, carried: [x], length: 4 }, (inner, _i, [y]) => {
        const up = raised(inner, y!);
        return { carried: [up], scans: [reshape(inner, up, [-1])] };
      });
      return { last: carried[0]!, all: scans[0]! };
    },
    "may be two values that are one": (b, x) => {
      const { carried } = loop(b, { trips: 3, carried: [x, x] }, (inner, _i, [p, q]) => ({
        carried: [add(inner, p!, 1), mul(inner, q!, 2)],
      }));
      return { p: carried[0]!, q: carried[1]! };
    },
  };
  for (const width of [2, 50]) {
    for (const [what, build] of Object.entries(graphs)) {
      it(`${what}, ${width} wide`, async () => {
        const b = new Builder();
        b.input("places", "int64", [places.length]);
        // computed, so that its memory is not that of an input
        const x = mul(b, b.input("table", "float64", [rows, width]), 2);
        const graph = b.graph(build(b, x));
        expect(await outputsOf(jit(), graph)).to.deep.equal(await outputsOf(await ortNode(), graph));
      });
    }
  }

  it("needs no copy where nothing needs it after it", () => {
    const width = 10_000;
    const statesOf = (after: boolean) => {
      const b = new Builder();
      const x = mul(b, b.input("x", "float64", [width]), 2);
      const up = raised(b, x);
      const graph = b.graph(after ? { up, x } : { up });
      const sizes = { shapes: [[width]], closed: new Set<string>(), trips: new Map() };
      return programOf(graph, sizes, new Map(), false).bytes / (8 * width);
    };
    expect(statesOf(true) - statesOf(false)).to.be.closeTo(1, 0.01);
  });
});
