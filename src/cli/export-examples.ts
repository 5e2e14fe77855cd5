import type { ConstantStep, Pid } from "../control/control.js";
import { type FloatDType, numbers } from "../core/tensor.js";
import { usualMaxSteps } from "../integrate/request.js";
import { y0Name } from "../programs/names.js";
import { type ExportedRun, type ExportOptions, solverOf } from "./export-files.js";

/** What an example solves: from where, over which time, and how. */
export interface ExampleSolve {
  readonly y0: readonly number[];
  /** that of y0, of one trajectory */
  readonly shape: readonly number[];
  readonly dtype: FloatDType;
  readonly t0: number;
  readonly t1: number;
  readonly control: Pid | ConstantStep;
}

/**
 * A few lines that run an exported file, and the language they are in.
 *
 * @param solve  `null` for a training step, with the file of what it takes first
 */
export function exampleFor(
  options: ExportOptions,
  start: string,
  solve: ExampleSolve | null,
): { language: "Python" | "JavaScript"; lines: string[] } {
  const { out, updates, defaults = true } = options;
  if (solve === null) return { language: "Python", lines: trainExample(out, start, updates !== undefined) };
  return defaults
    ? { language: "Python", lines: solveExample(out, solve) }
    : { language: "JavaScript", lines: javascriptExample(options, solve) };
}

/** The solve of a run's first trajectory: from its initial state, as trained where it was trained, over its data. */
export function exampleSolve({ problem, checkpoint }: ExportedRun, options: ExportOptions): ExampleSolve {
  const { ode, data } = problem;
  const { field, dtype } = ode;
  const batched = typeof field.state[0] === "string";
  const y0 = ((options.best ?? false) ? checkpoint.best : checkpoint).trained[y0Name] ?? data.y0;
  return {
    y0: numbers(y0).slice(0, y0.data.length / (batched ? y0.shape[0]! : 1)),
    shape: field.state.map((dim) => (typeof dim === "string" ? 1 : dim)),
    ...{ dtype, t0: data.t0, t1: data.times.at(-1)! },
    control: solverOf(problem, options).control,
  };
}

/** Solves from the first initial state over the times of the data. */
function solveExample(out: string, { y0: own, shape, dtype, t0, t1 }: ExampleSolve): string[] {
  const y0 =
    own.length > 8 ? `np.ones(${tuple(shape)})` : `np.array(${JSON.stringify(own)}).reshape(${tuple(shape)})`;
  return [
    "import numpy as np, onnxruntime as ort",
    `solve = ort.InferenceSession(${JSON.stringify(out)})`,
    `given = {"y0": ${y0}, "t0": ${t0}, "t1": ${t1}, "ts": np.linspace(${t0}, ${t1}, 5)}`,
    `given = {name: np.asarray(value, np.${dtype}) for name, value in given.items()}`,
    "ys, y1, *steps, reached = solve.run(None, given)",
  ];
}

/** The same where tolerances must be given. */
function javascriptExample(
  options: ExportOptions,
  { y0: own, shape, dtype, t0, t1, control }: ExampleSolve,
): string[] {
  const y0 = own.length > 8 ? own.map(() => 1) : own;
  const scalars = {
    ...{ t0, t1 },
    ...(control.kind === "pid" ? { rtol: control.rtol, atol: control.atol } : { stepSize: control.stepSize }),
  };
  return [
    'import * as ort from "onnxruntime-node";',
    `const solve = await ort.InferenceSession.create(${JSON.stringify(options.out)});`,
    `const of = (shape, ...values) => new ort.Tensor("${dtype}", ${dtype === "float64" ? "Float64Array" : "Float32Array"}.from(values), shape);`,
    "const { ys, y1, reached } = await solve.run({",
    `  y0: of(${JSON.stringify(shape)}, ${y0.join(", ")}), ts: of([2], ${(t0 + t1) / 2}, ${t1}),`,
    `  ${Object.entries(scalars)
      .map(([name, value]) => `${name}: of([], ${value})`)
      .join(", ")},`,
    `  maxSteps: new ort.Tensor("int64", [${options.maxSteps ?? usualMaxSteps}n], []),`,
    ...(options.openParameters ? ["  ...parameters, // tensors by their names among the inputs"] : []),
    "});",
  ];
}

function tuple(shape: readonly (number | string)[]): string {
  return `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
}

/** Goes on training: what comes out as next/… goes in again. */
function trainExample(out: string, start: string, many: boolean): string[] {
  return [
    "import onnxruntime as ort",
    `step, start = (ort.InferenceSession(path) for path in (${JSON.stringify(out)}, ${JSON.stringify(start)}))`,
    "values = dict(zip([o.name for o in start.get_outputs()], start.run(None, {})))",
    "for _ in range(10):",
    "    new = dict(zip([o.name for o in step.get_outputs()], step.run(None, values)))",
    '    values |= {name[5:]: new[name] for name in new if name.startswith("next/")}',
    `    print(new[${many ? '"losses"][-1' : '"loss"'}])`,
  ];
}
