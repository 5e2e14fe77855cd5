import type { Control } from "../control/control.js";
import { type FloatDType, numbers, sizeOf, type Tensor } from "../core/tensor.js";
import type { Tensors, VectorField } from "../fields/field.js";
import { readScalar } from "../gradients/evaluate.js";
import { type Accuracy, accuracyIn, solveAccurately } from "../integrate/accurate.js";
import { SolveError } from "../integrate/failures.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import type { Loss } from "../learning/losses.js";
import type { Method } from "../methods/method.js";
import { statesLossProgram } from "../programs/training.js";
import { compileProgram, uploadTree } from "../runtime/compile-program.js";
import { CompileError, type Runtime } from "../runtime/runtime.js";
import { type Trajectories, targetsOf } from "./data.js";

// A loss is that of a solver's steps. Whether it is that of the field as well, only another solver can tell.

/**
 * A fit held against its own field: the solution by the solver that trained it beside an accurate one, from the same
 * initial states.
 */
export interface FitCheck extends Accuracy {
  /** loss of the field itself, solved accurately; `null` if that solve does not get to its end */
  readonly loss: number | null;
  /** loss of the solver that trained it, at the same parameters; `null` if that does not get to its end with them */
  readonly trainedLoss: number | null;
  /**
   * The largest distance of the two solutions at the times of the data, in standard deviations of the component over
   * the data; `null` if either is missing.
   */
  readonly distance: number | null;
  /** where they are furthest apart */
  readonly furthest: Place | null;
  /** steps of the accurate solve */
  readonly steps: number | null;
  /** why one of the two does not get to its end; `null` if both do */
  readonly failure: string | null;
  /** what is unreliable about the fit, and what to do; `null` if the two agree */
  readonly warning: string | null;
}

interface Place {
  readonly time: number;
  readonly trajectory: number;
  readonly component: number;
}

/** Change of the loss, relative to it, past which the fit depends on the errors of its solver. */
export const lossTolerance = 0.1;
/** Distance, in standard deviations, that a plot shows. */
export const distanceTolerance = 0.05;

/**
 * Distance, in standard deviations, up to which two solutions are the same, however small the loss is that they are held
 * against: a loss is of squares, and squares of such a distance are below the tolerance of an accurate solve, 1e-9 of the
 * variance of the data ({@link accuracyIn}; 1e-5 in float32).
 */
export function negligibleDistance(dtype: FloatDType): number {
  return Math.sqrt(accuracyIn(dtype, 1).rtol);
}

/** Whether the loss changes by more than {@link lossTolerance}. Written so that a NaN counts as a change. */
export function changesLoss(loss: number, trainedLoss: number): boolean {
  return !(Math.abs(loss - trainedLoss) <= lossTolerance * trainedLoss);
}

/** Whether a fit depends on the errors of its solver: whether it is another by an accurate one. NaN counts as another. */
export function dependsOnSolver(
  { loss, trainedLoss, distance }: Readonly<Record<"loss" | "trainedLoss" | "distance", number>>,
  dtype: FloatDType,
): boolean {
  if (distance <= negligibleDistance(dtype)) return false;
  return !(distance <= distanceTolerance) || changesLoss(loss, trainedLoss);
}

export interface FitCheckOptions {
  readonly runtime: Runtime;
  readonly loss: Loss;
  readonly parameters: Tensors;
  /** initial states, where they were trained as well */
  readonly y0?: Tensor;
  /** how steps were chosen in training, where they were */
  readonly control?: Control;
}

/**
 * Solves a trained field accurately ({@link solveAccurately}), and compares loss and states with those of the solver
 * that trained it.
 */
export async function checkFit(
  ode: NeuralOde,
  data: Trajectories,
  { runtime, loss, parameters, y0 = data.y0, control }: FitCheckOptions,
): Promise<FitCheck> {
  const request = { runtime, parameters, y0, t0: data.t0, saveAt: data.times };
  const scale = spreadOf(ode.field, data.observations).reduce((least, each) => Math.min(least, each));
  const trained = await endOf(() => solve(ode, { ...request, ...(control && { control }) }));
  const accurate = await endOf(() => solveAccurately(ode, { ...request, scale }));
  const lossOf = (states: Tensor | undefined) =>
    states === undefined ? null : lossOfStates(runtime, loss, data, states);
  const [trainedLoss, ownLoss] = [await lossOf(trained.value?.ys), await lossOf(accurate.value?.ys)];
  const about = {
    ...(accurate.value?.accuracy ?? accuracyIn("float64", scale)),
    loss: ownLoss,
    trainedLoss,
    steps: accurate.value?.accepted ?? null,
  };
  if (trained.value === null || accurate.value === null) {
    const failure = (trained.failure ?? accurate.failure)!;
    const warning = trained.value === null ? lastUpdateWarning(failure) : unknownWarning(ode.method, failure);
    return { ...about, distance: null, furthest: null, failure, warning };
  }
  const solutions = [trained.value.ys, accurate.value.ys] as const;
  const spread = spreadOf(ode.field, data.observations, solutions[1]);
  const { distance, furthest } = largestDistance(...solutions, data.times, spread);
  const difference = { loss: ownLoss!, trainedLoss: trainedLoss!, distance, time: furthest.time };
  const depends = dependsOnSolver(difference, ode.dtype);
  const warning = depends ? differenceWarning(ode.method, difference) : null;
  return { ...about, distance, furthest, failure: null, warning };
}

/** What a solve gives, or the sentence in which it fails. */
async function endOf<T>(work: () => Promise<T>): Promise<{ value: T | null; failure: string | null }> {
  try {
    return { value: await work(), failure: null };
  } catch (error) {
    // a runtime without loops of unknown length has no solves that choose their steps
    if (!(error instanceof SolveError || error instanceof CompileError)) throw error;
    return { value: null, failure: error.message };
  }
}

interface Difference {
  readonly loss: number;
  readonly trainedLoss: number;
  readonly distance: number;
  readonly time: number;
}

function differenceWarning(method: Method, { loss, trainedLoss, distance, time }: Difference): string {
  const remedy =
    method.companion === undefined
      ? "Train with smaller steps, a method of higher order, or steps chosen by a tolerance."
      : 'Train by backprop through a base method (gradient "direct"), or with smaller steps' +
        (method.coupling === null ? "." : ", or with a smaller λ.");
  return (
    `The fit depends on the errors of the solver that trained it: the loss is ${show(trainedLoss)} with ${shown(method)}, but ` +
    `${show(loss)} where the trained field is solved accurately, and the two solutions are up to ${show(distance)} standard ` +
    `deviations apart (at t = ${show(time)}). Other solvers, and the exported field, give the second. ${remedy}`
  );
}

function unknownWarning(method: Method, failure: string): string {
  return (
    "The trained field could not be solved accurately, so it is not known whether the fit is the field's or depends " +
    `on the errors of ${shown(method)}. ${failure}`
  );
}

function lastUpdateWarning(failure: string): string {
  return (
    "The last update led to parameters with which the solver that trained them does not get to its end. Take the " +
    `parameters with the lowest loss, or a smaller learning rate. ${failure}`
  );
}

function shown({ name, coupling }: Method): string {
  return coupling === null ? name : `${name}, coupled with λ = ${coupling}`;
}

function show(x: number): string {
  return String(Number(x.toPrecision(3)));
}

/** The loss of states at the times of the data, in the dtype of the states. */
async function lossOfStates(
  runtime: Runtime,
  loss: Loss,
  data: Trajectories,
  states: Tensor,
): Promise<number> {
  const dtype = states.dtype as FloatDType;
  const [saves, ...state] = states.shape as [number, ...number[]];
  const shaped = {
    ...data,
    y0: { ...data.y0, shape: state },
    observations: { ...data.observations, shape: states.shape },
  };
  const { target, weight } = targetsOf(shaped, dtype);
  const program = statesLossProgram({ dtype, state, saves, loss, weighted: weight !== null });
  const compiled = await compileProgram(runtime, program);
  try {
    const results = await compiled.run(uploadTree(runtime, { ys: states, data: { target, weight } }));
    return await readScalar(runtime, results.loss);
  } finally {
    await compiled.release();
  }
}

/**
 * Standard deviation of each component over times and trajectories; of a constant one its size, or 1.
 *
 * @param instead  states to take a component's spread from where it was never observed
 */
function spreadOf({ state }: Pick<VectorField, "state">, observations: Tensor, instead?: Tensor): number[] {
  const size = sizeOf(typeof state[0] === "string" ? (state.slice(1) as number[]) : (state as number[]));
  const of = (values: readonly number[], component: number) =>
    Array.from({ length: values.length / size }, (_, row) => values[row * size + component]!).filter(
      (value) => !Number.isNaN(value),
    );
  const [observed, others] = [numbers(observations), instead === undefined ? [] : numbers(instead)];
  return Array.from({ length: size }, (_, component) => {
    const seen = of(observed, component);
    return standardDeviation(seen.length > 0 ? seen : of(others, component));
  });
}

/** The standard deviation of values; their size where they are all the same, and 1 where that is 0. */
function standardDeviation(values: readonly number[]): number {
  // in units of the largest, so that squares stay among the numbers
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const mean = values.reduce((sum, value) => sum + value / largest, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value / largest - mean) ** 2, 0) / values.length;
  // rounding alone makes the values of a constant component differ from their mean
  return (variance > 1e-24 ? Math.sqrt(variance) : 1) * largest;
}

/** Where two solutions are furthest apart, in units of the spread of each component. */
function largestDistance(
  a: Tensor,
  b: Tensor,
  times: readonly number[],
  spread: readonly number[],
): { distance: number; furthest: Place } {
  const [one, other] = [numbers(a), numbers(b)];
  let [distance, at] = [0, 0];
  for (let i = 0; i < one.length; i++) {
    const apart = Math.abs(one[i]! - other[i]!) / spread[i % spread.length]!;
    if (apart > distance) [distance, at] = [apart, i];
  }
  const perTime = one.length / times.length;
  return {
    distance,
    furthest: {
      time: times[Math.floor(at / perTime)]!,
      trajectory: Math.floor((at % perTime) / spread.length),
      component: at % spread.length,
    },
  };
}
