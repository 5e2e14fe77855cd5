import { expect } from "chai";
import fc from "fast-check";
import { numbers, type Tensor, tensor } from "../../../src/core/tensor.js";
import type { Tensors } from "../../../src/fields/field.js";
import { Builder } from "../../../src/graph/builder.js";
import type { Graph, Value } from "../../../src/graph/graph.js";
import { add, mul, sub } from "../../../src/ops/arithmetic.js";
import { reduceSum } from "../../../src/ops/broadcast.js";
import { loop, scan } from "../../../src/ops/control.js";
import { Size } from "../../../src/ops/generate.js";
import { less } from "../../../src/ops/logic.js";
import { cast, reshape, shapeOf, unsqueeze } from "../../../src/ops/reshape.js";
import { gatherND } from "../../../src/ops/scatter.js";
import { concat, gather } from "../../../src/ops/slicing.js";
import { type DeviceTensors, type Executable, RunError, type Runtime } from "../../../src/runtime/runtime.js";
import { jit } from "../../../src/runtimes/jit/jit.js";
import { ortNode } from "../../../src/runtimes/ort-node.js";
import { failure } from "../../support/failure.js";

const ints = (...values: number[]): Tensor => tensor("int64", [values.length], values);
const int = (value: number): Tensor => tensor("int64", [], [value]);
const float = (value: number): Tensor => tensor("float64", [], [value]);

async function outputsOf(runtime: Runtime, executable: Executable, inputs: Tensors) {
  const given = Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [name, runtime.upload(value)]),
  );
  const results: DeviceTensors = await executable.run(given);
  const read: Record<string, { shape: number[]; values: number[] }> = {};
  for (const [name, value] of Object.entries(results)) {
    const { shape, ...rest } = await runtime.download(value);
    read[name] = { shape: [...shape], values: numbers({ shape, ...rest } as Tensor) };
  }
  return read;
}

/** How many modules are made while something runs. */
async function modulesMade(work: () => Promise<void>): Promise<number> {
  const instantiate = WebAssembly.instantiate;
  let count = 0;
  WebAssembly.instantiate = ((...given: Parameters<typeof instantiate>) => {
    count++;
    return instantiate(...given);
  }) as typeof instantiate;
  try {
    await work();
  } finally {
    WebAssembly.instantiate = instantiate;
  }
  return count;
}

/** Bytes of the memories that are made while something runs. */
async function memoriesOf(work: () => Promise<void>): Promise<number[]> {
  const memory = WebAssembly.Memory;
  const sizes: number[] = [];
  WebAssembly.Memory = class extends memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      sizes.push(descriptor.initial * 65536);
    }
  };
  try {
    await work();
  } finally {
    WebAssembly.Memory = memory;
  }
  return sizes;
}

/** Rows x, 2 x, 4 x, … while they are below a limit, each of `width`. */
function doubling(b: Builder, width = 2): { rows: Value; values: Value; trips: Value } {
  const limit = b.input("limit", "float64", []);
  const trips = b.input("trips", "int64", []);
  const x = b.input("x", "float64", [width]);
  const { scans } = loop(b, { trips, carried: [x] }, (inner, i, [y]) => {
    const next = mul(inner, y!, 2);
    return {
      carried: [next],
      scans: [y!, cast(inner, i, "float64")],
      proceed: less(inner, reduceSum(inner, next), limit),
    };
  });
  return { rows: scans[0]!, values: scans[1]!, trips };
}

/** What the programs of this project do with rows of which nobody knows how many there are. */
function everyUse(): Graph {
  const b = new Builder();
  const { rows, values } = doubling(b);
  const given = b.input("given", "float64", ["given", 2]);
  const at = b.input("at", "int64", []);
  const places = b.input("places", "int64", [3]);
  const ones = tensor("int64", [3, 1], [1, 1, 1]);
  const joined = concat(b, [given, rows, b.constant(tensor("float64", [1, 2], [-1, -2]))], 0);
  const count = gather(b, shapeOf(b, joined), 0);
  const walked = (reverse: boolean) =>
    scan(
      b,
      { carried: [b.constant(tensor("float64", [2], [0, 0]))], inputs: [joined], reverse },
      (inner, [sum], [row]) => {
        const next = add(inner, mul(inner, sum!, 0.5), row!);
        return { carried: [next], scans: [next] };
      },
    );
  const { scans: again } = loop(b, { trips: count, carried: [] }, (inner, i) => ({
    carried: [],
    scans: [gather(inner, joined, sub(inner, sub(inner, count, inner.scalar("int64", 1)), i))],
  }));
  return b.graph({
    rows,
    values,
    joined,
    one: gather(b, joined, at),
    last: gather(b, joined, -1),
    some: gather(b, joined, places),
    parts: gatherND(b, joined, concat(b, [unsqueeze(b, places, [-1]), b.constant(ones)], 1)),
    followed: concat(b, [rows, b.constant(tensor("float64", [1, 2], [3, 4]))], 0),
    shape: shapeOf(b, joined),
    size: b.apply(Size, [joined]),
    there: walked(false).scans[0]!,
    back: walked(true).scans[0]!,
    sum: walked(true).carried[0]!,
    turned: again[0]!,
  });
}

describe("tensors of an open length on the compiled runtime", () => {
  let ort: Runtime;
  before(async () => {
    ort = await ortNode();
  });

  it("come out with their true length, whatever is done with them", async () => {
    const graph = everyUse();
    const compiled = jit();
    const [own, reference] = [await compiled.compile(graph), await ort.compile(graph)];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 0, max: 70 }),
        async (trips, doublings, given) => {
          const inputs: Tensors = {
            trips: int(trips),
            limit: float(3 * 2 ** doublings),
            x: tensor("float64", [2], [1, 2]),
            given: tensor(
              "float64",
              [given, 2],
              Array.from({ length: 2 * given }, (_, i) => Math.sin(i)),
            ),
            at: int(-1),
            places: ints(0, -1, given),
          };
          expect(await outputsOf(compiled, own, inputs)).to.deep.equal(
            await outputsOf(ort, reference, inputs),
          );
        },
      ),
      { numRuns: 60, seed: 11 },
    );
  });

  it("need a new module only when they outgrow the last one", async () => {
    const runtime = jit();
    const executable = await runtime.compile(everyUse());
    const run = (trips: number, given: number) =>
      outputsOf(runtime, executable, {
        ...{ trips: int(trips), limit: float(Number.MAX_VALUE), x: tensor("float64", [2], [1, 2]) },
        given: tensor("float64", [given, 2], new Array(2 * given).fill(1)),
        ...{ at: int(0), places: ints(0, 0, 0) },
      });
    const made = await modulesMade(async () => {
      for (let n = 1; n <= 1000; n += 9) expect((await run(n, 1000 - n)).rows!.shape).to.deep.equal([n, 2]);
    });
    // the first; and as the loops grow from nothing to a thousand rows, once for each doubling at most
    expect(made).to.be.at.most(8);
    expect(await modulesMade(async () => void (await run(5, 3)))).to.equal(0);
  });

  it("are checked for indices out of range by their true length", async () => {
    const b = new Builder();
    const { rows } = doubling(b);
    const i = b.input("i", "int64", []);
    const runtime = jit();
    for (const y of [gather(b, rows, i), gatherND(b, rows, reshape(b, i, [1, 1]))]) {
      const executable = await runtime.compile(b.graph({ y }, "pick"));
      const pick = async (place: number) =>
        (
          await outputsOf(runtime, executable, {
            ...{ trips: int(5), limit: float(1e9), x: tensor("float64", [2], [1, 2]), i: int(place) },
          })
        ).y!.values;
      expect(await pick(4)).to.deep.equal([16, 32]);
      expect(await pick(-5)).to.deep.equal([1, 2]);
      for (const place of [5, -6, 63, 2 ** 31])
        expect((await failure(pick(place), RunError)).message).to.contain("index");
      expect(await pick(-1)).to.deep.equal([16, 32]);
    }
  });

  it("are compiled for each length where an operator needs to know it", async () => {
    const b = new Builder();
    const { rows } = doubling(b);
    const graph = b.graph({ doubled: mul(b, rows, 2), sum: reduceSum(b, rows, [0]) });
    const compiled = jit();
    const [own, reference] = [await compiled.compile(graph), await ort.compile(graph)];
    for (const trips of [3, 7, 3]) {
      const inputs = { trips: int(trips), limit: float(1e9), x: tensor("float64", [2], [1, 2]) };
      expect(await outputsOf(compiled, own, inputs)).to.deep.equal(await outputsOf(ort, reference, inputs));
    }
  });

  it("may differ where inputs share a name, and be the same again", async () => {
    const b = new Builder();
    const [x, y] = [b.input("x", "float64", ["rows"]), b.input("y", "float64", ["rows"])];
    const runtime = jit();
    const executable = await runtime.compile(b.graph({ a: gather(b, x, -1), b: gather(b, y, -1) }));
    const ends = async (m: number, n: number) => {
      const rows = (length: number) =>
        tensor(
          "float64",
          [length],
          Array.from({ length }, (_, i) => i),
        );
      const { a, b: other } = await outputsOf(runtime, executable, { x: rows(m), y: rows(n) });
      return [a!.values[0], other!.values[0]];
    };
    for (const [m, n] of [
      [4, 4],
      [3, 5],
      [6, 2],
      [7, 7],
    ] as const) {
      expect(await ends(m, n)).to.deep.equal([m - 1, n - 1]);
    }
  });

  it("grow inside loops, where each iteration has its own", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", []);
    const { scans } = loop(b, { trips: b.input("n", "int64", []), carried: [] }, (outer, i) => {
      const { scans: inner } = loop(outer, { trips: i, carried: [x] }, (body, _k, [y]) => ({
        carried: [mul(body, y!, 2)],
        scans: [y!],
      }));
      const joined = concat(outer, [inner[0]!, outer.constant(tensor("float64", [1], [-1]))], 0);
      return { carried: [], scans: [gather(outer, joined, 0), gather(outer, joined, -1)] };
    });
    const runtime = jit();
    const executable = await runtime.compile(b.graph({ first: scans[0]!, last: scans[1]! }));
    const { first, last } = await outputsOf(runtime, executable, { n: int(3000), x: float(7) });
    expect(first!.values).to.deep.equal([-1, ...new Array(2999).fill(7)]);
    expect(last!.values).to.deep.equal(new Array(3000).fill(-1));
  });

  it("have room by the size of their rows, not by that of others before", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", ["batch", 2]);
    const { scans } = loop(b, { trips: b.input("trips", "int64", []), carried: [x] }, (inner, _i, [y]) => ({
      carried: [mul(inner, y!, 2)],
      scans: [y!],
    }));
    const runtime = jit();
    const executable = await runtime.compile(b.graph({ last: gather(b, scans[0]!, -1) }));
    const sizes = await memoriesOf(async () => {
      for (const batch of [1, 10_000]) {
        const x = tensor("float64", [batch, 2], new Array(2 * batch).fill(1));
        const { last } = await outputsOf(runtime, executable, { trips: int(3), x });
        expect(last!.values).to.deep.equal(new Array(2 * batch).fill(4));
      }
    });
    // 8 rows of 160 kB, and what goes in, is carried and comes out
    expect(Math.max(...sizes)).to.be.below(3e6);
  });

  it("leave no memory behind when they come and go", async () => {
    const b = new Builder();
    const { rows } = doubling(b, 1000);
    const runtime = jit();
    const executable = await runtime.compile(b.graph({ rows }));
    const run = (trips: number) =>
      executable.run({
        trips: runtime.upload(int(trips)),
        limit: runtime.upload(float(Number.POSITIVE_INFINITY)),
        x: runtime.upload(tensor("float64", [1000], new Array(1000).fill(0))),
      });
    const sizes = await memoriesOf(async () => {
      for (const trips of [2000, 1, 1999, 500, 2000]) await run(trips);
    });
    // 16 MB of rows, a quarter more at most, and one module before that was too small
    expect(sizes.length).to.be.at.most(2);
    expect(Math.max(...sizes)).to.be.below(21e6);
  });
});
