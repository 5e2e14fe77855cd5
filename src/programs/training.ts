import { pullback } from "../autodiff/vjp.js";
import type { Values } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import type { Graph, Value } from "../graph/graph.js";
import type { Loss } from "../learning/losses.js";
import { zerosLike } from "../ops/generate.js";
import type { GraphGradient } from "./adjoints.js";
import { arrivingName, timesName } from "./backward-names.js";
import { differentiableSolve } from "./differentiable-solve.js";
import { type Setting, solveInputs } from "./inputs.js";
import {
  dataName,
  gradientName,
  lossName,
  parameterName,
  reconstructedName,
  watchNames,
  y0Name,
  ysName,
} from "./names.js";
import { inputType, programOf } from "./program.js";
import { scheduleInputs } from "./schedule.js";
import { solve } from "./solve.js";
import { type BackwardInputs, type SolveCotangents, shareInputs } from "./solve-adjoint.js";

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

export function lossInputs(
  b: Builder,
  { dtype, state, saves, weighted }: Pick<LossSetting, "dtype" | "state" | "saves" | "weighted">,
): LossData {
  const shape = [saves, ...state];
  return {
    target: b.input(dataName("target"), dtype, shape),
    weight: weighted ? b.input(dataName("weight"), dtype, shape) : null,
  };
}

/** The graph of the loss alone: parameters, y0, grid and data in, the loss out. */
export function lossProgram(setting: LossSetting): Graph {
  const b = new Builder();
  const inputs = solveInputs(b, setting);
  const { target, weight } = lossInputs(b, setting);
  const { ys } = solve(b, setting, inputs);
  return b.graph({ [lossName]: setting.loss.apply(b, ys, target, weight) }, "loss");
}

/** The graph from states at the saves to their loss, whatever solved for them. */
export function statesLossProgram(setting: Omit<LossSetting, "field" | "method" | "everyStep">) {
  const { dtype, state, saves, loss } = setting;
  const inputs = { ys: inputType(dtype, [saves, ...state]), data: lossTypes(setting) };
  return programOf("loss", inputs, (b, { ys, data: { target, weight } }) => ({
    loss: loss.apply(b, ys, target, weight),
  }));
}

/** The graph from states at the saves to the loss and their cotangents, for a gradient between whose runs steps are chosen. */
export function arrivingProgram(setting: LossSetting): Graph {
  const b = new Builder();
  const { dtype, state, saves, loss } = setting;
  const ys = b.input(ysName, dtype, [saves, ...state]);
  const { target, weight } = lossInputs(b, setting);
  const value = loss.apply(b, ys, target, weight);
  return b.graph({ [lossName]: value, [arrivingName]: cotangentOf(b, value, ys) }, "loss");
}

/**
 * The graph of a loss and its whole gradient: parameters, y0, grid and data in; the loss, the gradient of each
 * parameter, of y0 and, where it is wanted, of the times, and (by reconstruction) y0 as it comes back out.
 *
 * @throws {GradientMethodError} if the method of the setting cannot be differentiated this way
 */
export function gradientProgram(setting: LossSetting, gradient: GraphGradient): Graph {
  const b = new Builder();
  const { times = false } = setting;
  const inputs = {
    ...solveInputs(b, setting),
    shares: shareInputs(b, setting, times),
    schedule: scheduleInputs(b, setting, gradient),
  };
  const found = lossGradient(b, setting, gradient, inputs, lossInputs(b, setting));
  return b.graph(
    {
      [lossName]: found.loss,
      [gradientName(y0Name)]: found.y0,
      ...Object.fromEntries(
        Object.entries(found.parameters).map(([name, value]) => [gradientName(parameterName(name)), value]),
      ),
      ...(found.times === null ? {} : { [gradientName(timesName)]: found.times }),
      ...(found.reconstructed === null ? {} : { [reconstructedName]: found.reconstructed }),
      ...watchOutputs(found),
    },
    "gradient",
  );
}

/** What a gradient tells of itself, as outputs. */
export function watchOutputs({ drift, reconstructionError }: LossWatch): Record<string, Value> {
  return {
    ...(drift === null ? {} : { [watchNames.drift]: drift }),
    ...(reconstructionError === null ? {} : { [watchNames.reconstructionError]: reconstructionError }),
  };
}

/** What a gradient tells of itself, as far as its method has it. */
export type LossWatch = Pick<LossGradient, "drift" | "reconstructionError">;

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
