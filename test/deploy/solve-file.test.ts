import { expect } from "chai";
import { type ConstantStep, ControlError, constantStep, type Pid, pid } from "../../src/control/control.js";
import { Random } from "../../src/core/random.js";
import { type FloatDType, numbers, scalar, type Tensor, tensor } from "../../src/core/tensor.js";
import { encodeSolve, solveGraph } from "../../src/deploy/solve-file.js";
import { initialParameters, type VectorField } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { lotkaVolterra } from "../../src/fields/physical.js";
import { decode } from "../../src/graph/decode.js";
import { type NeuralOde, neuralOde } from "../../src/integrate/neural-ode.js";
import { named, ParameterError, solve } from "../../src/integrate/solve.js";
import { explicit } from "../../src/methods/explicit.js";
import { methodNamed, solverNames } from "../../src/methods/named.js";
import { reversible } from "../../src/methods/reversible.js";
import { bosh3, dopri5, dopri8, euler, midpoint, rk4, tsit5 } from "../../src/methods/tableaux.js";
import { add, div, mul, neg, sub } from "../../src/ops/arithmetic.js";
import { matmul } from "../../src/ops/linalg.js";
import { less, where } from "../../src/ops/logic.js";
import { cos } from "../../src/ops/trigonometry.js";
import { gridThrough, stepsOf, TimeError } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { runGraph } from "../support/evaluate.js";
import { squaring } from "../support/fields.js";
import { bareSession, float, rowOf } from "./bare.js";

/** y' = [[0, −1], [1, 0]] y: rotation by the angle t. */
const rotation: VectorField = {
  name: "rotation",
  state: ["batch", 2],
  parameters: {},
  apply: (b, _theta, _t, y) => matmul(b, y, b.constant(tensor("float64", [2, 2], [0, 1, -1, 0]))),
};
const rotated = (angle: number, [x, y]: readonly [number, number]) => [
  x * Math.cos(angle) - y * Math.sin(angle),
  x * Math.sin(angle) + y * Math.cos(angle),
];

const equationOf = (field: VectorField, method: NeuralOde["method"], stepSize?: number, dtype?: FloatDType) =>
  neuralOde({
    field,
    method,
    ...(stepSize === undefined ? {} : { stepSize }),
    ...(dtype === undefined ? {} : { dtype }),
  });

describe("a solve as a file", () => {
  const adaptive = equationOf(rotation, explicit(dopri5));
  const starts: readonly (readonly [number, number])[] = [
    [1, 0],
    [-0.5, 2],
    [3, 1],
  ];
  const times = (t0: number, t1: number, ts: readonly number[]) => ({
    ...{ t0: float(t0), t1: float(t1) },
    ts: float(ts),
  });

  it("solves from any initial states to any times, either way, and says so", async () => {
    const bytes = encodeSolve(adaptive, {}, { control: pid({ rtol: 1e-10, atol: 1e-10 }) });
    const session = await bareSession(bytes);
    expect(session.inputs).to.have.members(["y0", "t0", "t1", "ts"]);
    for (const count of [1, 3]) {
      const y0 = tensor("float64", [count, 2], starts.slice(0, count).flat());
      for (const [t0, t1, ts] of [
        [0, 3, [0, 0.5, 2.5]],
        [1, -4, [0.25, -4]],
        [-2, 7, []],
        // out of order, and beyond the end: it goes there and back
        [0, 1, [0.75, 2, 0.5]],
        // no way to go at the end
        [2, 2, [5]],
      ] as const) {
        const out = await session.run({ y0, ...times(t0, t1, ts) });
        expect(out.ys!.shape).to.deep.equal(ts.length === 0 ? [0, 0, 2] : [ts.length, count, 2]);
        expect(out.y1!.shape).to.deep.equal([count, 2]);
        expect(numbers(out.reached!)).to.deep.equal([1]);
        const exact = (t: number) => starts.slice(0, count).flatMap((start) => rotated(t - t0, start));
        // tolerances of 1e-10 a step, some hundred steps
        for (const [k, t] of ts.entries()) expect(distance(rowOf(out.ys!, k), exact(t))).to.be.below(1e-8);
        expect(distance(numbers(out.y1!), exact(t1))).to.be.below(1e-8);
      }
    }
  });

  it("turns round where the next time lies behind it, without a step beyond", async () => {
    // y' = 1, but there is no field beyond t = 2
    const ending: VectorField = {
      ...squaring,
      parameters: {},
      apply: (b, _theta, t, y) =>
        add(b, mul(b, y, 0), where(b, less(b, t, 2.000001), b.scalar("float64", 1), Number.NaN)),
    };
    const session = await bareSession(
      encodeSolve(equationOf(ending, explicit(dopri5), 0.3), {}, { control: pid() }),
    );
    const { ys, rejected } = await session.run({
      y0: tensor("float64", [1, 1], [0]),
      ...times(0, 1, [2, 0.5]),
    });
    expect(distance(numbers(ys!), [2, 0.5])).to.be.below(1e-12);
    expect(numbers(rejected!)).to.deep.equal([0]);
  });

  it("is as exact as its tolerances, which are inputs", async () => {
    for (const method of [bosh3, dopri5, tsit5, dopri8]) {
      const bytes = encodeSolve(
        { ...adaptive, method: explicit(method) },
        {},
        { control: pid(), defaults: false },
      );
      const session = await bareSession(bytes);
      expect(session.inputs).to.include.members(["rtol", "atol", "maxSteps"]);
      const levels = [1e-4, 1e-6, 1e-8, 1e-10];
      const errors: number[] = [];
      const steps: number[] = [];
      for (const level of levels) {
        const { y1, accepted } = await session.run({
          y0: tensor("float64", [1, 2], [1, 0]),
          ...times(0, 6, []),
          ...{ rtol: float(level), atol: float(level), maxSteps: scalar("int64", 100_000) },
        });
        errors.push(distance(numbers(y1!), rotated(6, [1, 0])));
        steps.push(numbers(accepted!)[0]!);
      }
      for (const [i, level] of levels.entries()) {
        // errors of steps add up over one turn; a control that ignored a level would be off by 100 at the next
        expect(errors[i], `${method.name} at ${level}`).to.be.within(1e-3 * level, 100 * level);
        if (i > 0) expect(steps[i]!).to.be.above(steps[i - 1]!);
      }
    }
  });

  const field = mlp({ dim: 2, hidden: [6] });
  const parameters = initialParameters(field, Random.seeded(5), "float64");
  const y0 = tensor("float64", [2, 2], [0.5, -1, 1, 0.25]);
  const ts = [0, 0.3, 1, 1.1, 2];

  /** ys and the last state, by revort's own solve and by the file, with the steps of both. */
  async function both(ode: NeuralOde, control: Pid | undefined, runtime: Runtime) {
    const own = await solve(ode, {
      ...{ runtime, parameters, y0, t0: 0, saveAt: [...ts, 2.5] },
      ...(control === undefined ? {} : { control }),
    });
    const options = control === undefined ? {} : { control };
    const session = await bareSession(encodeSolve(ode, parameters, options));
    const out = await session.run({ y0, ...times(0, 2.5, ts) });
    return {
      own: { y: numbers(own.ys), accepted: own.stats.accepted, rejected: own.stats.rejected },
      file: {
        y: [...numbers(out.ys!), ...numbers(out.y1!)],
        accepted: numbers(out.accepted!)[0]!,
        rejected: out.rejected === undefined ? 0 : numbers(out.rejected)[0]!,
      },
    };
  }

  it("takes the steps of `solve`, and gives the same, with chosen steps", async () => {
    const runtime = await ortNode();
    // tight enough for rejections, and coupled once so that drift is looked at
    const cases = [explicit(dopri5), explicit(bosh3), reversible(bosh3, { coupling: 0.9 }), explicit(dopri8)];
    let rejected = 0;
    for (const method of cases) {
      for (const control of [
        pid({ rtol: 1e-7, atol: 1e-9, dt0: 0.5 }),
        pid({ rtol: 1e-4, atol: 1e-4, p: 0.4, i: 0.3 }),
      ]) {
        const { own, file } = await both(equationOf(field, method), control, runtime);
        expect([file.accepted, file.rejected], method.name).to.deep.equal([own.accepted, own.rejected]);
        // the same operators in another graph: rounding at most
        expect(distance(file.y, own.y), method.name).to.be.below(1e-14);
        rejected += file.rejected;
      }
    }
    expect(rejected).to.be.above(0);
  });

  it("takes the steps of `solve`, and gives the same, by every solver with steps of one size", async () => {
    const runtime = await ortNode();
    for (const name of [...solverNames, "lawson:rk4:-0.3"]) {
      const { own, file } = await both(equationOf(field, methodNamed(name), 0.07), undefined, runtime);
      expect(file.accepted, name).to.equal(own.accepted);
      expect(distance(file.y, own.y), name).to.be.below(1e-14);
    }
  });

  it("cuts the way between times as a grid does, in float32 too, where times are no multiples of the step", async () => {
    for (const dtype of ["float64", "float32"] as const) {
      const still: VectorField = { ...squaring, parameters: {}, apply: (b, _p, _t, y) => mul(b, y, 0) };
      const session = await bareSession(
        encodeSolve(equationOf(still, explicit(euler), 0.005, dtype), {}, { defaults: false }),
      );
      for (const [stepSize, saves] of [
        [0.005, Array.from({ length: 1000 }, (_, i) => 0.005 * (i + 1))],
        [0.7, [7]],
        [0.3, [0.1, 0.4, 1.3, 6.1]],
        [1 / 3, [1, 2, 5]],
      ] as const) {
        const of = (values: readonly number[], shape: readonly number[]) => tensor(dtype, shape, values);
        const { accepted, reached } = await session.run({
          ...{ y0: of([1], [1, 1]), t0: of([0], []), t1: of([saves.at(-1)!], []) },
          ...{ ts: of(saves, [saves.length]), stepSize: of([stepSize], []) },
          maxSteps: scalar("int64", 100_000),
        });
        expect(numbers(reached!)).to.deep.equal([1]);
        expect(numbers(accepted!), `${dtype}, ${stepSize}`).to.deep.equal([
          stepsOf(gridThrough(0, saves, stepSize)),
        ]);
      }
    }
  });

  it("runs on revort's own runtimes as well", async () => {
    const control = pid({ rtol: 1e-8, atol: 1e-8 });
    for (const [ode, rest] of [
      [equationOf(field, explicit(tsit5)), { rtol: float(1e-8), atol: float(1e-8) }],
      [equationOf(field, reversible(midpoint), 0.1), { stepSize: float(0.1) }],
    ] as const) {
      const graph = solveGraph(ode, ode.stepSize === 0.1 ? undefined : control);
      const inputs = { ...named(parameters), y0, ...times(0, 2.5, ts), ...rest };
      const all = { ...inputs, maxSteps: scalar("int64", 1000) };
      const [compiled, ort] = [
        await runGraph(jit(), graph, all),
        await runGraph(await ortNode(), graph, all),
      ];
      // other elementary functions, and sums in another order
      expect(distance(numbers(compiled.ys!), numbers(ort.ys!))).to.be.below(1e-12);
      expect(numbers(compiled.reached!)).to.deep.equal([1]);
      expect(compiled.accepted).to.deep.equal(ort.accepted);
    }
  });

  describe("that gives up", () => {
    // y' = y² from y0 = 1 is 1 / (1 − t)
    const blowUp = { y0: tensor("float64", [1, 1], [1]), ...times(0, 3, [0.5, 0.9, 1.5, 2]) };
    const one = { a: tensor("float64", [], [1]) };

    it("says so, and has numbers up to there and NaN from there on, with chosen steps", async () => {
      const ode = equationOf(squaring, explicit(dopri5));
      const session = await bareSession(encodeSolve(ode, one, { control: pid({ rtol: 1e-9, atol: 1e-9 }) }));
      const { ys, y1, reached, accepted } = await session.run(blowUp);
      expect(numbers(reached!)).to.deep.equal([0]);
      expect(distance(numbers(ys!).slice(0, 2), [2, 10])).to.be.below(1e-6);
      expect([...numbers(ys!).slice(2), ...numbers(y1!)]).to.deep.equal([Number.NaN, Number.NaN, Number.NaN]);
      expect(numbers(accepted!)[0]).to.be.below(10_000);
    });

    it("says so, and has numbers up to there and NaN from there on, with steps of one size", async () => {
      const session = await bareSession(encodeSolve(equationOf(squaring, explicit(rk4), 0.01), one));
      const { ys, y1, reached } = await session.run(blowUp);
      expect(numbers(reached!)).to.deep.equal([0]);
      // RK4 with h = 0.01, where y'''' h⁴ is large near the pole
      expect(distance(numbers(ys!).slice(0, 2), [2, 10])).to.be.below(1e-3);
      expect([...numbers(ys!).slice(2), ...numbers(y1!)]).to.deep.equal([Number.NaN, Number.NaN, Number.NaN]);
    });

    it("does so after as many steps as it may try", async () => {
      const methods = [explicit(dopri5), explicit(rk4)] as const;
      for (const [i, control] of [pid({ rtol: 1e-9, atol: 1e-9 }), constantStep(0.1)].entries()) {
        const ode = equationOf(rotation, methods[i]!);
        const session = await bareSession(encodeSolve(ode, {}, { control, maxSteps: 12 }));
        const inputs = { y0: tensor("float64", [1, 2], [1, 0]), ...times(0, 50, [0.1]) };
        const { ys, y1, reached, accepted } = await session.run(inputs);
        expect(numbers(reached!)).to.deep.equal([0]);
        expect(numbers(accepted!)[0]).to.be.within(1, 12);
        expect(numbers(ys!).every(Number.isFinite)).to.equal(true);
        expect(numbers(y1!)).to.deep.equal([Number.NaN, Number.NaN]);
      }
    });

    it("does so at once for times and states that are no numbers", async () => {
      for (const control of [pid(), constantStep(0.1)]) {
        const session = await bareSession(encodeSolve(adaptive, {}, { control }));
        const good = { y0: tensor("float64", [1, 2], [1, 0]), ...times(0, 1, [0.5]) };
        const bad: Record<string, Partial<typeof good>> = {
          "a time that is NaN": { ts: float([Number.NaN]) },
          "an end that is infinite": { t1: float(Number.POSITIVE_INFINITY) },
          "a state that is NaN": { y0: tensor("float64", [1, 2], [Number.NaN, 1]) },
        };
        for (const [what, inputs] of Object.entries(bad)) {
          const { reached, y1, accepted } = await session.run({ ...good, ...inputs });
          expect(numbers(reached!), what).to.deep.equal([0]);
          expect(numbers(y1!).every(Number.isNaN), what).to.equal(true);
          expect(numbers(accepted!)[0], what).to.be.below(100);
        }
      }
    });
  });

  describe("where numbers are few", () => {
    const of = (name: string, apply: VectorField["apply"], dim = 1): VectorField => ({
      ...{ name, state: ["batch", dim], parameters: {}, apply },
    });
    const decaying = of("decay", (b, _theta, _t, y) => neg(b, y), 2);
    const cosine = of("cosine", (b, _theta, t, y) => add(b, mul(b, y, 0), cos(b, t)));
    const steep = of("steep", (b, _theta, _t, y) => div(b, 1e50, y));
    const holed = of("holed", (b, _theta, _t, y) => div(b, sub(b, y, y), mul(b, y, 0)));
    const ask = async (
      field: VectorField,
      dtype: FloatDType,
      control: Pid | ConstantStep,
      given: { y0: readonly number[]; t0: number; t1: number; ts: readonly number[] },
    ) => {
      const method = explicit(control.kind === "pid" ? dopri5 : rk4);
      const session = await bareSession(
        encodeSolve(equationOf(field, method, undefined, dtype), {}, { control }),
      );
      const { ys, y1, reached, accepted, rejected } = await session.run({
        y0: tensor(dtype, [1, given.y0.length], given.y0),
        ...{ t0: tensor(dtype, [], [given.t0]), t1: tensor(dtype, [], [given.t1]) },
        ts: tensor(dtype, [given.ts.length], given.ts),
      });
      const tried = numbers(accepted!)[0]! + (rejected === undefined ? 0 : numbers(rejected)[0]!);
      return { ys: numbers(ys!), y1: numbers(y1!), reached: numbers(reached!)[0], tried };
    };
    const tolerances = { float64: 1e-9, float32: 1e-5 } as const;

    it("holds a component that stays 0 against a tolerance of 0", async () => {
      for (const dtype of ["float64", "float32"] as const) {
        const rtol = tolerances[dtype];
        const given = { y0: [1, 0], t0: 0, t1: 1, ts: [] };
        const { y1, reached } = await ask(decaying, dtype, pid({ rtol, atol: 0 }), given);
        expect([reached, y1[1]]).to.deep.equal([1, 0]);
        // the tolerance over some tens of steps
        expect(Math.abs(y1[0]! * Math.E - 1)).to.be.below(20 * rtol);
      }
    });

    it("has a row for each time, and is as exact far from 0 as near it, if its field does not depend on t", async () => {
      for (const t0 of [0, 1e4, -(2 ** 26)]) {
        for (const direction of [1, -1]) {
          // at 2^26 numbers of float32 are 8 apart on the one side, and 4 on the other
          const ts = [0, 0, 8, 8, 16].map((tau) => t0 + direction * tau);
          const given = { y0: [1, 2], t0, t1: ts[4]!, ts };
          for (const control of [pid({ rtol: 1e-6, atol: 1e-6 }), constantStep(0.0625)]) {
            const { ys, reached } = await ask(
              of("slow", (b, _theta, _t, y) => mul(b, y, -0.1), 2),
              ...(["float32", control, given] as const),
            );
            expect(reached).to.equal(1);
            const exact = ts.flatMap((t) => [1, 2].map((y) => y * Math.exp(0.1 * (t0 - t))));
            // float32 over some hundred steps
            expect(distance(ys, exact)).to.be.below(1e-5);
          }
        }
      }
    });

    it("starts from an equilibrium at t = 100 in float32", async () => {
      const given = { y0: [0, 0], t0: 100, t1: 101, ts: [100.5] };
      const { ys, reached, tried } = await ask(decaying, "float32", pid({ rtol: 1e-4, atol: 1e-4 }), given);
      expect([reached, ...ys]).to.deep.equal([1, 0, 0]);
      expect(tried).to.be.below(12);
    });

    it("gives up at once where steps are lost in the spacing of t, and never goes on with steps of nothing", async () => {
      const [loose, far] = [
        pid({ rtol: 1e-4, atol: 1e-4 }),
        { y0: [0], t0: 1e8, t1: 1e8 + 32, ts: [1e8 + 8] },
      ];
      for (const [field, dtype, control, given] of [
        [cosine, "float32", loose, far],
        [cosine, "float32", constantStep(0.01), far],
        [cosine, "float32", loose, { ...far, t1: 1e8 + 8 }],
        [steep, "float64", loose, { y0: [1], t0: 1, t1: 2, ts: [] }],
        [holed, "float32", loose, { y0: [1], t0: 3, t1: 4, ts: [3.5] }],
        [holed, "float64", pid({ dt0: 0.1 }), { y0: [1], t0: 3, t1: 4, ts: [3.5] }],
      ] as const) {
        const { y1, ys, reached, tried } = await ask(field, dtype, control, given);
        expect([reached, ...y1, ...ys].every((x, i) => (i === 0 ? x === 0 : Number.isNaN(x)))).to.equal(true);
        expect(tried).to.be.below(50);
      }
      const right = await ask(cosine, "float32", constantStep(0.01), { y0: [0], t0: 0, t1: 10, ts: [] });
      expect(right.y1[0]).to.be.closeTo(Math.sin(10), 1e-5);
    });

    it("takes steps as long as their error allows, whatever the step size of the equation", async () => {
      const small = equationOf(decaying, explicit(dopri5), 0.002);
      const session = await bareSession(encodeSolve(small, {}, { control: pid({ rtol: 1e-3, atol: 1e-6 }) }));
      const { accepted } = await session.run({ y0: tensor("float64", [1, 2], [1, 1]), ...times(0, 2, []) });
      expect(numbers(accepted!)[0]).to.be.below(10);
    });
  });

  it("is of standard operators alone, with its parameters inside and its tolerances beside the inputs", () => {
    const bytes = encodeSolve(equationOf(field, explicit(tsit5)), parameters, {
      control: pid({ rtol: 1e-5, atol: 1e-7 }),
      metadata: { units: { time: "s" } },
    });
    const { graph, opsets, irVersion, metadata, doc } = decode(bytes);
    expect([...opsets]).to.deep.equal([["", 21]]);
    expect(irVersion).to.equal(10);
    expect(graph.inputs).to.deep.equal([
      { name: "y0", dtype: "float64", shape: ["batch", 2] },
      { name: "t0", dtype: "float64", shape: [] },
      { name: "t1", dtype: "float64", shape: [] },
      { name: "ts", dtype: "float64", shape: ["saves"] },
    ]);
    expect(graph.optional.map(({ name }) => name)).to.deep.equal(["maxSteps", "rtol", "atol"]);
    const stored = (name: string) => numbers(graph.initializers.get(name) as Tensor);
    expect([...stored("rtol"), ...stored("atol"), ...stored("maxSteps")]).to.deep.equal([1e-5, 1e-7, 1e5]);
    expect(stored("parameters/layers.0.bias")).to.deep.equal(numbers(parameters["layers.0.bias"]!));
    expect(graph.outputs.map(({ name, shape }) => [name, shape])).to.deep.equal([
      ["ys", ["saves", "batch", 2]],
      ["y1", ["batch", 2]],
      ["accepted", []],
      ["rejected", []],
      ["reached", []],
    ]);
    expect(metadata).to.include({
      "revort.kind": "solve",
      "revort.solver": "tsit5",
      "revort.rtol": "0.00001",
      "revort.unit.time": "s",
    });
    expect(doc).to.contain("tsit5").and.contain("chosen by their error");
  });

  it("takes other parameters where it is made to", async () => {
    const ode = equationOf(field, explicit(rk4), 0.1);
    const others = initialParameters(field, Random.seeded(6), "float64");
    const open = { openParameters: true, defaults: false };
    const [baked, opened] = [
      await bareSession(encodeSolve(ode, others)),
      await bareSession(encodeSolve(ode, parameters, open)),
    ];
    const inputs = { y0, ...times(0, 1, [0.5]) };
    const limits = { stepSize: float(0.1), maxSteps: scalar("int64", 1000) };
    const [expected, found] = [
      await baked.run(inputs),
      await opened.run({ ...inputs, ...limits, ...named(others) }),
    ];
    // constants are folded in the one and not in the other
    expect(distance(numbers(found.y1!), numbers(expected.y1!))).to.be.below(1e-14);
    const { graph } = decode(encodeSolve(ode, parameters, { openParameters: true }));
    expect(graph.inputs.map(({ name }) => name)).to.deep.equal(["y0", "t0", "t1", "ts"]);
    expect(graph.optional.map(({ name }) => name)).to.include("parameters/layers.0.weight");
  });

  it("of a field without a batch takes states as they are", async () => {
    const single: VectorField = { ...lotkaVolterra({ alpha: 1.1, beta: 0.4, delta: 0.1, gamma: 0.4 }) };
    const shape = single.state.map((dim) => (typeof dim === "string" ? 1 : dim));
    const fixed: VectorField = { ...single, state: shape };
    const own = initialParameters(fixed, Random.seeded(0), "float64");
    const session = await bareSession(encodeSolve(equationOf(fixed, explicit(rk4), 0.01), own));
    const { y1 } = await session.run({ y0: tensor("float64", shape, [10, 5]), ...times(0, 2, []) });
    // V = δ x − γ ln x + β y − α ln y stays as it is
    const v = ([x, y]: readonly number[]) => 0.1 * x! - 0.4 * Math.log(x!) + 0.4 * y! - 1.1 * Math.log(y!);
    expect(v(numbers(y1!))).to.be.closeTo(v([10, 5]), 1e-7);
    expect(numbers(y1!)[0]).not.to.be.closeTo(10, 1);
  });

  it("is refused where there is no way to choose steps, or parameters are not those of the field", () => {
    expect(() => encodeSolve(equationOf(field, explicit(rk4)), parameters, { control: pid() })).to.throw(
      ControlError,
      '"rk4" has no error estimate',
    );
    expect(() => encodeSolve(equationOf(field, explicit(rk4)), parameters)).to.throw(
      TimeError,
      "no step size",
    );
    expect(() => encodeSolve(equationOf(field, explicit(rk4), 0.1), {})).to.throw(ParameterError, "missing");
  });
});
