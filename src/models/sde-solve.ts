import { type AdjointSpec, chainMethodOf } from "../chains/adjoints.js";
import type { Chain, Link } from "../chains/chain.js";
import { runChain } from "../chains/run-chain.js";
import { GradientMethodError } from "../chains/syntax.js";
import { checkOptions, OptionError } from "../core/options.js";
import { isFloat, ShapeError, showShape, tensor } from "../core/tensor.js";
import { mapLeaves } from "../core/tree.js";
import type { Values } from "../fields/field.js";
import { guardedGradient } from "../gradients/reconstruction-limit.js";
import { storedCloser } from "../gradients/stored-closer.js";
import type { Builder } from "../graph/builder.js";
import { type Shape, sameShape, showType, type Value } from "../graph/graph.js";
import type { NeuralSde } from "../integrate/neural-sde.js";
import type { State } from "../methods/method.js";
import type { DrivenStep } from "../methods/sde-method.js";
import type { SolvesInTraining, Training } from "../nn/layer.js";
import { add, mul } from "../ops/arithmetic.js";
import { cast, unsqueeze } from "../ops/reshape.js";
import { concat, gather } from "../ops/slicing.js";
import { type Grid, gridThrough, stepsOf, TimeError } from "../programs/grid.js";
import { BrownianError, keysOfPaths } from "../systems/brownian.js";
import { checkTheta } from "./ode-solve.js";

interface CommonOptions {
  /** θ of drift and diffusion by name, and whatever else they read, as a context of each sample: all of it is differentiated */
  readonly theta: Values;
  /** state at t0, [batch, dim] */
  readonly y0: Value;
  readonly t0: number;
  /** times of the states that come out, increasing from t0 on */
  readonly times: readonly number[];
  /** "reversible" by default where the method can be undone, else "checkpoint" */
  readonly gradient?: AdjointSpec | "auto";
  /** what the model is told that it is in: states are stored closer where a training has lost them */
  readonly training?: SolvesInTraining | null;
}

/** What drives a solve: noise by keys, or increments of a path that is given. */
type Driver =
  | {
      /**
       * what the noise is a function of, whole numbers, int64: one for all paths, which then differ by their place in the
       * batch; or one for each, [batch]. In training, {@link drawKeys} has new ones for each update
       */
      readonly key: Value;
      readonly increments?: undefined;
    }
  | {
      readonly key?: undefined;
      /**
       * X(t1) − X(t0) over each step in place of ΔW, [steps, batch, m], differentiated like the rest: the equation then is
       * controlled by a path of data, dy = f dt + g dX
       */
      readonly increments: Value;
    };

export type SdeSolveOptions = CommonOptions & Driver;

const optionNames = {
  ...{ theta: true, y0: true, t0: true, times: true, gradient: true, training: true },
  ...{ key: true, increments: true },
} satisfies Record<keyof SdeSolveOptions, true>;

const elsewhere = {
  ...{ saveAt: "times of the states that come out are times", t1: "it is in times" },
  ...{ seed: "it is the key, an int64 value of the graph", method: "it belongs to neuralSde" },
  ...{ stepSize: "it belongs to neuralSde", brownian: "it belongs to neuralSde" },
};

/** What all steps read; no keys where increments are given. */
interface Shared {
  readonly theta: Values;
  readonly keys: Value | null;
}

/** What a step reads for itself: its increment, where it is given. */
type Row = { readonly dW: Value } | null;

/**
 * A solve of dy = f(t, y; θ) dt + g(t, y; θ) dW as a part of a model: the states at given times, [times, batch, dim], from a
 * state, parameters and a key that are values of the graph. The way back finds the noise again from the key, the same to the
 * bit; states are undone, stored or taken again, by the gradient that is asked for.
 *
 * @throws {OptionError} for an option that there is not, or neither key nor increments, or both
 * @throws {ParameterError} if a parameter of the equation is missing
 * @throws {TimeError} for times that do not increase from t0 on
 * @throws {GradientMethodError} if the method cannot be differentiated so
 * @throws {ShapeError} for a state of another shape
 * @throws {BrownianError} for keys or increments that do not fit the paths, or times that a Brownian tree does not reach
 */
export function sdeSolve(b: Builder, equation: NeuralSde, options: SdeSolveOptions): Value {
  const { sde, brownian, stepSize } = equation;
  checkOptions("sdeSolve", options, optionNames, elsewhere);
  if ((options.key === undefined) === (options.increments === undefined)) {
    throw new OptionError(
      `A solve of "${sde.name}" is driven by noise of a key, or by increments that are given: give one of the two.`,
    );
  }
  const { theta, y0, t0, times } = options;
  checkTheta(sde.name, Object.keys(sde.parameters), theta);
  checkStart(equation, y0);
  const backwards = times.find((time, i) => time < (times[i - 1] ?? t0));
  if (backwards !== undefined) {
    throw new TimeError(`An SDE is solved forwards in time, but ${backwards} comes before what precedes it.`);
  }
  const grid = gridThrough(t0, times, stepSize);
  const steps = stepsOf(grid);
  const adjoint = adjointOf(equation, options, steps);
  if (options.increments === undefined) {
    // the same in both where noise is additive
    brownian.check(grid.times, sde.noise === "additive" ? "stratonovich" : equation.method.calculus);
  } else checkIncrements(equation, options.increments, [steps, y0.shape[0]!, sde.motions]);
  const keys = options.key === undefined ? null : keysOfPaths(b, options.key, y0.shape[0]!);
  const rows: Row = options.increments === undefined ? null : { dW: options.increments };
  const places = grid.offsets.slice(1);
  // a loop that saves each step needs no other one around it
  const everyStep =
    places.at(-1) === steps && places.filter((place) => place > 0).every((place, i) => place === i + 1);
  const { saved } = runChain(
    b,
    chainOf(equation, grid),
    { start: equation.method.start(y0), shared: { theta, keys }, rows, steps },
    { adjoint, save: everyStep ? "every" : places },
  );
  const states = saved[0]!;
  const atStart = everyStep ? places.filter((place) => place === 0).map(() => unsqueeze(b, y0, [0])) : [];
  if (atStart.length === 0) return states;
  return steps === 0 ? concat(b, atStart, 0) : concat(b, [...atStart, states], 0);
}

/** The steps of a solve as a chain: step i reads its times from a table, and its noise from the keys. */
function chainOf({ sde, method, brownian, dtype }: NeuralSde, { times }: Grid): Chain<State, Shared, Row> {
  const starts = tensor(dtype, [times.length], times);
  const lengths = tensor(
    dtype,
    [times.length - 1],
    times.slice(1).map((time, i) => time - times[i]!),
  );
  const stepOf = (b: Builder, { i, shared: { theta, keys }, row }: Link<Shared, Row>): DrivenStep => {
    const at = (place: Value) => gather(b, b.constant(starts), place);
    const [t0, t1] = [at(i), at(add(b, i, b.scalar("int64", 1)))];
    const h = gather(b, b.constant(lengths), i);
    const dW = row?.dW ?? brownian.increment(b, { i, t0, t1, h, keys: keys!, motions: sde.motions, dtype });
    return {
      ...{ b, t0, t1, h, dW, noise: sde.noise },
      drift: (t, y) => sde.drift(b, theta, t, y),
      diffusion: (t, y) => sde.diffusion(b, theta, t, y),
      diffuse: (t, y, w) => sde.diffuse(b, theta, t, y, w),
      parameters: [
        ...Object.values(theta).filter(({ dtype: own }) => isFloat(own)),
        ...(row ? [row.dW] : []),
      ],
    };
  };
  const { undo, back } = method;
  return {
    name: `SDE ${sde.name}`,
    report: ([y]) => y,
    step: (b, link, before) => method.step(stepOf(b, link), before),
    ...(undo && { undo: (b, link, after) => undo.call(method, stepOf(b, link), after) }),
    ...(back && {
      back(b, link, after, cotangents) {
        const step = stepOf(b, link);
        const {
          state,
          cotangents: before,
          parameters,
        } = back.call(method, step, after, cotangents as readonly (Value | null)[]);
        const found = new Map(step.parameters.map((value, k) => [value, parameters[k] ?? null]));
        const of = (tree: unknown) => mapLeaves(tree, (leaf) => found.get(leaf as Value) ?? null) as never;
        return { before: state, cotangents: before as never, shared: of(link.shared), row: of(link.row) };
      },
    }),
  };
}

/** How a solve is differentiated. @throws {GradientMethodError} */
function adjointOf(
  { sde, method, dtype }: NeuralSde,
  { gradient = "auto", training = null }: SdeSolveOptions,
  steps: number,
): AdjointSpec {
  const canUndo = method.undo !== undefined;
  const asked = chainMethodOf(gradient === "auto" ? (canUndo ? "reversible" : "checkpoint") : gradient);
  if (asked.kind !== "reversible") return asked;
  if (!canUndo) {
    throw new GradientMethodError(
      `The steps of "${method.name}" cannot be undone, so a solve of "${sde.name}" by it has no reversible gradient. ` +
        `Take ${method.calculus === "ito" ? "" : '"reversible-heun", couple it (sdeMethodNamed("heun", { coupling: 0.999 })), or '}` +
        'the gradient "checkpoint" or "direct".',
    );
  }
  const guarded = guardedGradient(asked, method, dtype, steps).gradient;
  return storedCloser({ method, dtype }, guarded, steps, training) as AdjointSpec;
}

/** @throws {ShapeError} */
function checkStart({ sde, dtype }: NeuralSde, y0: Value): void {
  if (y0.dtype === dtype && y0.shape.length === 2 && y0.shape[1] === sde.dim) return;
  throw new ShapeError(
    `The states of "${sde.name}" are ${dtype} [batch, ${sde.dim}], but y0 is ${showType(y0)}.`,
  );
}

/** @throws {BrownianError} */
function checkIncrements({ sde, dtype }: NeuralSde, increments: Value, shape: Shape): void {
  if (increments.dtype === dtype && sameShape(increments.shape, shape)) return;
  throw new BrownianError(
    `The steps of this solve of "${sde.name}" take increments ${dtype}${showShape(shape)}, one for each step, path and ` +
      `motion, but ${showType(increments)} was given.`,
  );
}

/** Keys of so many paths that are other ones in each update, int64 [batch]. */
export function drawKeys(b: Builder, training: Training, batch: number): Value {
  const word = () => cast(b, mul(b, training.uniform(b, [batch]), 2 ** 24), "int64");
  return add(b, mul(b, word(), b.scalar("int64", 2 ** 24)), word());
}
