import { checkOptions, OptionError } from "../core/options.js";
import type { Tensor } from "../core/tensor.js";
import { type ArrayShapes, argumentName, type Each, type RecordField } from "../fields/record-field.js";
import { gridOfTimes } from "../gradients/differentiator.js";
import type * as strict from "../gradients/evaluate.js";
import { gradientOf } from "../gradients/evaluate.js";
import type { GradientRequest } from "../gradients/method.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkParameters, ownSteps } from "../integrate/solve.js";
import { type Loss, type losses, mse } from "../learning/losses.js";
import { isReversible } from "../methods/method.js";
import { gridThrough } from "../programs/grid.js";
import type { Runtime } from "../runtime/runtime.js";
import { targetsOf } from "../train/data.js";
import { type ParametersLike, parametersOf } from "./equation.js";
import type { ObservationsLike } from "./given.js";
import { type ArgsOption, type EachLike, separated, withArgs } from "./records.js";
import { checkControl, equationNames } from "./solving.js";
import { lossOf, type Trajectories, trajectoriesOf } from "./training.js";

// What `gradientOf` and `differentiator` take.

/** What {@link differentiator} takes. */
export interface DifferentiatorOptions
  extends Omit<strict.DifferentiatorOptions, "runtime" | "loss" | "gradient" | "fit"> {
  /** where graphs run; in Node jit or ort-cpu by the size of each graph, in a browser jit, unless one is given */
  readonly runtime?: Runtime;
  /** mse by default */
  readonly loss?: Loss | keyof typeof losses;
  /** "reversible" by default where the method can be undone, else "direct"; "auto" chooses by what is at stake */
  readonly gradient?: GradientRequest;
  /** what the loss is taken on: trajectories as `train` takes them, or the steps themselves with targets */
  readonly fit: strict.Fit | Trajectories;
}

/** What {@link gradientOf} takes. */
export interface GradientOptions extends DifferentiatorOptions {
  /** where the gradient is taken; drawn from the seed where not given */
  readonly parameters?: ParametersLike;
  /** of the parameters, where none are given; 0 by default */
  readonly seed?: number;
}

/** What {@link gradientOf} takes for a field on a record of arrays. */
export type RecordGradientOptions<S extends ArrayShapes, A extends ArrayShapes> = Omit<
  GradientOptions,
  "fit"
> & {
  readonly fit: Omit<Trajectories, "y0" | "observations"> & {
    readonly y0: EachLike<S>;
    readonly observations: Each<S, ObservationsLike>;
  } & ArgsOption<A>;
};

/** The gradients there: of each array of the initial state and of the args, by name. */
export interface RecordGradients<S extends ArrayShapes, A extends ArrayShapes>
  extends Omit<strict.Gradients, "y0" | "reconstructed"> {
  readonly y0: Each<S, Tensor>;
  readonly args: Each<A, Tensor>;
  readonly reconstructed: Each<S, Tensor> | null;
}

const differentiatorNames = {
  ...{ runtime: true, loss: true, gradient: true, fit: true, control: true, times: true },
  ...{ memoryBudget: true, guarded: true },
} satisfies Record<keyof DifferentiatorOptions, true>;
const gradientNames = { ...differentiatorNames, parameters: true, seed: true } satisfies Record<
  keyof GradientOptions,
  true
>;
const elsewhere = {
  ...{ data: "say fit: { t0, times, y0, observations }", y0: "say fit: { t0, times, y0, observations }" },
  ...{ t0: "say fit: { t0, times, y0, observations }", adjoint: "say gradient", method: "say gradient" },
};

/** @throws {OptionError} for what makes no sense, by name */
export function checkGradientOptions(
  of: "gradientOf" | "differentiator",
  given: unknown,
  isBare: boolean,
): void {
  const own = of === "gradientOf" ? gradientNames : differentiatorNames;
  checkOptions(of, given, isBare ? { ...own, ...equationNames } : own, elsewhere);
  const { fit, control } = given as Partial<GradientOptions>;
  if (fit === undefined) {
    throw new OptionError(`${of} needs what the loss is taken on, fit: { t0, times, y0, observations }.`);
  }
  checkControl(of, control);
}

/**
 * Loss and gradients for a field on a record of arrays.
 *
 * @throws {OptionError | ShapeError} for arrays that do not fit, by name
 */
export async function recordGradientOf(
  ode: NeuralOde,
  field: RecordField,
  { fit, ...options }: GradientOptions,
  runtime: Runtime,
): Promise<RecordGradients<ArrayShapes, ArrayShapes>> {
  const { args, ...data } = fit as Trajectories & { readonly args?: unknown };
  const given = differentiatorOptionsOf(ode, { ...options, fit: data }, runtime);
  const { equation, own } = withArgs(ode, field, given.fit.y0.shape[0]!, args);
  const all = { ...parametersOf(ode, options.parameters, options.seed ?? 0), ...own };
  const parameters = checkParameters(equation.field, all, ode);
  const found = await gradientOf(equation, { ...given, parameters });
  const { arrays } = field;
  const trained = Object.keys(field.parameters).map((name) => [name, found.parameters[name]!] as const);
  const read = Object.keys(field.args).map((name) => [name, found.parameters[argumentName(name)]!] as const);
  return {
    ...found,
    parameters: Object.fromEntries(trained),
    args: Object.fromEntries(read),
    y0: separated(arrays, found.y0),
    reconstructed: found.reconstructed && separated(arrays, found.reconstructed),
  };
}

/** The options of a gradient, as its compilers take them. */
export function differentiatorOptionsOf(
  ode: NeuralOde,
  options: DifferentiatorOptions,
  runtime: Runtime,
): strict.DifferentiatorOptions {
  const { loss = mse(), gradient, fit, times, memoryBudget, guarded } = options;
  const isGrid = "grid" in fit;
  const control =
    options.control ?? (isGrid || ode.stepSize < Number.POSITIVE_INFINITY ? undefined : ownSteps(ode));
  return {
    runtime,
    loss: lossOf(loss),
    gradient: gradient ?? (isReversible(ode.method) ? "reversible" : "direct"),
    fit: isGrid ? fit : fitOf(ode, fit, control !== undefined),
    ...(control === undefined ? {} : { control }),
    ...(times === undefined ? {} : { times }),
    ...(memoryBudget === undefined ? {} : { memoryBudget }),
    ...(guarded === undefined ? {} : { guarded }),
  };
}

function fitOf(ode: NeuralOde, given: Trajectories, controlled: boolean): strict.Fit {
  const data = trajectoriesOf(ode, given);
  const grid = controlled ? gridOfTimes(data.t0, data.times) : gridThrough(data.t0, data.times, ode.stepSize);
  return { grid, y0: data.y0, ...targetsOf(data, ode.dtype) };
}
