import { type ConstantStep, constantStep, type Pid } from "../control/control.js";
import { scalar, type Tensor } from "../core/tensor.js";
import { byPath } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import { encode } from "../graph/encode.js";
import type { Graph } from "../graph/graph.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { usualMaxSteps } from "../integrate/request.js";
import { checkParameters } from "../integrate/solve.js";
import { TimeError } from "../programs/grid.js";
import { wholeSolveProgram } from "../programs/whole-solve.js";
import type { WholeSolveInputs } from "../programs/whole-solve-setting.js";
import { version } from "../version.js";
import { type FieldMetadata, metadataOf } from "./field-file.js";
import { kindKey } from "./kind.js";
import { portable } from "./portable.js";

export interface SolveFileOptions {
  /** how steps are chosen; by default all are as long as those of the equation */
  readonly control?: Pid | ConstantStep;
  /** how many steps may be tried, unless the file is told otherwise; 100 000 by default */
  readonly maxSteps?: number;
  /**
   * whether tolerances (or the step size) and maxSteps may be left out when the file runs, which they may by default.
   * Not all interfaces of ONNX Runtime can replace a value that a file has: that of JavaScript ignores or refuses what
   * it is given, so a file for it to choose tolerances is one without.
   */
  readonly defaults?: boolean;
  /** whether other parameters may be given when the file runs (with `defaults: false`, must be), as `parameters/…` */
  readonly openParameters?: boolean;
  readonly metadata?: FieldMetadata;
}

/**
 * The graph of a whole solve: parameters, y0, t0, t1 and times ts in, states at ts and at t1 out, with the number of
 * steps and whether it got to its end.
 *
 * @throws {ControlError} if steps are to be chosen by a method that has no estimate of its error
 * @throws {TimeError} if there is neither a control nor a step size
 */
export function solveGraph(ode: NeuralOde, control?: Pid | ConstantStep): Graph {
  const { field, method, dtype } = ode;
  return wholeSolveProgram({ field, method, dtype, control: controlled(ode, control) }).graph;
}

/**
 * A whole solve of a trained equation as one `.onnx` of standard operators, which any ONNX Runtime runs without
 * revort: `y0` [batch, …], `t0`, `t1` and `ts` [saves] in, `ys` [saves, batch, …] and `y1` [batch, …] out, with the
 * steps `accepted` and `rejected`, and `reached`. Where a solve gives up, `reached` is false, and states from there on
 * are NaN. The parameters are inside; `rtol` and `atol` (or `stepSize`) and `maxSteps` may be given, and else are what
 * they were when the file was written.
 *
 * @throws {ParameterError} for parameters that do not fit the field
 * @throws {ControlError | TimeError} as {@link solveGraph}
 */
export function encodeSolve(
  ode: NeuralOde,
  parameters: Tensors,
  {
    control,
    maxSteps = usualMaxSteps,
    defaults = true,
    openParameters = false,
    metadata = {},
  }: SolveFileOptions = {},
): Uint8Array {
  const { field, method, dtype } = ode;
  const own = controlled(ode, control);
  // by the names of inputs
  const numbers = {
    ...(own.kind === "pid"
      ? { rtol: scalar(dtype, own.rtol), atol: scalar(dtype, own.atol) }
      : { stepSize: scalar(dtype, own.stepSize) }),
    maxSteps: scalar("int64", maxSteps),
  } satisfies Partial<Record<keyof WholeSolveInputs, Tensor>>;
  const steps = own.kind === "pid" ? "chosen by their error" : `of at most ${own.stepSize}`;
  const stored = byPath<Tensor>({ parameters: checkParameters(field, parameters, ode) });
  return encode(portable(solveGraph(ode, own)), {
    ...(openParameters ? {} : { initializers: stored }),
    ...(defaults ? { defaults: { ...numbers, ...(openParameters ? stored : {}) } } : {}),
    doc: `Solves dy/dt = f(t, y) by ${method.name}, with steps ${steps}; written by revort ${version}`,
    metadata: {
      [kindKey]: "solve",
      ...metadataOf(ode, metadata),
      ...Object.fromEntries(
        Object.entries(numbers).map(([name, { data }]) => [`revort.${name}`, String(data[0])]),
      ),
    },
  });
}

/** The control of a solve: that which was given, or else steps of the size of the equation. */
function controlled(ode: NeuralOde, control: Pid | ConstantStep | undefined): Pid | ConstantStep {
  if (control !== undefined) return control;
  if (ode.stepSize < Number.POSITIVE_INFINITY) return constantStep(ode.stepSize);
  throw new TimeError(
    "There is no step size: give neuralOde a stepSize, or the file a control (constantStep, pid).",
  );
}
