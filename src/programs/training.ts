import { pullback } from "../autodiff/vjp.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Loss } from "../learning/losses.js";
import { zerosLike } from "../ops/generate.js";
import type { GraphGradient } from "./adjoints.js";
import { differentiableSolve } from "./differentiable-solve.js";
import { type Setting, solveTypes } from "./inputs.js";
import { inputType, programOf } from "./program.js";
import { scheduleTypes } from "./schedule.js";
import { solve } from "./solve.js";
import { type BackwardInputs, type SolveCotangents, shareTypes } from "./solve-adjoint.js";

export interface LossSetting extends Setting {
  readonly loss: Loss;
  /** whether the data come with weights (missing observations) */
  readonly weighted: boolean;
  /** whether the gradient of the times is wanted too */
  readonly times?: boolean;
}

/** What the states at the save times are held against, as values. */
export interface LossData {
  readonly target: Value;
  readonly weight: Value | null;
}

/** The types of what states are held against. */
export function lossTypes({
  dtype,
  state,
  saves,
  weighted,
}: Pick<LossSetting, "dtype" | "state" | "saves" | "weighted">) {
  const type = inputType(dtype, [saves, ...state]);
  return { target: type, weight: weighted ? type : null };
}

/** The program of the loss alone: parameters, y0, grid and data in, the loss out. */
export function lossProgram(setting: LossSetting) {
  const inputs = { ...solveTypes(setting), data: lossTypes(setting) };
  return programOf("loss", inputs, (b, { parameters, y0, data: { target, weight }, ...grid }) => {
    const { ys } = solve(b, setting, { parameters, y0, grid });
    return { loss: setting.loss.apply(b, ys, target, weight) };
  });
}

/** The graph from states at the saves to their loss, whatever solved for them. */
export function statesLossProgram(setting: Omit<LossSetting, "field" | "method" | "everyStep">) {
  const { dtype, state, saves, loss } = setting;
  const inputs = { ys: inputType(dtype, [saves, ...state]), data: lossTypes(setting) };
  return programOf("loss", inputs, (b, { ys, data: { target, weight } }) => ({
    loss: loss.apply(b, ys, target, weight),
  }));
}

/** The program from states at the saves to the loss and their cotangents, for a gradient between whose runs steps are chosen. */
export function arrivingProgram(setting: LossSetting) {
  const { dtype, state, saves, loss } = setting;
  const inputs = { ys: inputType(dtype, [saves, ...state]), data: lossTypes(setting) };
  return programOf("loss", inputs, (b, { ys, data: { target, weight } }) => {
    const value = loss.apply(b, ys, target, weight);
    return { loss: value, arriving: cotangentOf(b, value, ys) };
  });
}

/**
 * The program of a loss and its whole gradient: parameters, y0, grid and data in; the loss, the gradient of each
 * parameter, of y0 and, where it is wanted, of the times, and (by reconstruction) y0 as it comes back out.
 *
 * @throws {GradientMethodError} if the method of the setting cannot be differentiated this way
 */
export function gradientProgram(setting: LossSetting, gradient: GraphGradient) {
  const inputs = {
    ...solveTypes(setting),
    shares: shareTypes(setting, setting.times ?? false),
    schedule: scheduleTypes(setting, gradient),
    data: lossTypes(setting),
  };
  return programOf("gradient", inputs, (b, { parameters, y0, shares, schedule, data, ...grid }) => {
    const solveIn = { parameters, y0, grid, shares, schedule };
    const { loss, times, ...found } = lossGradient(b, setting, gradient, solveIn, data);
    return {
      loss,
      gradients: { y0: found.y0, parameters: found.parameters, times },
      reconstructed: found.reconstructed,
      reconstructionError: found.reconstructionError,
      drift: found.drift,
    };
  });
}

/** A loss of a solve, and its gradients. */
export interface LossGradient extends Omit<SolveCotangents, "parameters"> {
  readonly loss: Value;
  /** how far the companion of y has drifted off, over the size of y; `null` for a method without one */
  readonly drift: Value | null;
  /** by the names that the field has for them */
  readonly parameters: Values;
}

/**
 * A solve, the loss of what it saves, and the way back.
 *
 * @throws {GradientMethodError} if the method of the setting cannot be differentiated this way
 */
export function lossGradient(
  b: Builder,
  setting: LossSetting,
  gradient: GraphGradient,
  inputs: BackwardInputs,
  { target, weight }: LossData,
): LossGradient {
  const { ys, drift, pull } = differentiableSolve(b, gradient, setting, inputs);
  const loss = setting.loss.apply(b, ys, target, weight);
  const { parameters, ...rest } = pull(cotangentOf(b, loss, ys));
  const names = Object.keys(inputs.parameters);
  return {
    ...rest,
    loss,
    drift,
    parameters: Object.fromEntries(names.map((name, i) => [name, parameters[i]!])),
  };
}

/** ∂L/∂y at the saves. */
function cotangentOf(b: Builder, loss: Value, ys: Value): Value {
  const [cotangent] = pullback(b, [loss], [b.scalar(loss.dtype, 1)], [ys]);
  return cotangent ?? zerosLike(b, ys);
}
