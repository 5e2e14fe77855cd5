import { regionWithWayBack } from "../autodiff/way-back.js";
import { unlessLost } from "../chains/lost.js";
import { checkOptions } from "../core/options.js";
import { DTypeError, type Tensor } from "../core/tensor.js";
import { mapLeaves } from "../core/tree.js";
import type { Values } from "../fields/field.js";
import {
  type ArrayShapes,
  argumentName,
  type Each,
  isRecordField,
  type RecordField,
} from "../fields/record-field.js";
import { chooseGradient } from "../gradients/choice.js";
import type { GradientRequest } from "../gradients/method.js";
import { scheduleOn } from "../gradients/schedule-on.js";
import { storedCloser } from "../gradients/stored-closer.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { ParameterError, settingOf } from "../integrate/solve-inputs.js";
import type { SolvesInTraining } from "../nn/layer.js";
import { zerosLike } from "../ops/generate.js";
import { unsqueeze } from "../ops/reshape.js";
import { concat } from "../ops/slicing.js";
import { tell } from "../ops/told.js";
import { adjointFor } from "../programs/adjoints.js";
import { type Grid, gridTensors, gridThrough, stepsOf, TimeError } from "../programs/grid.js";
import type { GridValues } from "../programs/inputs.js";
import type { BackwardInputs } from "../programs/solve-adjoint.js";

export interface OdeSolveOptions {
  /** θ of the field by name, and whatever else it reads: all of it is differentiated */
  readonly theta: Values;
  /** state at t0, [batch, …] */
  readonly y0: Value;
  readonly t0: number;
  /** times of the states that come out, from t0 on */
  readonly times: readonly number[];
  /** as in `train`; "auto" by default */
  readonly gradient?: GradientRequest;
  /** what the model is told that it is in: states are stored closer where a training has lost them */
  readonly training?: SolvesInTraining | null;
}

/** The same for a field on a record of arrays, with the data that it reads of each sample. */
export type RecordOdeSolveOptions<S extends ArrayShapes, A extends ArrayShapes> = Omit<
  OdeSolveOptions,
  "y0"
> & {
  /** each array [batch, …] */
  readonly y0: Each<S, Value>;
} & ([keyof A] extends [never] ? { readonly args?: undefined } : { readonly args: Each<A, Value> });

const optionNames = {
  ...{ theta: true, y0: true, t0: true, times: true, gradient: true, training: true, args: true },
} satisfies Record<keyof OdeSolveOptions | "args", true>;
const elsewhere = {
  ...{ parameters: "say theta", saveAt: "say times", t1: "say times, the last of which is the end" },
  ...{ adjoint: "say gradient", stepSize: "it belongs to neuralOde", dtype: "it belongs to neuralOde" },
};

/**
 * A solve of dy/dt = f(t, y; θ) as a part of a model: the states at given times, [times, batch, …], from a state and
 * parameters that are values of the graph. It goes back by the gradient that is asked for, not through its nodes: states
 * are undone, stored or taken again. How far undone states came back, and how far a coupled pair drifted apart, is told in the
 * graph ({@link told}).
 *
 * For a field on a record of arrays ({@link defineField}) y0, args and what comes out are records: of each array
 * [times, batch, …].
 *
 * @throws {ParameterError} if a parameter of the field is missing
 * @throws {TimeError} for times out of order, or an equation without a step size
 * @throws {GradientMethodError} if the method of the equation cannot be differentiated so
 * @throws {ShapeError} unless the state has a known shape
 * @throws {DTypeError} unless state and parameters are of the type that the equation is solved in
 * @throws {OptionError} for an option that there is not
 */
export function odeSolve<S extends ArrayShapes, A extends ArrayShapes>(
  b: Builder,
  ode: NeuralOde<RecordField<S, A>>,
  options: RecordOdeSolveOptions<NoInfer<S>, NoInfer<A>>,
): Each<S, Value>;
export function odeSolve(b: Builder, ode: NeuralOde, options: OdeSolveOptions): Value;
export function odeSolve(
  b: Builder,
  ode: NeuralOde,
  options: OdeSolveOptions | RecordOdeSolveOptions<ArrayShapes, ArrayShapes>,
): Value | Each<ArrayShapes, Value> {
  const { field } = ode;
  checkOptions("odeSolve", options, optionNames, elsewhere);
  if (!isRecordField(field)) return statesOf(b, ode, options as OdeSolveOptions);
  const { y0, args = {}, theta, ...rest } = options as RecordOdeSolveOptions<ArrayShapes, ArrayShapes>;
  const own = Object.entries(args).map(([name, value]) => [argumentName(name), value] as const);
  const all = { ...theta, ...Object.fromEntries(own) };
  return field.arraysOf(b, statesOf(b, ode, { ...rest, theta: all, y0: field.joined(b, y0) }));
}

function statesOf(
  b: Builder,
  ode: NeuralOde,
  { theta, y0, t0, times, gradient = "auto", training = null }: OdeSolveOptions,
): Value {
  const { field, dtype } = ode;
  checkTheta(field.name, Object.keys(field.parameters), theta);
  checkTypes(ode, y0, theta);
  if (!Number.isFinite(ode.stepSize)) {
    throw new TimeError("A solve inside a model takes steps of a given size: give neuralOde a stepSize.");
  }
  const grid = gridThrough(t0, times, ode.stepSize);
  const state = y0.shape as readonly number[];
  const steps = stepsOf(grid);
  if (steps === 0)
    return concat(
      b,
      times.map(() => unsqueeze(b, y0, [0])),
      0,
    );
  const { name, coupling } = ode.method;
  training?.steps?.({ method: name, coupling, stepSize: ode.stepSize });
  // of a batch that is open, as in a file, what one sample takes
  const sized = state.map((dim) => (typeof dim === "number" ? dim : 1));
  const { gradient: chosen } = chooseGradient(ode, gradient, { state: sized, steps });
  const method = storedCloser(ode, chosen, steps, training);
  const adjoint = adjointFor(method);
  const coincident = grid.offsets.some((offset, i) => i > 0 && offset === grid.offsets[i - 1]);
  const setting = { ...settingOf(ode, state, grid), coincident };
  const names = Object.keys(theta);
  const tables = scheduleOn(method, grid);
  const inputsIn = (scope: Builder, [y, ...values]: readonly Value[]): BackwardInputs => ({
    y0: y!,
    parameters: Object.fromEntries(names.map((name, i) => [name, values[i]!])),
    grid: gridValues(scope, grid, dtype),
    schedule: tables && mapLeaves(tables, (table) => scope.constant(table as Tensor)),
    shares: null,
  });
  // the exact ones are one function, and stored states have derivatives
  const again = adjoint.exact ? adjointFor({ kind: "direct" }) : adjoint;
  const [ys] = regionWithWayBack(b, [y0, ...Object.values(theta)], {
    name: `solve of ${field.name}`,
    build(inner, inputs) {
      const { ys, drift, saved } = adjoint.solve(inner, setting, inputsIn(inner, inputs));
      return { outputs: drift === null ? [ys] : [ys, drift], saved };
    },
    pull(inner, { inputs, outputs: [ys, drift], saved }, [cotangent]) {
      // on the way back alone: a solve that the loss does not need is not done for the sake of its drift
      if (drift !== undefined) tell(inner, "drift", drift);
      const own = inputsIn(inner, inputs);
      const pulled = adjoint.pull(
        inner,
        setting,
        own,
        { ys: ys!, saved },
        cotangent ?? zerosLike(inner, ys!),
      );
      const { reconstructionError: error } = pulled;
      const cotangents = [pulled.y0, ...pulled.parameters];
      if (error === null) return cotangents;
      tell(inner, "reconstructionError", error);
      return unlessLost(inner, error, cotangents);
    },
    again(inner, inputs, [cotangent]) {
      const own = inputsIn(inner, inputs);
      const solved = again.solve(inner, setting, own);
      const pulled = again.pull(inner, setting, own, solved, cotangent ?? zerosLike(inner, solved.ys));
      return [pulled.y0, ...pulled.parameters];
    },
  });
  return ys!;
}

/** @throws {ParameterError} naming the parameter that is missing */
export function checkTheta(name: string, parameters: readonly string[], theta: Values): void {
  const missing = parameters.find((parameter) => !Object.hasOwn(theta, parameter));
  if (missing === undefined) return;
  const given = Object.keys(theta).join(", ") || "none";
  throw new ParameterError(
    `The parameter "${missing}" of the field "${name}" is not among the values given (${given}). ` +
      "Give theta: the field's part of the model's parameters.",
  );
}

/** @throws {DTypeError} for a state or parameters of another type than the equation is solved in */
function checkTypes({ field, dtype }: NeuralOde, y0: Value, theta: Values): void {
  const own = Object.keys(field.parameters).map((name) => [`theta "${name}"`, theta[name]!] as const);
  const other = [["y0", y0] as const, ...own].find(([, value]) => value.dtype !== dtype);
  if (other === undefined) return;
  const [name, value] = other;
  throw new DTypeError(
    `The equation of "${field.name}" is solved in ${dtype}, but ${name} is ${showType(value)}. Use the model in ${dtype} ` +
      `(fit's option dtype), or give neuralOde dtype: "${value.dtype}".`,
  );
}

/** The time grid, as constants. */
function gridValues(b: Builder, grid: Grid, dtype: NeuralOde["dtype"]): GridValues {
  const tensors = gridTensors(grid, dtype);
  return mapLeaves(tensors, (value) => b.constant(value as Tensor));
}
