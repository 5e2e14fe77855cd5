import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Graph, Value } from "../../src/graph/graph.js";
import { add, mul, sub } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { ifElse, Loop, loop, Scan, scan } from "../../src/ops/control.js";
import { exp } from "../../src/ops/elementwise.js";
import { zerosLike } from "../../src/ops/generate.js";
import { matmul } from "../../src/ops/linalg.js";
import { greater, less } from "../../src/ops/logic.js";
import { cast } from "../../src/ops/reshape.js";
import { gather } from "../../src/ops/slicing.js";
import { sin, tanh } from "../../src/ops/trigonometry.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";

/** A function of x [2, 3], w [3, 3], a scalar c and a sequence s [4, 2, 3]; everything that it yields is added up. */
type Body = (b: Builder, v: Readonly<Record<"x" | "w" | "c" | "s", Value>>) => readonly Value[];

const shapes = { x: [2, 3], w: [3, 3], c: [], s: [4, 2, 3] } as const;
type Name = keyof typeof shapes;
const names = Object.keys(shapes) as Name[];

const cell = (b: Builder, y: Value, w: Value, c: Value) => tanh(b, add(b, matmul(b, y, w), c));

const programs: Readonly<Record<string, Body>> = {
  "a Loop with a carried state that captures what is differentiated": (b, { x, w, c }) =>
    loop(b, { trips: 3, carried: [x] }, (inner, _, [y]) => ({ carried: [cell(inner, y!, w, c)] })).carried,
  "the stacked scans of a Loop, as well as the end": (b, { x, w, c }) => {
    const { carried, scans } = loop(b, { trips: 3, carried: [x], length: 3 }, (inner, k, [y]) => {
      const next = cell(inner, y!, w, c);
      return { carried: [next], scans: [mul(inner, next, cast(inner, add(inner, k, 1), "float64")), c] };
    });
    return [...carried, ...scans];
  },
  "a Loop of two states, an integer counter among them": (b, { x, w, s }) =>
    loop(b, { trips: 4, carried: [b.scalar("int64", 0), x] }, (inner, _, [at, y]) => ({
      carried: [add(inner, at!, 1), add(inner, matmul(inner, y!, w), mul(inner, gather(inner, s, at!), y!))],
    })).carried.slice(1),
  "a Loop that a condition ends early": (b, { x, c }) =>
    // from exp(c), c in (−0.9, 0.9): it ends after at most seven of the ten iterations
    loop(b, { trips: 10, carried: [exp(b, c), x] }, (inner, _, [size, y]) => {
      const next = mul(inner, size!, 1.5);
      return {
        carried: [next, sin(inner, mul(inner, y!, size!))],
        proceed: less(inner, next, 5),
      };
    }).carried,
  "a while loop: a Loop with nothing but a condition": (b, { x, c }) => {
    const inner = b.child();
    inner.input("k", "int64", []);
    inner.input("on", "bool", []);
    const [size, y] = [inner.input("size", "float64", []), inner.input("y", "float64", [2, 3])];
    const next = mul(inner, size, 1.5);
    const body = inner.graph({ on: less(inner, next, 5), next, y1: sin(inner, mul(inner, y, size)) }, "body");
    return b.emit(Loop, [null, b.scalar("bool", true), exp(b, c), x], { body });
  },
  "a Loop whose trip count is computed": (b, { x, c }) => {
    const trips = cast(b, add(b, exp(b, mul(b, c, 0)), 2), "int64");
    return loop(b, { trips, carried: [x] }, (inner, _, [y]) => ({ carried: [sin(inner, mul(inner, y!, c))] }))
      .carried;
  },
  "a Loop that does nothing": (b, { x, c }) =>
    loop(b, { trips: 0, carried: [x] }, (inner, _, [y]) => ({ carried: [mul(inner, y!, c)] })).carried,
  "a Loop inside a Loop": (b, { x, w, c }) =>
    loop(b, { trips: 2, carried: [x] }, (outer, _, [y]) => {
      const [z] = loop(outer, { trips: 3, carried: [y!] }, (inner, _, [u]) => ({
        carried: [cell(inner, u!, w, mul(inner, c, reduceSum(inner, y!)))],
      })).carried;
      return { carried: [sub(outer, mul(outer, z!, c), y!)] };
    }).carried,
  "a Scan along a sequence": (b, { x, w, c, s }) => {
    const { carried, scans } = scan(b, { carried: [x], inputs: [s] }, (inner, [y], [element]) => {
      const next = cell(inner, add(inner, y!, element!), w, c);
      return { carried: [next], scans: [mul(inner, next, element!)] };
    });
    return [...carried, ...scans];
  },
  "a Scan from the last element to the first": (b, { x, w, c, s }) => {
    const { carried, scans } = scan(b, { carried: [x], inputs: [s], reverse: true }, (inner, [y], [e]) => {
      const next = cell(inner, add(inner, y!, e!), w, c);
      return { carried: [next], scans: [mul(inner, next, e!)] };
    });
    return [...carried, ...scans];
  },
  "a Scan without a state": (b, { s, c }) =>
    scan(b, { carried: [], inputs: [s] }, (inner, _, [e]) => ({
      carried: [],
      scans: [sin(inner, mul(inner, e!, c))],
    })).scans,
  "a Scan along the last axis of one and backwards along another's middle one": (b, { x, s }) => {
    const inner = b.child();
    const state = inner.input("state", "float64", [2]);
    const first = inner.input("first", "float64", [2]);
    const second = inner.input("second", "float64", [4, 2]);
    const next = sin(inner, add(inner, state, first));
    const body = inner.graph({ next, out: mul(inner, second, next) }, "body");
    return b.emit(Scan, [gather(b, x, 0, 1), x, s], {
      ...{ body, num_scan_inputs: 2, scan_input_axes: [1, -1], scan_input_directions: [0, 1] },
      ...{ scan_output_axes: [1], scan_output_directions: [1] },
    });
  },
  "an If whose branches read different things": (b, { x, w, c }) =>
    ifElse(
      b,
      greater(b, c, 10),
      (inner) => [mul(inner, x, c)],
      (inner) => [sin(inner, matmul(inner, x, w))],
    ),
  "an If inside a Loop, taken now and then": (b, { x, w, c }) =>
    loop(b, { trips: 4, carried: [x] }, (inner, k, [y]) => ({
      carried: ifElse(
        inner,
        greater(inner, k, 1),
        (branch) => [cell(branch, y!, w, c)],
        (branch) => [mul(branch, sin(branch, y!), c)],
      ),
    })).carried,
};

/** Σ outputs, its gradient g by rules, and the gradient of ⟨v, g⟩, for the directions v that are inputs. */
function program(body: Body): Graph {
  const b = new Builder();
  const input = (prefix: string) =>
    Object.fromEntries(
      names.map((name) => [name, b.input(prefix + name, "float64", shapes[name])]),
    ) as Record<Name, Value>;
  const [at, along] = [input(""), input("v")];
  const wrt = names.map((name) => at[name]);
  const sum = (values: readonly Value[]) => values.map((v) => reduceSum(b, v)).reduce((x, y) => add(b, x, y));
  const gradient = (of: Value) =>
    pullback(b, [of], [b.scalar("float64", 1)], wrt).map((g, i) => g ?? zerosLike(b, wrt[i]!));
  const loss = sum(body(b, at));
  const first = gradient(loss);
  const slope = sum(first.map((g, i) => mul(b, g, along[names[i]!])));
  const second = gradient(slope);
  return b.graph({
    ...{ loss, slope },
    ...Object.fromEntries(
      names.flatMap((name, i) => [
        [`d${name}`, first[i]!],
        [`dd${name}`, second[i]!],
      ]),
    ),
  });
}

/**
 * Differences of fourth order, (8 (f(h) − f(−h)) − (f(2h) − f(−2h))) / 12 h: in error by h⁴ = 4e−15 times a fifth
 * derivative, which is up to 1e5 here, and by rounding, 1e−16 / h = 4e−13. A wrong rule is wrong in the first digit.
 */
const h = 2 ** -12;
const tolerance = 1e-7;

for (const [name, open] of Object.entries({ "ort-cpu": ortNode, jit: async () => jit() })) {
  describe(`derivatives of control operators, on ${name}`, () => {
    let runtime: Runtime;
    before(async () => {
      runtime = await open();
    });

    for (const [what, body] of Object.entries(programs)) {
      it(`agree with central differences, first and second: ${what}`, async () => {
        const random = Random.seeded(5);
        const draw = (shape: readonly number[]) =>
          tensor(
            "float64",
            shape,
            Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.uniform(-0.9, 0.9)),
          );
        const feeds: Record<string, Tensor> = {};
        for (const key of names) feeds[key] = draw(shapes[key]);
        for (const key of names) feeds[`v${key}`] = draw(shapes[key]);
        const graph = program(body);
        const found = await runGraph(runtime, graph, feeds);
        const moved = async (by: number) => {
          const there = { ...feeds };
          for (const key of names) {
            const along = numbers(feeds[`v${key}`]!);
            there[key] = tensor(
              "float64",
              shapes[key],
              numbers(feeds[key]!).map((x, i) => x + by * along[i]!),
            );
          }
          return runGraph(runtime, graph, there);
        };
        const [far, before, after, farther] = [
          ...[await moved(-2 * h), await moved(-h)],
          ...[await moved(h), await moved(2 * h)],
        ] as const;
        const along = (prefix: string) =>
          names.reduce((sum, key) => {
            const v = numbers(feeds[`v${key}`]!);
            return sum + numbers(found[prefix + key]!).reduce((part, g, i) => part + g * v[i]!, 0);
          }, 0);
        const difference = (output: string) => {
          const [f2, f1, g1, g2] = [far, before, after, farther].map(
            (results) => numbers(results![output]!)[0]!,
          );
          return (8 * (g1! - f1!) - (g2! - f2!)) / (12 * h);
        };
        for (const [derivative, of] of [
          ["d", "loss"],
          ["dd", "slope"],
        ] as const) {
          const expected = difference(of);
          expect(along(derivative)).to.be.closeTo(expected, tolerance * Math.max(1, Math.abs(expected)));
        }
        // the test would see nothing if there were nothing to see
        expect(Math.abs(along("d"))).to.be.above(1e-3);
      });
    }
  });
}
