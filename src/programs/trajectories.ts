import type { Value } from "../graph/graph.js";
import { reduceSum } from "../ops/broadcast.js";
import { adjointNamed, type GraphGradient } from "./adjoints.js";
import { gridTypes, parameterTypes } from "./inputs.js";
import { type Objective, type Observation, sampledType } from "./objective.js";
import { scheduleTypes } from "./schedule.js";
import { type LossSetting, lossGradient } from "./training.js";

/** What fitting trajectories is made for: a solve, a loss of its states, and the way back. */
export interface TrajectoriesSetting extends LossSetting {
  readonly gradient: GraphGradient;
  /** whether the initial states are trained as well */
  readonly trainY0: boolean;
}

/**
 * The objective of fitting an equation to trajectories: a loss of the states at the times of the data. Where the solve steps
 * goes in with the rest, so that other steps need no other graph.
 *
 * @throws {GradientMethodError} if the method of the setting cannot be differentiated this way
 */
export function trajectories(setting: TrajectoriesSetting) {
  const { field, method, dtype, state, saves, weighted, gradient, trainY0 } = setting;
  const observations = sampledType(dtype, [saves, ...state], 1);
  const schedule = scheduleTypes(setting, gradient);
  const trained = {
    parameters: parameterTypes(setting),
    ...(trainY0 ? { y0: sampledType(dtype, state, 0) } : {}),
  };
  const data = {
    ...(trainY0 ? {} : { y0: sampledType(dtype, state, 0) }),
    data: { target: observations, weight: weighted ? observations : null },
  };
  const setup = { ...gridTypes(setting), schedule };
  const objective: Objective<typeof trained, Record<never, never>, typeof data, typeof setup> = {
    ...{ name: field.name, dtype, trained, buffers: {}, data, setup, draws: false },
    observes: [
      ...(adjointNamed(gradient).undoes ? ["reconstructionError" as const] : []),
      ...(method.companion === undefined ? [] : ["drift" as const]),
    ] satisfies Observation[],
    descent(b, inputs) {
      const { parameters } = inputs.trained;
      const y0 = inputs.trained.y0 ?? inputs.data.y0!;
      const { schedule, ...grid } = inputs.setup;
      const given = { parameters, y0, grid, schedule, shares: null };
      const found = lossGradient(b, setting, gradient, given, inputs.data.data);
      const { loss, drift, reconstructionError } = found;
      return {
        ...{ loss, buffers: {} },
        observed: {
          ...(reconstructionError === null ? {} : { reconstructionError }),
          ...(drift === null ? {} : { drift }),
        },
        gradients: { parameters: found.parameters, ...(trainY0 ? { y0: found.y0 } : {}) },
      };
    },
    ...(weighted ? { weigh: (b, { data: { weight } }) => reduceSum(b, weight as Value) } : {}),
  };
  return objective;
}
