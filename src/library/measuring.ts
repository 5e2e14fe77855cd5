import { checkOptions, OptionError, showValue } from "../core/options.js";
import type { Tensors } from "../fields/field.js";
import type { EvaluateOptions as StrictOptions } from "../models/measuring.js";
import type { Model } from "../models/model.js";
import type { AnyTask } from "../models/task.js";
import type { Runtime } from "../runtime/runtime.js";
import { checkRuntime, type OpenRuntime, type ParametersLike, tensorsOf } from "./equation.js";

/** What {@link predict} takes beside model and inputs. */
export interface PredictOptions extends Pick<StrictOptions, "dtype"> {
  /** one is opened where none is given */
  readonly runtime?: Runtime;
  /** those that `fit` returns, say */
  readonly parameters: ParametersLike;
  /** what layers gathered in training, where the model has such */
  readonly buffers?: ParametersLike;
}

/** What {@link evaluate} takes beside task and data. */
export interface EvaluateOptions extends PredictOptions, Pick<StrictOptions, "atOnce"> {}

const predictNames = {
  ...{ runtime: true, parameters: true, buffers: true, dtype: true },
} satisfies Record<keyof PredictOptions, true>;
const evaluateNames = { ...predictNames, atOnce: true } satisfies Record<keyof EvaluateOptions, true>;

const elsewhere = { theta: "say parameters", params: "say parameters", seed: "nothing is drawn" };
const evaluateElsewhere = {
  ...{ ...elsewhere, batchSize: "how many samples are measured at once is atOnce" },
  ...{ metrics: "they belong to the task, defineTask({ model, targets, loss, metrics })" },
};
const all = "all samples are taken at once";
const predictElsewhere = { ...elsewhere, batchSize: all, atOnce: all };

/**
 * What `evaluate` or `predict` is to work with.
 *
 * @throws {OptionError} for an option that there is not, or parameters that are missing
 */
export async function measuringOptionsOf(
  of: "evaluate" | "predict",
  model: Pick<Model, "name" | "parameters">,
  options: EvaluateOptions,
  open: OpenRuntime,
): Promise<StrictOptions> {
  const example = `${of}(${of === "predict" ? "model, inputs" : "task, data"}, { parameters: fitted.parameters })`;
  if (options === undefined) {
    throw new OptionError(`${of} needs the parameters of "${model.name}": ${example}.`);
  }
  if (of === "predict") checkOptions(of, options, predictNames, predictElsewhere);
  else checkOptions(of, options, evaluateNames, evaluateElsewhere);
  const { parameters, buffers, dtype = "float64", runtime, ...rest } = options;
  if (parameters === undefined && Object.keys(model.parameters).length > 0) {
    throw new OptionError(`${of} needs the parameters of "${model.name}": ${example}.`);
  }
  checkFloat(of, dtype);
  checkRuntime(of, runtime);
  const tensors = (given: ParametersLike | undefined): Tensors =>
    given === undefined ? {} : tensorsOf(given, dtype);
  return {
    ...rest,
    ...{ dtype, parameters: tensors(parameters), buffers: tensors(buffers) },
    runtime: runtime ?? (await open()),
  };
}

/** @throws {OptionError} unless it is a type of floats */
export function checkFloat(of: string, dtype: unknown): void {
  if (dtype === undefined || dtype === "float32" || dtype === "float64") return;
  throw new OptionError(`The dtype of ${of} is "float32" or "float64", but ${showValue(dtype)} was given.`);
}

/** @throws {OptionError} for what is no task */
export function checkTask(of: string, given: unknown): void {
  const { model, loss } = (given ?? {}) as Partial<AnyTask>;
  if (typeof model === "object" && model !== null && typeof loss === "function") return;
  const hint = isModel(given) ? "a model" : showValue(given);
  throw new OptionError(`${of} takes a task, defineTask({ model, targets, loss }), but ${hint} was given.`);
}

/** @throws {OptionError} for what is no model */
export function checkModel(of: string, given: unknown): void {
  if (isModel(given)) return;
  const { model } = (given ?? {}) as Partial<AnyTask>;
  const hint = isModel(model) ? "a task was given; say task.model" : `${showValue(given)} was given`;
  throw new OptionError(
    `${of} takes a model, defineModel({ name, parameters, inputs, apply }), but ${hint}.`,
  );
}

function isModel(given: unknown): boolean {
  const { apply, inputs } = (given ?? {}) as Partial<Model>;
  return typeof apply === "function" && typeof inputs === "object" && inputs !== null;
}
