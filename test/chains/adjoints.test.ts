import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import {
  type AdjointSpec,
  chainAdjointFor,
  chainAdjoints,
  chainMethodOf,
} from "../../src/chains/adjoints.js";
import { type Chain, ChainError } from "../../src/chains/chain.js";
import type { RunChainOptions } from "../../src/chains/options.js";
import { runChain } from "../../src/chains/run-chain.js";
import { GradientMethodError } from "../../src/chains/syntax.js";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { GraphError, type Value } from "../../src/graph/graph.js";
import { add, mul, sub } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { abs } from "../../src/ops/elementwise.js";
import { matmul } from "../../src/ops/linalg.js";
import { less } from "../../src/ops/logic.js";
import { reduceMax } from "../../src/ops/reduce.js";
import { told } from "../../src/ops/told.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";

interface Pair {
  readonly y: Value;
  readonly z: Value;
}
interface Theta {
  readonly w: Value;
  readonly v: Value;
}
interface Row {
  readonly x: Value;
}

/** y ← y + tanh(z W + x),  z ← z + tanh(y V): a chain that uses all that a chain may have. */
const pair: Chain<Pair, Theta, Row> = {
  name: "pair",
  step(b, { shared: { w, v }, row: { x } }, { y, z }) {
    const next = add(b, y, tanh(b, add(b, matmul(b, z, w), x)));
    return { y: next, z: add(b, z, tanh(b, matmul(b, next, v))) };
  },
  undo(b, { shared: { w, v }, row: { x } }, { y, z }) {
    const before = sub(b, z, tanh(b, matmul(b, y, v)));
    return { y: sub(b, y, tanh(b, add(b, matmul(b, before, w), x))), z: before };
  },
};

const steps = 7;
const random = Random.seeded(3);
const draw = (...shape: number[]) =>
  tensor(
    "float64",
    shape,
    Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => 0.5 * random.normal()),
  );
const given = { y: draw(2, 3), z: draw(2, 3), w: draw(3, 3), v: draw(3, 3), x: draw(steps, 2, 3) };
type Name = keyof typeof given;
const names = Object.keys(given) as Name[];
/** What the results are weighed with in the loss. */
const weights = { end: draw(2, 3), saved: draw(steps, 2, 3) };

const everyAdjoint: readonly AdjointSpec[] = [
  ...["direct", "reversible", "reversible:3", "reversible:1"],
  ...["checkpoint", "checkpoint:1", "checkpoint:2", "checkpoint:20"],
] as AdjointSpec[];

type Save = NonNullable<RunChainOptions["save"]>;

/** L = Σ weights · (y and z at the end, y and z where they are saved) */
function lossOf(b: Builder, values: Record<Name, Value>, adjoint: AdjointSpec, save?: Save): Value {
  const { y, z, w, v, x } = values;
  const inputs = { start: { y, z }, shared: { w, v }, rows: { x }, steps };
  const { end, saved } = runChain(b, pair, inputs, { adjoint, ...(save === undefined ? {} : { save }) });
  const weighed = [
    mul(b, end.y, b.constant(weights.end)),
    mul(b, mul(b, end.z, end.z), b.constant(weights.end)),
    ...saved.map((stack) => {
      const rows = stack.shape[0] as number;
      const own = tensor("float64", [rows, 2, 3], numbers(weights.saved).slice(0, rows * 6));
      return mul(b, mul(b, stack, stack), b.constant(own));
    }),
  ];
  return weighed.map((each) => reduceSum(b, each)).reduce((sum, each) => add(b, sum, each));
}

function inputsOf(b: Builder): Record<Name, Value> {
  return Object.fromEntries(
    names.map((name) => [name, b.input(name, "float64", given[name].shape)]),
  ) as Record<Name, Value>;
}

async function gradients(
  adjoint: AdjointSpec,
  save?: Save,
  runtime = jit(),
): Promise<Record<string, Tensor>> {
  const b = new Builder();
  const values = inputsOf(b);
  const loss = lossOf(b, values, adjoint, save);
  const pulled = pullback(b, [loss], [b.scalar("float64", 1)], Object.values(values));
  const outputs = Object.fromEntries(names.map((name, k) => [`d${name}`, pulled[k]!]));
  return runGraph(runtime, withoutRegions(b.graph({ loss, ...outputs })), given);
}

/** f′(0), by differences of the fourth order. */
async function slopeOf(f: (by: number) => Promise<number>): Promise<number> {
  const h = 2e-4;
  const [near, far] = [(await f(h)) - (await f(-h)), (await f(2 * h)) - (await f(-2 * h))];
  return (8 * near - far) / (12 * h);
}

async function lossAt(moved: Record<Name, Tensor>, save?: Save): Promise<number> {
  const b = new Builder();
  const values = inputsOf(b);
  const graph = withoutRegions(b.graph({ loss: lossOf(b, values, "direct", save) }));
  return numbers((await runGraph(jit(), graph, moved)).loss!)[0]!;
}

const expectSame = (actual: Tensor, expected: Tensor, tolerance: number, what: string) => {
  const [values, right] = [numbers(actual), numbers(expected)];
  expect(values.length, what).to.equal(right.length);
  for (const [i, value] of right.entries()) expect(values[i], what).to.be.closeTo(value, tolerance);
};

describe("adjoints of a chain", () => {
  for (const [what, save] of [
    ["its end alone", undefined],
    ["every state", "every"],
    ["states 2, 2 and 5", [2, 2, 5]],
    ["the first and the last state", [0, 7]],
  ] as const) {
    it(`agree, and with finite differences: of ${what}`, async () => {
      const direct = await gradients("direct", save);
      for (const adjoint of everyAdjoint) {
        const found = await gradients(adjoint, save);
        // the same arithmetic in another order, and undone to rounding, on numbers of order one to ten
        for (const [name, value] of Object.entries(direct)) {
          expectSame(found[name]!, value, 1e-12, `${adjoint} ${name}`);
        }
      }
      for (const name of names) {
        const along = draw(...given[name].shape);
        const at = (by: number) => {
          const values = numbers(given[name]).map((value, i) => value + by * numbers(along)[i]!);
          return lossAt({ ...given, [name]: tensor("float64", given[name].shape, values) }, save);
        };
        const slope = await slopeOf(at);
        const exact = numbers(direct[`d${name}`]!).reduce((s, g, i) => s + g * numbers(along)[i]!, 0);
        // h⁴ of fifth derivatives, which a chain makes large, and rounding of 1e-14 over h
        expect(exact, name).to.be.closeTo(slope, 2e-9);
      }
    });
  }

  it("are the same on ONNX Runtime", async () => {
    const runtime = await ortNode();
    const expected = await gradients("direct", "every");
    for (const adjoint of ["direct", "reversible:3", "checkpoint:2"] as const) {
      const found = await gradients(adjoint, "every", runtime);
      for (const [name, value] of Object.entries(expected)) {
        expectSame(found[name]!, value, 1e-12, `${adjoint} ${name}`);
      }
    }
  });
});

/** y ← (1 − β) y + β tanh(a y + c), counting on the way, until y moves by no more than 0.01. */
const relaxation: Chain<
  { readonly y: Value; readonly steps: Value },
  { readonly a: Value; readonly c: Value }
> = {
  name: "relaxation",
  step: (b, { shared: { a, c } }, { y, steps: taken }) => ({
    y: add(b, mul(b, y, 0.5), mul(b, tanh(b, add(b, mul(b, a, y), c)), 0.5)),
    steps: add(b, taken, 1),
  }),
  proceed: (b, _, before, after) => less(b, 1e-2, abs(b, sub(b, after.y, before.y))),
};

describe("second derivatives through a chain", () => {
  /** Σ gradient · along, and its derivative by w. */
  async function curvature(adjoint: AdjointSpec, moved: Record<Name, Tensor>, save?: Save) {
    const b = new Builder();
    const values = inputsOf(b);
    const loss = lossOf(b, values, adjoint, save);
    const wrt = [values.y, values.w, values.x];
    const first = pullback(b, [loss], [b.scalar("float64", 1)], wrt);
    const terms = first.map((g, k) => reduceSum(b, mul(b, g!, b.constant(directions[k]!))));
    const slope = terms.reduce((sum, term) => add(b, sum, term));
    const second = pullback(b, [slope], [b.scalar("float64", 1)], wrt);
    const outputs = Object.fromEntries(second.map((value, k) => [`s${k}`, value!]));
    return runGraph(jit(), withoutRegions(b.graph({ slope, ...outputs })), moved);
  }
  const directions = [draw(2, 3), draw(3, 3), draw(steps, 2, 3)];

  for (const save of [undefined, "every", [2, 5]] as const) {
    it(`are those of finite differences of the first, for every adjoint (${save ?? "its end"})`, async () => {
      const direct = await curvature("direct", given, save);
      const along = draw(3, 3);
      const at = async (by: number) => {
        const w = tensor(
          "float64",
          [3, 3],
          numbers(given.w).map((value, i) => value + by * numbers(along)[i]!),
        );
        return numbers((await curvature("direct", { ...given, w }, save)).slope!)[0]!;
      };
      const exact = numbers(direct.s1!).reduce((sum, s, i) => sum + s * numbers(along)[i]!, 0);
      // as for the first
      expect(exact).to.be.closeTo(await slopeOf(at), 1e-9 * Math.abs(exact));
      for (const adjoint of everyAdjoint) {
        const found = await curvature(adjoint, given, save);
        for (const [name, value] of Object.entries(direct)) {
          const size = Math.max(...numbers(value).map(Math.abs));
          expectSame(found[name]!, value, 1e-12 * size, `${adjoint} ${name}`);
        }
      }
    });
  }
});

describe("a chain that ends by itself", () => {
  const at = { y: 0.1, a: 0.9, c: 0.4 };
  const build = (adjoint: AdjointSpec, steps: number | "given") => {
    const b = new Builder();
    const [y, a, c] = (["y", "a", "c"] as const).map((name) => b.input(name, "float64", [])) as [
      Value,
      Value,
      Value,
    ];
    const most = steps === "given" ? b.input("most", "int64", []) : steps;
    const { end, count } = runChain(
      b,
      relaxation,
      { start: { y, steps: b.scalar("int64", 0) }, shared: { a, c }, rows: null, steps: most },
      { adjoint },
    );
    const [dy, da, dc] = pullback(b, [end.y], [b.scalar("float64", 1)], [y, a, c]);
    const graph = b.graph({ end: end.y, taken: end.steps, count, dy: dy!, da: da!, dc: dc! });
    return withoutRegions(graph);
  };
  const feeds = Object.fromEntries(
    Object.entries(at).map(([name, value]) => [name, tensor("float64", [], [value])]),
  );
  /** The same by hand: the state, its derivatives, and the number of steps. */
  const expected = (most: number) => {
    let [y, dy, da, dc, count] = [at.y, 1, 0, 0, 0];
    for (let moved = 1; moved > 1e-2 && count < most; count++) {
      const value = Math.tanh(at.a * y + at.c);
      const slope = 0.5 * (1 - value * value);
      const through = 0.5 + slope * at.a;
      [dy, da, dc] = [dy * through, da * through + slope * y, dc * through + slope];
      const next = 0.5 * y + 0.5 * value;
      moved = Math.abs(next - y);
      y = next;
    }
    return { end: y, dy, da, dc, count };
  };

  for (const [what, steps, most] of [
    ["ends where it asks to", 1000, 1000],
    ["ends at the most steps that it may take", 3, 3],
    ["takes these as a value", "given", 4],
  ] as const) {
    it(`${what}, tells how many steps it took, and is differentiated over those`, async () => {
      const known = expected(most);
      const most64 = tensor("int64", [], [most]);
      const found = await runGraph(jit(), build("direct", steps), { ...feeds, most: most64 });
      expect(numbers(found.count!)[0]).to.equal(known.count);
      expect(numbers(found.taken!)[0]).to.equal(known.count);
      // the same operations, to rounding
      for (const name of ["end", "dy", "da", "dc"] as const) {
        expect(numbers(found[name]!)[0], name).to.be.closeTo(known[name], 1e-14);
      }
      if (most === 1000) expect(known.count).to.be.within(5, 50);
    });
  }
});

describe("a chain that ends by itself and can be undone", () => {
  /** The pair, until a y is past 3; its rows are one for all steps. */
  const ending: Chain<Pair, Theta & Row> = {
    name: "ending pair",
    step: (b, { i, shared }, state) => pair.step(b, { i, shared, row: shared }, state),
    undo: (b, { i, shared }, state) => pair.undo!(b, { i, shared, row: shared }, state),
    proceed: (b, _, _before, { y }) => less(b, reduceMax(b, abs(b, y)), 3),
  };
  const gradientsOf = (adjoint: AdjointSpec, save?: "every") => {
    const b = new Builder();
    const { y, z, w, v } = inputsOf(b);
    const x = b.constant(tensor("float64", [2, 3], numbers(given.x).slice(0, 6)));
    const { end, count, saved } = runChain(
      b,
      ending,
      { start: { y, z }, shared: { w, v, x }, rows: null, steps: 100 },
      save === undefined ? { adjoint } : { adjoint, save },
    );
    const parts = [end.y, ...saved].map((each) => reduceSum(b, mul(b, each, each)));
    const loss = parts.reduce((sum, each) => add(b, sum, each));
    const pulled = pullback(b, [loss], [b.scalar("float64", 1)], [y, z, w, v]);
    const outputs = Object.fromEntries(pulled.map((value, k) => [`d${k}`, value!]));
    return runGraph(jit(), withoutRegions(b.graph({ loss, count, ...outputs })), given);
  };

  for (const save of [undefined, "every"] as const) {
    it(`is undone as often as it was gone on (${save ?? "its end"})`, async () => {
      const [direct, reversible] = [await gradientsOf("direct", save), await gradientsOf("reversible", save)];
      expect(numbers(direct.count!)[0]).to.be.within(2, 99);
      for (const [name, value] of Object.entries(direct)) {
        expectSame(reversible[name]!, value, 1e-12 * Math.max(1, ...numbers(value).map(Math.abs)), name);
      }
    });
  }
});

describe("a chain that takes fewer steps than it has rows", () => {
  const few = 3;
  const rowsOf = (count: number) => tensor("float64", [count, 2, 3], numbers(given.x).slice(0, count * 6));
  /** Gradients of Σ y² at the end and at every state, of a chain with so many rows. */
  const gradientsOf = (chain: typeof pair, adjoint: AdjointSpec, count: number, taken: number | "given") => {
    const b = new Builder();
    const { y, z, w, v } = inputsOf(b);
    const x = b.input("rows", "float64", [count, 2, 3]);
    const most = taken === "given" ? b.input("most", "int64", []) : taken;
    const inputs = { start: { y, z }, shared: { w, v }, rows: { x }, steps: most };
    const { end, saved } = runChain(b, chain, inputs, { adjoint, save: "every" });
    const parts = [end.y, ...saved].map((each) => reduceSum(b, mul(b, each, each)));
    const loss = parts.reduce((sum, each) => add(b, sum, each));
    const pulled = pullback(b, [loss], [b.scalar("float64", 1)], [y, z, w, v, x]);
    const outputs = Object.fromEntries(pulled.map((value, k) => [`d${k}`, value!]));
    const feeds = { ...given, rows: rowsOf(count), most: tensor("int64", [], [few]) };
    return runGraph(jit(), withoutRegions(b.graph({ loss, ...outputs })), feeds);
  };
  /** It counts its steps by itself: the third is the last. */
  const third: typeof pair = {
    ...pair,
    proceed: (b, { i }) => less(b, i, b.scalar("int64", few - 1)),
  };

  for (const adjoint of ["direct", "reversible"] as const) {
    for (const [what, chain, taken] of [
      ["as it ends by itself", third, steps],
      ["as their number is a value", pair, "given"],
    ] as const) {
      it(`has gradients of all rows, zeros for those that it does not get to, ${what} (${adjoint})`, async () => {
        const known = await gradientsOf(pair, adjoint, few, few);
        const found = await gradientsOf(chain, adjoint, steps, taken);
        const { d4: rows, ...others } = known;
        for (const [name, value] of Object.entries(others)) expectSame(found[name]!, value, 1e-12, name);
        const padded = [...numbers(rows!), ...new Array<number>((steps - few) * 6).fill(0)];
        expect(found.d4!.shape).to.deep.equal([steps, 2, 3]);
        expectSame(found.d4!, tensor("float64", [steps, 2, 3], padded), 1e-12, "rows");
      });
    }
  }
});

describe("the state of a chain", () => {
  it("is told by its names, in whatever order a step gives them", async () => {
    const turned: typeof pair = {
      ...pair,
      step(b, link, before) {
        const { y, z } = pair.step(b, link, before);
        return { z, y };
      },
      undo(b, link, after) {
        const { y, z } = pair.undo!(b, link, after);
        return { z, y };
      },
    };
    for (const adjoint of ["direct", "reversible"] as const) {
      const of = (chain: typeof pair) => {
        const b = new Builder();
        const { y, z, w, v, x } = inputsOf(b);
        const inputs = { start: { y, z }, shared: { w, v }, rows: { x }, steps };
        const { end } = runChain(b, chain, inputs, { adjoint });
        const pulled = pullback(b, [reduceSum(b, end.y)], [b.scalar("float64", 1)], [y, z]);
        return runGraph(jit(), withoutRegions(b.graph({ y1: end.y, dy: pulled[0]!, dz: pulled[1]! })), given);
      };
      expect(await of(turned), adjoint).to.deep.equal(await of(pair));
    }
  });

  it("may be of several types, and is looked at in all of its floats, whatever is reported of it", async () => {
    // z ← z/2, which `undo` doubles, or nearly so; n counts, and is all that is reported
    const of = async (adjoint: AdjointSpec, doubled: number) => {
      const b = new Builder();
      const [single, double] = [b.input("single", "float32", [2]), b.input("double", "float64", [2])];
      const { end } = runChain(
        b,
        {
          name: "halving",
          step: (inner, _link, { n, u, z }) => ({ n: add(inner, n, 1), u, z: mul(inner, z, 0.5) }),
          undo: (inner, _link, { n, u, z }) => ({ n: sub(inner, n, 1), u, z: mul(inner, z, doubled) }),
          report: ({ n }) => n,
        },
        { start: { n: b.scalar("int64", 0), u: single, z: double }, shared: null, rows: null, steps: 4 },
        { adjoint },
      );
      const [dz] = pullback(b, [reduceSum(b, end.z)], [b.scalar("float64", 1)], [double]);
      const feeds = { single: tensor("float32", [2], [1, 1]), double: tensor("float64", [2], [1, 1]) };
      return numbers((await runGraph(jit(), withoutRegions(b.graph({ dz: dz! })), feeds)).dz!);
    };
    for (const adjoint of ["reversible", "reversible:2"] as const) {
      expect(await of(adjoint, 2), adjoint).to.deep.equal([1 / 16, 1 / 16]);
      // of two steps, 2 %: more than 1e-3, that of the coarser of its types
      expect(await of(adjoint, 2.02), adjoint).to.deep.equal([Number.NaN, Number.NaN]);
    }
  });
});

describe("a chain", () => {
  const inputsIn = (b: Builder) => ({
    start: { y: b.input("y", "float64", [2, 3]), z: b.input("z", "float64", [2, 3]) },
    shared: { w: b.input("w", "float64", [3, 3]), v: b.input("v", "float64", [3, 3]) },
    rows: { x: b.input("x", "float64", [steps, 2, 3]) },
    steps,
  });
  const { undo: _, ...oneWay } = pair;

  it("has a state that comes back within rounding, and says how far", async () => {
    const b = new Builder();
    const inputs = inputsIn(b);
    const { end } = runChain(b, pair, inputs, { adjoint: "reversible" });
    const [dy] = pullback(b, [reduceSum(b, end.y)], [b.scalar("float64", 1)], [inputs.start.y]);
    const { reconstructionError: error } = told(b);
    const found = await runGraph(jit(), withoutRegions(b.graph({ dy: dy!, error: error! })), given);
    // seven steps of a few roundings, which a step may enlarge a few times
    expect(numbers(found.error!)[0]).to.be.within(0, 1e-13);
  });

  it("takes every adjoint that there is, so that one that is added is tested above", () => {
    const tested = everyAdjoint.map((spec) => chainAdjointFor(chainMethodOf(spec)).name);
    expect(new Set(tested)).to.deep.equal(new Set(chainAdjoints.map(({ name }) => name)));
  });

  it("gives an array [steps, 2, 3] of each part of its states, or of what it reports", () => {
    const b = new Builder();
    const { saved } = runChain(b, pair, inputsIn(b), { adjoint: "direct", save: "every" });
    expect(saved.map(({ shape }) => shape)).to.deep.equal([
      [steps, 2, 3],
      [steps, 2, 3],
    ]);
    const own = new Builder();
    const reporting = { ...pair, report: ({ z }: Pair) => ({ z }) };
    const reported = runChain(own, reporting, inputsIn(own), { adjoint: "checkpoint:2", save: [1, 4] });
    expect(reported.saved.map(({ shape }) => shape)).to.deep.equal([[2, 2, 3]]);
  });

  const refusals: readonly [string, new (...args: never[]) => Error, string, (b: Builder) => unknown][] = [
    [
      "reversal of steps that cannot be undone",
      ChainError,
      'The steps of the chain "pair" cannot be undone, so it has no reversible adjoint. Give it an `undo`',
      (b) => runChain(b, oneWay, inputsIn(b), { adjoint: "reversible" }),
    ],
    [
      "checkpoints of a chain of unknown length",
      ChainError,
      "the number of its steps is not known beforehand",
      (b) =>
        runChain(b, pair, { ...inputsIn(b), steps: b.input("n", "int64", []) }, { adjoint: "checkpoint" }),
    ],
    [
      "another number of rows than of steps",
      ChainError,
      'The chain "pair" has 3 steps, but rows float64[7, 2, 3].',
      (b) => runChain(b, pair, { ...inputsIn(b), steps: 3 }, { adjoint: "direct" }),
    ],
    [
      "saves that are out of order",
      ChainError,
      "of which states are to be saved after 3, 2",
      (b) => runChain(b, pair, inputsIn(b), { adjoint: "direct", save: [3, 2] }),
    ],
    [
      "a step that changes the state's shape",
      ChainError,
      "makes float64[2], float64[2, 3] of the state float64[2, 3], float64[2, 3]",
      (b) =>
        runChain(
          b,
          { ...oneWay, step: (inner, _link, { y, z }) => ({ y: reduceMax(inner, y, [1]), z }) },
          inputsIn(b),
          { adjoint: "direct" },
        ),
    ],
    [
      "a step that gives the state other names",
      ChainError,
      'The chain "pair" makes { y, x } of the state { y, z }.',
      (b) =>
        runChain(b, { ...oneWay, step: (_b, _link, { y, z }) => ({ y, x: z }) as never }, inputsIn(b), {
          adjoint: "direct",
        }),
    ],
    [
      "a report of what is no part of the state",
      ChainError,
      "reports a value float64[2, 3] that is no part of its state",
      (b) => {
        const inputs = inputsIn(b);
        return runChain(b, { ...pair, report: () => inputs.start.y }, inputs, { adjoint: "direct" });
      },
    ],
    [
      "an adjoint that there is not",
      GradientMethodError,
      'There is no gradient "stored". Use one of reversible, direct, checkpoint',
      (b) => runChain(b, pair, inputsIn(b), { adjoint: "stored" as AdjointSpec }),
    ],
    [
      "steps that read the graph around them",
      GraphError,
      'The region "chain pair" reads a value float64[3, 3] of the graph around it',
      (b) => {
        const inputs = inputsIn(b);
        const reading = {
          ...oneWay,
          step: (inner: Builder, _link: unknown, { y, z }: Pair) => ({
            y: matmul(inner, y, inputs.shared.w),
            z,
          }),
        };
        return runChain(b, reading, inputs, { adjoint: "direct" });
      },
    ],
  ];
  for (const [what, type, message, build] of refusals) {
    it(`refuses ${what}`, () => {
      expect(() => build(new Builder())).to.throw(type, message);
    });
  }
});
