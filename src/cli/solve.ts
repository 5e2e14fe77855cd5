import { printable } from "../core/printable.js";
import { Random } from "../core/random.js";
import { castTensor, type FloatDType, type Tensor, toNested } from "../core/tensor.js";
import { componentsIn } from "../deploy/field-file.js";
import { loadModel } from "../deploy/load-model.js";
import { solverFor, stepSizeIn } from "../deploy/trained-solver.js";
import { componentNames } from "../fields/components.js";
import { initialParameters, stateOf, type VectorField } from "../fields/field.js";
import { importedField } from "../fields/imported.js";
import type { Model } from "../graph/model.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import { isReversible } from "../methods/method.js";
import { checkWritable, writeAtomic } from "../storage/atomic.js";
import { checkTableSize, formatTimeSeries } from "../storage/csv-format.js";
import type { Console } from "./console.js";
import { type ControlOptions, controlOf } from "./control-options.js";
import { equationsToSolve, refuseParameters } from "./equations.js";
import { exitCodes } from "./exit-codes.js";
import { importOptions, type SignatureFlags } from "./field-options.js";
import { openRuntime, type RuntimeName, usualRuntime } from "./runtimes.js";
import { parseState, parseTimes, UsageError } from "./usage.js";

export interface SolveCommandOptions extends ControlOptions, SignatureFlags {
  /** equations in place of a file */
  readonly field?: string;
  readonly parameter?: readonly string[];
  readonly y0: string;
  readonly t0: number;
  readonly t1: number;
  readonly solver?: string;
  readonly reversible?: boolean;
  readonly coupling?: number | "auto";
  readonly maxSteps?: number;
  readonly strict?: boolean;
  readonly saveAt?: string;
  readonly dtype?: FloatDType;
  readonly runtime?: RuntimeName;
  readonly out?: string;
  readonly json?: boolean;
}

/** Steps over the whole interval where neither the command line nor the file says how long they are. */
const defaultSteps = 1000;

/**
 * `revort solve`: solves with a field from a file, or with equations.
 *
 * @returns the exit code
 */
export async function solveCommand(
  path: string | undefined,
  options: SolveCommandOptions,
  console: Console,
): Promise<number> {
  const { t0, t1 } = options;
  if (t0 === t1) throw new UsageError(`--t0 and --t1 are both ${t0}: there is nothing to solve.`);
  const { field, metadata } = await fieldToSolve(path, options);
  const dtype = field.dtype ?? "float64";
  const given = parseState("--y0", options.y0, dtype);
  const runtime = await openRuntime(options.runtime ?? usualRuntime, { say: console.note });
  const control = controlOf(options);
  const method = solverFor(metadata, options, control !== null);
  const ode = neuralOde({ field, dtype, method, stepSize: stepSizeFor(metadata, options) });
  const saveAt = options.saveAt === undefined ? [t1] : parseTimes("--save-at", options.saveAt);
  checkWithin(saveAt, t0, t1);
  const y0 = stateOf(field, given);
  checkTableSize(saveAt.length, y0.data.length);
  if (options.out !== undefined) await checkWritable(options.out);
  const { ts, ys, stats, warnings, coupling } = await solve(ode, {
    runtime,
    parameters: initialParameters(field, Random.seeded(0), dtype),
    y0,
    t0,
    saveAt,
    checkReconstruction: isReversible(method),
    // steps of one size are a single run of the runtime, which only the end of the process interrupts
    ...(control === null ? {} : { control, signal: console.stopSignal() }),
    ...(options.coupling === "auto" ? { coupling: "auto" as const } : {}),
    ...(options.strict === undefined ? {} : { strict: options.strict }),
    ...(options.maxSteps === undefined ? {} : { maxSteps: options.maxSteps }),
  });
  if (coupling !== null) console.note(coupling.message);
  for (const { message } of warnings) console.note(`warning: ${message}`);
  // a single state that was given without a batch axis comes out without one
  const added = typeof field.state[0] === "string" && given.shape.length < y0.shape.length;
  const shaped: Tensor = { ...ys, shape: [ts.length, ...y0.shape.slice(added ? 1 : 0)] };
  if (options.out !== undefined) {
    await writeAtomic(options.out, asCsv(field, ts, shaped));
    console.note(`Written to ${options.out}`);
  }
  const report = { ts, ys: toNested(shaped), stats, warnings };
  if (options.json) console.json(report);
  else if (options.out === undefined) console.stdout.write(asCsv(field, ts, shaped, printable));
  return exitCodes.done;
}

/** The field that a command line names, and what its file says of how it was solved. */
async function fieldToSolve(
  path: string | undefined,
  options: SolveCommandOptions,
): Promise<{ readonly field: VectorField; readonly metadata: Model["metadata"] }> {
  const { dtype, field: text, parameter } = options;
  if ((path === undefined) === (text === undefined)) {
    throw new UsageError('Give either an .onnx file or --field "dx = -k*x", and not both.');
  }
  if (path === undefined) {
    const field = equationsToSolve(text!, parameter ?? []);
    return { field: dtype === undefined ? field : { ...field, dtype }, metadata: {} };
  }
  refuseParameters(parameter);
  const model = await loadModel(path);
  const imported = importedField(model, {
    ...importOptions(options),
    ...(dtype === undefined ? {} : { float: dtype }),
  });
  const components = componentsIn(model.metadata) ?? imported.components;
  return {
    field: components === undefined ? imported : { ...imported, components },
    metadata: model.metadata,
  };
}

function stepSizeFor(metadata: Model["metadata"], { stepSize, t0, t1 }: SolveCommandOptions): number {
  return stepSize ?? stepSizeIn(metadata) ?? Math.abs(t1 - t0) / defaultSteps;
}

function checkWithin(times: readonly number[], t0: number, t1: number): void {
  const outside = times.find((time) => time < Math.min(t0, t1) || time > Math.max(t0, t1));
  if (outside !== undefined) {
    throw new UsageError(
      `--save-at names the time ${outside}, which is not between --t0 ${t0} and --t1 ${t1}.`,
    );
  }
}

/** Times and states as CSV: one column per component, its name spelled as it is unless otherwise said. */
function asCsv(
  field: VectorField,
  ts: readonly number[],
  ys: Tensor,
  spelled: (name: string) => string = (name) => name,
): string {
  const columns = ys.data.length / ts.length;
  const known = componentNames(field).map(spelled);
  const names = Array.from({ length: columns }, (_, i) => {
    const name = known[i % known.length]!;
    return columns === known.length ? name : `${name}[${Math.floor(i / known.length)}]`;
  });
  const values = castTensor(ys, "float64").data;
  return formatTimeSeries({
    timeName: names.includes("t") ? "time" : "t",
    names,
    times: Float64Array.from(ts),
    values,
  });
}
