import { expect } from "chai";
import { numbers, sizeOf, tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { Builder } from "../../src/graph/builder.js";
import { nodesOf, type Value } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import type { Interval, Method, ReversibleMethod, State } from "../../src/methods/method.js";
import { add, mul, neg, sub } from "../../src/ops/arithmetic.js";
import { concat, split } from "../../src/ops/slicing.js";
import { cos, sin, Tanh, tanh } from "../../src/ops/trigonometry.js";
import { gridTensors, gridThrough } from "../../src/programs/grid.js";
import { systemIn } from "../../src/programs/inputs.js";
import { solveProgram } from "../../src/programs/solve.js";
import { compileProgram, uploadTree } from "../../src/runtime/compile-program.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { distance } from "../support/distance.js";

/** An initial value problem with a known solution at parameters of 1. */
export interface Problem {
  readonly field: VectorField;
  readonly exact: (t: number) => number[];
  readonly duration: number;
}

/**
 * Nonlinear, coupled and non-autonomous, and not separable: with r = q² + p² (which is 1),
 *
 *   q' = a t p r,   p' = −a t q r²
 *
 * solved by q = sin(t²/2), p = cos(t²/2).
 */
export const turning: Problem = {
  field: {
    name: "turning",
    state: ["batch", 2],
    parameters: { a: { shape: [], initial: () => [1] } },
    apply(b, theta, t, y) {
      const [q, p] = split(b, y, 1, [1, 1]) as [Value, Value];
      const r = add(b, mul(b, q, q), mul(b, p, p));
      const speed = mul(b, mul(b, theta.a!, t), r);
      return concat(b, [mul(b, speed, p), neg(b, mul(b, mul(b, speed, q), r))], 1);
    },
  },
  exact: (t) => [Math.sin((t * t) / 2), Math.cos((t * t) / 2)],
  duration: 2,
};

/**
 * Separable, nonlinear and non-autonomous:
 *
 *   q' = a p + p² − cos² t,   p' = sin² t − a q − q²
 *
 * solved by q = sin t, p = cos t.
 */
export const separable: Problem = {
  field: {
    name: "separable",
    state: ["batch", 2],
    parameters: { a: { shape: [], initial: () => [1] } },
    apply(b, theta, t, y) {
      const [q, p] = split(b, y, 1, [1, 1]) as [Value, Value];
      const square = (x: Value) => mul(b, x, x);
      const dq = sub(b, add(b, mul(b, theta.a!, p), square(p)), square(cos(b, t)));
      const dp = sub(b, square(sin(b, t)), add(b, mul(b, theta.a!, q), square(q)));
      return concat(b, [dq, dp], 1);
    },
  },
  exact: (t) => [Math.sin(t), Math.cos(t)],
  duration: 2,
};

/** y' = −y, [1, 1]. */
export const decay: VectorField = {
  name: "decay",
  state: ["batch", 1],
  parameters: {},
  apply: (b, _theta, _t, y) => neg(b, y),
};

/** A compiled solve of a problem from 0 to 2: the largest error at four times, as a function of the steps taken. */
export async function errorsOf(
  runtime: Runtime,
  method: Method,
  { field, exact, duration }: Problem,
): Promise<{ after: (steps: number) => Promise<number>; release: () => Promise<void> }> {
  const state = [1, exact(0).length];
  const saves = [0.25, 0.5, 0.75, 1].map((part) => part * duration);
  const program = await compileProgram(
    runtime,
    solveProgram({ field, method, dtype: "float64", state, saves: saves.length, everyStep: false }),
  );
  return {
    async after(steps) {
      const inputs = uploadTree(runtime, {
        parameters: { a: tensor("float64", [], [1]) },
        y0: tensor("float64", state, exact(0)),
        ...gridTensors(gridThrough(0, saves, duration / steps), "float64"),
      });
      const ys = await runtime.download((await program.run(inputs)).ys);
      const data = ys.data as Float64Array;
      const expected = saves.flatMap(exact);
      if (data.length !== sizeOf(ys.shape) || data.length !== expected.length) throw new Error("shape");
      return Math.max(...expected.map((value, i) => Math.abs(value - data[i]!)));
    },
    release: () => program.release(),
  };
}

/**
 * The order of convergence, measured: steps are doubled as long as the error stays well above rounding, and the last
 * two errors tell.
 */
export async function measuredOrder(runtime: Runtime, method: Method, problem: Problem): Promise<number> {
  const errors = await errorsOf(runtime, method, problem);
  try {
    let [last, order] = [await errors.after(8), Number.NaN];
    for (let steps = 16; steps <= 512; steps *= 2) {
      const next = await errors.after(steps);
      // the solution is of size 1, and what rounding adds over some hundred steps was seen to be 1e-15
      if (next < 5e-14) break;
      order = Math.log2(last / next);
      last = next;
    }
    return order;
  } finally {
    await errors.release();
  }
}

/** Builds a graph of float64 scalars and [1, n] arrays, runs it once, and returns its outputs. */
export async function evaluate(
  runtime: Runtime,
  inputs: Readonly<Record<string, number | readonly number[]>>,
  build: (b: Builder, values: Readonly<Record<string, Value>>) => Readonly<Record<string, Value>>,
): Promise<Record<string, number[]>> {
  const b = new Builder();
  const host = Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      name,
      typeof value === "number"
        ? tensor("float64", [], [value])
        : tensor("float64", [1, value.length], value),
    ]),
  );
  const values = Object.fromEntries(
    Object.entries(host).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
  );
  const executable = await runtime.compile(b.graph(build(b, values)));
  try {
    const results = await executable.run(uploadTree(runtime, host));
    const read = Object.entries(results).map(
      async ([name, value]) => [name, numbers(await runtime.download(value))] as const,
    );
    return Object.fromEntries(await Promise.all(read));
  } finally {
    await executable.release();
  }
}

/** The largest difference between a state and what undoing two steps (of different sizes) makes of it. */
export async function lostByUndoing(
  runtime: Runtime,
  method: ReversibleMethod,
  { field, exact }: Problem,
): Promise<number> {
  const given = { t0: 0.5, t1: 0.62, t2: 0.7, h1: 0.62 - 0.5, h2: 0.7 - 0.62, a: 1.3, y: exact(0.5) };
  const results = await evaluate(runtime, given, (b, { t0, t1, t2, h1, h2, a, y }) => {
    const system = systemIn(b, field, { a: a! });
    const [first, second] = [
      { t0: t0!, t1: t1!, h: h1! },
      { t0: t1!, t1: t2!, h: h2! },
    ];
    const start = method.start(system, t0!, y!);
    const end = method.step(system, second, method.step(system, first, start));
    const back = method.undo(system, first, method.undo(system, second, end));
    return Object.fromEntries(start.map((value, i) => [`lost${i}`, sub(b, value, back[i]!)]));
  });
  return Math.max(...Object.values(results).flat().map(Math.abs));
}

/** Gradients of a loss of a solve, for a and y0, by reconstruction, by stored steps, and by central differences. */
export async function gradientsOf(
  runtime: Runtime,
  method: ReversibleMethod,
  { field, exact }: Problem,
  wanted: readonly ("reversible" | "direct")[] = ["reversible", "direct"],
): Promise<Record<"reversible" | "direct" | "differences", number[]>> {
  const ode = neuralOde({ field, method, stepSize: 0.05 });
  // stretches of 0.3 and 0.47 make steps of two sizes
  const grid = gridThrough(0, [0.3, 0.77, 1.07], ode.stepSize);
  const target = tensor("float64", [3, 1, 2], [0.3, 0.2, -0.4, 0.9, 1.1, -0.2]);
  const at = async (gradient: "reversible" | "direct", [a, ...y0]: readonly number[]) => {
    const fit = { grid, y0: tensor("float64", [1, 2], y0), target, weight: null };
    const parameters = { a: tensor("float64", [], [a!]) };
    const result = await gradientOf(ode, { runtime, loss: mse(), gradient, fit, parameters });
    return { loss: result.loss, gradient: [...numbers(result.parameters.a!), ...numbers(result.y0)] };
  };
  const point = [1.2, ...exact(0)];
  const differences: number[] = [];
  for (const i of point.keys()) {
    const moved = (by: number) => point.map((value, k) => (k === i ? value + by : value));
    const [above, below] = [await at("direct", moved(1e-5)), await at("direct", moved(-1e-5))];
    differences.push((above.loss - below.loss) / 2e-5);
  }
  return {
    reversible: wanted.includes("reversible") ? (await at("reversible", point)).gradient : [],
    direct: (await at("direct", point)).gradient,
    differences,
  };
}

/** Expects the three gradients to agree. */
export async function expectGradients(
  runtime: Runtime,
  method: ReversibleMethod,
  problem: Problem,
): Promise<void> {
  const { reversible, direct, differences } = await gradientsOf(runtime, method, problem);
  // reconstruction is wrong by rounding, amplified over some twenty steps
  expect(distance(reversible, direct)).to.be.below(1e-10);
  // truncation, (1e-5)² times a third derivative, and rounding, 1e-16 / 1e-5
  expect(distance(direct, differences)).to.be.below(1e-8);
}

/** How often a step and its way back evaluate the field, counted in their graphs. */
export function countEvaluations(method: ReversibleMethod): { step: number; back: number } {
  const field: VectorField = {
    name: "counted",
    state: ["batch", 2],
    parameters: {},
    apply: (b, _theta, t, y) => tanh(b, add(b, y, t)),
  };
  const count = (outputs: (b: Builder, state: State, interval: Interval) => readonly (Value | null)[]) => {
    const b = new Builder();
    const [t0, t1, h] = ["t0", "t1", "h"].map((name) => b.input(name, "float64", [])) as [
      Value,
      Value,
      Value,
    ];
    const state = Array.from({ length: method.width }, (_, i) => b.input(`s${i}`, "float64", [1, 2]));
    const results = outputs(b, state as unknown as State, { t0, t1, h }).filter((value) => value !== null);
    const graph = b.graph(Object.fromEntries(results.map((value, i) => [`out${i}`, value])));
    return nodesOf(graph).filter(({ op }) => op === Tanh).length;
  };
  return {
    step: count((b, state, interval) => method.step(systemIn(b, field, {}), interval, state)),
    back: count((b, state, interval) => {
      const cotangents = state.map((_, i) => b.input(`bar${i}`, "float64", [1, 2]));
      const back = method.back(systemIn(b, field, {}), interval, state, cotangents);
      return [...back.state, ...back.cotangents];
    }),
  };
}

/** y(20) of y' = −y, y(0) = 1 in steps of 0.1, which is 2.06e−9. */
export async function decayed(runtime: Runtime, method: Method): Promise<number> {
  const ode = neuralOde({ field: decay, method, stepSize: 0.1 });
  const y0 = tensor("float64", [1, 1], [1]);
  return numbers((await solve(ode, { runtime, y0, t0: 0, saveAt: [20] })).ys)[0]!;
}
