import { pullback } from "../autodiff/vjp.js";
import { Builder } from "../graph/builder.js";
import type { Graph, Value } from "../graph/graph.js";
import type { Loss } from "../learning/losses.js";
import type { Optimiser } from "../learning/optimisers.js";
import { add, div, mul } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { sqrt } from "../ops/elementwise.js";
import { minimum } from "../ops/extrema.js";
import { timesName } from "./backward-names.js";
import { shareInputs } from "./backward-step.js";
import { differentiableSolve, type GraphGradient } from "./gradient.js";
import { type Setting, solveInputs } from "./inputs.js";
import {
  dataName,
  gradientName,
  gradientNormName,
  learningRateName,
  lossName,
  memoryName,
  nextName,
  parameterName,
  reconstructedName,
  updateCountName,
  y0Name,
} from "./names.js";
import { solve } from "./solve.js";

export interface LossSetting extends Setting {
  readonly loss: Loss;
  /** whether the data come with weights (missing observations) */
  readonly weighted: boolean;
  /** whether the gradient of the times is wanted too */
  readonly times?: boolean;
}

export function lossInputs(
  b: Builder,
  { dtype, state, saves, weighted }: LossSetting,
): { target: Value; weight: Value | null } {
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

/**
 * The graph of a loss and its whole gradient: parameters, y0, grid and data in; the loss, the gradient of each
 * parameter, of y0 and, where it is wanted, of the times, and (by reconstruction) y0 as it comes back out.
 *
 * @throws {GradientMethodError} if the method of the setting cannot be differentiated this way
 */
export function gradientProgram(setting: LossSetting, gradient: GraphGradient): Graph {
  const b = new Builder();
  const inputs = { ...solveInputs(b, setting), shares: shareInputs(b, setting, setting.times ?? false) };
  const { target, weight } = lossInputs(b, setting);
  const { ys, pull } = differentiableSolve(b, gradient, setting, inputs);
  const loss = setting.loss.apply(b, ys, target, weight);
  const [cotangent] = pullback(b, [loss], [b.scalar(setting.dtype, 1)], [ys]);
  const { y0, parameters, times, reconstructed } = pull(cotangent!);
  return b.graph(
    {
      [lossName]: loss,
      [gradientName(y0Name)]: y0,
      ...Object.fromEntries(
        Object.keys(inputs.parameters).map((name, i) => [gradientName(parameterName(name)), parameters[i]!]),
      ),
      ...(times === null ? {} : { [gradientName(timesName)]: times }),
      ...(reconstructed === null ? {} : { [reconstructedName]: reconstructed }),
    },
    "gradient",
  );
}

export interface UpdateSetting {
  readonly optimiser: Optimiser;
  /** shapes of what is trained, by name */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly dtype: Setting["dtype"];
  /** largest norm of the whole gradient; it is scaled down to it */
  readonly clip: number | null;
}

/**
 * The graph of one update: parameters, gradients and the optimiser's memory in, the next ones out, with the norm of
 * the whole gradient ‖g‖ = √Σ g².
 */
export function updateProgram({ optimiser, shapes, dtype, clip }: UpdateSetting): Graph {
  const b = new Builder();
  const learningRate = b.input(learningRateName, dtype, []);
  const count = b.input(updateCountName, dtype, []);
  const entries = Object.entries(shapes).map(([name, shape]) => ({
    name,
    parameter: b.input(name, dtype, shape),
    gradient: b.input(gradientName(name), dtype, shape),
    memory: Object.fromEntries(
      optimiser.memory.map((part) => [part, b.input(memoryName(part, name), dtype, shape)] as const),
    ),
  }));
  const norm = sqrt(
    b,
    entries
      .map(({ gradient }) => reduceSum(b, mul(b, gradient, gradient)))
      .reduce((sum, term) => add(b, sum, term)),
  );
  // min(1, c / ‖g‖)
  const scale =
    clip === null ? null : minimum(b, b.scalar(dtype, 1), div(b, clip, add(b, norm, tiny(dtype))));
  const outputs: Record<string, Value> = { [gradientNormName]: norm };
  for (const { name, parameter, gradient, memory } of entries) {
    const clipped = scale === null ? gradient : mul(b, gradient, scale);
    const next = optimiser.update(b, { parameter, gradient: clipped, memory, learningRate, count });
    outputs[nextName(name)] = next.parameter;
    for (const part of optimiser.memory) outputs[nextName(memoryName(part, name))] = next.memory[part]!;
  }
  return b.graph(outputs, "update");
}

/** What keeps a zero gradient from dividing by zero. */
function tiny(dtype: Setting["dtype"]): number {
  return dtype === "float64" ? 1e-300 : 1e-30;
}
