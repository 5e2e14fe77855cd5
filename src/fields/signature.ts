import { isFloat, showShape } from "../core/tensor.js";
import type { Dim, Shape } from "../graph/graph.js";
import { type Model, ModelError, type ModelValue, shown } from "../graph/model.js";

// Which input of a model is time, which is the state, and which output is the derivative.

export interface Signature {
  readonly state: ModelValue;
  readonly time: ModelValue | null;
  readonly derivative: ModelValue;
}

export interface SignatureOptions {
  /** the input that is time, where that is not plain to see */
  readonly timeInput?: string;
  /** the input that is the state */
  readonly stateInput?: string;
  /** the output that is dy/dt, where there are several */
  readonly output?: string;
}

/** A model that is not a vector field, or of which it cannot be told how it is one. */
export class NotAFieldError extends ModelError {}

const timeNames = /^(t|time|times|ts|t0|tau|timestep|time_step|timestamp)$/i;
const stateNames = /^(y|x|z|u|h|state|y0|x0|z0|h0)$/i;

/**
 * Reads a model as f(t, y) or f(y). Time is what is called so; else what does not have the shape of the output.
 *
 * @throws {NotAFieldError} if the model cannot be read in this way, or in two ways
 */
export function signatureOf(model: Model, options: SignatureOptions = {}): Signature {
  const derivative = derivativeOf(model, options.output);
  const { inputs } = model.graph;
  const list = inputs.map(showValue).join(", ");
  if (inputs.length === 0 || inputs.length > 2) {
    throw problem(
      model,
      `a vector field takes a state, or time and a state, but this model takes ${inputs.length} inputs` +
        `${list === "" ? "" : ` (${list})`}. Export a function of (t, y) or of y alone: ` +
        "what else it takes must be fixed before (in JAX, lambda t, y: f(t, y, args)), or be a parameter.",
    );
  }
  for (const name of [options.timeInput, options.stateInput]) {
    if (name === undefined || inputs.some((input) => input.name === name)) continue;
    throw problem(model, `there is no input ${shown(name)}; the model takes ${list}.`);
  }
  const [state, time] =
    inputs.length === 1 ? [onlyState(model, inputs[0]!, options), null] : pair(model, derivative, options);
  for (const input of [state, time]) {
    if (input === null || input.dtype === null || isFloat(input.dtype)) continue;
    throw problem(
      model,
      `the input ${showValue(input)} is ${input.dtype}, but time and state must be float32 or float64.`,
    );
  }
  return { state, time, derivative };
}

function derivativeOf(model: Model, name: string | undefined): ModelValue {
  const { outputs } = model.graph;
  const list = outputs.map(showValue).join(", ");
  const found =
    name === undefined && outputs.length === 1 ? outputs[0] : outputs.find((o) => o.name === name);
  if (found !== undefined) return found;
  throw problem(
    model,
    name === undefined
      ? `a vector field has one output, dy/dt, but this model has ${outputs.length}${list === "" ? "" : ` (${list})`}. ` +
          "Say which one it is (--output-name, or `output` in the library), or export a function that returns only that; " +
          "where the state is several arrays, as q and p, join them into one (jnp.concatenate, torch.cat)."
      : `there is no output ${shown(name)}; the model returns ${list}.`,
  );
}

function onlyState(model: Model, input: ModelValue, { timeInput }: SignatureOptions): ModelValue {
  if (timeInput !== input.name) return input;
  throw problem(
    model,
    `its only input ${showValue(input)} was said to be time, so there is no state. Leave that out.`,
  );
}

function pair(model: Model, derivative: ModelValue, options: SignatureOptions): [ModelValue, ModelValue] {
  const [a, b] = model.graph.inputs as [ModelValue, ModelValue];
  const { timeInput, stateInput } = options;
  if (timeInput !== undefined && timeInput === stateInput) {
    throw problem(model, `${shown(timeInput)} was said to be both time and state.`);
  }
  const tests: readonly ((time: ModelValue, state: ModelValue) => boolean)[] = [
    (time, state) => time.name === timeInput || state.name === stateInput,
    (time) => timeNames.test(time.name),
    (time, state) => couldBeTime(time, state) && !couldBeTime(state, time),
    (time, state) => sameDims(state, derivative) && !sameDims(time, derivative),
    (_, state) => stateNames.test(state.name),
  ];
  for (const test of tests) {
    const [aIsTime, bIsTime] = [test(a, b), test(b, a)];
    if (aIsTime !== bIsTime) return aIsTime ? [b, a] : [a, b];
  }
  throw problem(
    model,
    `it cannot be told which of its inputs ${showValue(a)} and ${showValue(b)} is time and which is the state. ` +
      "Say so (--time-input and --state-input, or `timeInput` and `stateInput` in the library), " +
      "or name them t and y when exporting.",
  );
}

/** Time is a scalar, [1], [1, 1], [batch] or [batch, 1]. */
function couldBeTime({ shape }: ModelValue, state: ModelValue): boolean {
  if (shape === null || shape.length === 0) return true;
  if (shape.length > 2 || (shape.length === 2 && shape[1] !== 1)) return false;
  const leading = shape[0]!;
  return typeof leading !== "number" || leading === 1 || leading === state.shape?.[0];
}

function sameDims({ shape }: ModelValue, other: ModelValue): boolean {
  if (shape === null || other.shape === null || shape.length !== other.shape.length) return false;
  return shape.every((dim, axis) => {
    const theirs = other.shape![axis];
    return dim === theirs || typeof dim !== "number" || typeof theirs !== "number";
  });
}

/** The shape of the field's states: a leading dimension that the file leaves open is the batch. */
export function stateShape(model: Model, state: ModelValue): Shape {
  const { shape } = state;
  if (shape?.every((dim, axis) => axis === 0 || typeof dim === "number") === true) {
    return shape.map((dim): Dim => (typeof dim === "number" ? dim : "batch"));
  }
  throw problem(
    model,
    `its state ${showValue(state)} must have a known shape, in which only the leading dimension (the batch) may be open. ` +
      "Export it with fixed dimensions otherwise.",
  );
}

/** Shape of the time that the model takes, with "batch" for the size of the state's leading dimension. */
export function timeShape(model: Model, { state, time }: Signature): Shape | null {
  if (time === null) return null;
  if (couldBeTime(time, state)) {
    const leading = state.shape?.[0];
    return (time.shape ?? []).map(
      (dim): Dim => (dim === 1 || (typeof dim === "number" && dim !== leading) ? dim : "batch"),
    );
  }
  throw problem(
    model,
    `its time ${showValue(time)} must be one number ([], [1] or [1, 1]) or one for each state of a batch ` +
      "([batch] or [batch, 1]).",
  );
}

function showValue({ name, shape }: ModelValue): string {
  return `${shown(name)}${shape === null ? "" : ` ${showShape(shape.map((dim) => dim ?? "?"))}`}`;
}

function problem(model: Model, sentence: string): NotAFieldError {
  return new NotAFieldError(`${model.source} is not a vector field that revort can take: ${sentence}`);
}
