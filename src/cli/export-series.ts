import { Random } from "../core/random.js";
import { numbers, sizeOf } from "../core/tensor.js";
import { componentsIn, type FieldMetadata } from "../deploy/field-file.js";
import { encodeSolve } from "../deploy/solve-file.js";
import { solverFor, stepSizeIn } from "../deploy/trained-solver.js";
import { startNames } from "../experiments/series/model.js";
import { initialParameters, type Tensors, type VectorField } from "../fields/field.js";
import { importedField } from "../fields/imported.js";
import { decode } from "../graph/decode.js";
import type { Model } from "../graph/model.js";
import { neuralOde } from "../integrate/neural-ode.js";
import type { Console } from "./console.js";
import type { ExampleSolve } from "./export-examples.js";
import { type ExportOptions, solverOf } from "./export-files.js";
import type { TrainedField } from "./export-state-dict.js";
import { readRunFile } from "./run-files.js";
import { fieldFileOf, loadTask } from "./tasks/load.js";
import { UsageError } from "./usage.js";

// Fits with trajectories, or parts set aside, are tasks: what is exported of them is made from the field.onnx of their run.

/** What is written, and a solve as an example of its use. */
export interface SeriesExport {
  readonly bytes: Uint8Array;
  readonly example: ExampleSolve | null;
}

/**
 * The field of a fit of series, or a whole solve of it.
 *
 * @throws {UsageError} for what such a run cannot be exported as
 * @throws {RunFolderError} for a run that has not ended yet
 */
export async function seriesExport(
  run: string,
  options: ExportOptions,
  console: Console,
): Promise<SeriesExport> {
  const { what = "field", best, maxSteps, defaults, openParameters } = options;
  if (what !== "field" && what !== "solve") {
    throw new UsageError(
      `--what ${what} is for fits without trajectories or data set aside; of ${run} there are field, solve and state-dict.`,
    );
  }
  if (best) throw new UsageError(`Leave out --best: ${run} keeps its best parameters anyway.`);
  const { prepared, trained, run: task } = await loadTask(run, undefined, console);
  if (task.settings.series!.inputs.length > 0) {
    throw new UsageError(
      `The field of ${run} is driven by ${task.settings.series!.inputs.join(", ")}, which no such file takes. ` +
        "rates.onnx in the run has dy/dt of y, these inputs and t.",
    );
  }
  const bytes = await readRunFile(run, "field.onnx");
  if (what === "field") return { bytes, example: null };
  const model = decode(bytes, { source: `${run}/field.onnx` });
  const field = { ...importedField(model), ...named(model) };
  const trainedOde = neuralOde({
    ...{ field, method: solverFor(model.metadata, {}, false), dtype: field.dtype! },
    stepSize: stepSizeIn(model.metadata)!,
  });
  const { ode, control } = solverOf({ ode: trainedOde, control: null }, options);
  const { states, times } = await prepared.forecast!(trained, { note: console.note });
  return {
    bytes: encodeSolve(ode, initialParameters(field, Random.seeded(0), ode.dtype), {
      control,
      ...(maxSteps === undefined ? {} : { maxSteps }),
      ...(defaults === undefined ? {} : { defaults }),
      ...(openParameters === undefined ? {} : { openParameters }),
      metadata: { ...unitsIn(model), trainedOn: task.settings.dataFiles.join(", ") },
    }),
    example: {
      ...firstState(
        field,
        states.map(([first]) => first!),
        trained.parameters,
      ),
      ...{ dtype: ode.dtype, t0: times[0]!, t1: times.at(-1)!, control },
    },
  };
}

/** The parameters of the field of a fit of series, without what is trained beside it, for a state dict. */
export async function seriesParameters(run: string, console: Console): Promise<TrainedField> {
  const { trained, run: task } = await loadTask(run, undefined, console);
  const beside: readonly string[] = Object.values(startNames);
  return {
    trained: Object.fromEntries(
      Object.entries(trained.parameters).filter(([name]) => !beside.includes(name)),
    ),
    field: task.settings.series!.field ?? "mlp",
    trainedOn: task.settings.dataFiles.join(", "),
    file: fieldFileOf(task),
  };
}

function named({ metadata }: Model): Pick<VectorField, "components"> {
  const components = componentsIn(metadata);
  return components === undefined ? {} : { components };
}

function unitsIn({ metadata }: Model): FieldMetadata {
  const [time, state] = [metadata["revort.unit.time"], metadata["revort.unit.state"]];
  return { units: { ...(time === undefined ? {} : { time }), ...(state === undefined ? {} : { state }) } };
}

/** The initial state of the first trajectory: of its forecast, and what was trained of hidden components. */
function firstState(
  { state }: VectorField,
  observed: readonly number[],
  parameters: Tensors,
): Pick<ExampleSolve, "y0" | "shape"> {
  const shape = state.map((dim) => (typeof dim === "string" ? 1 : dim));
  const [hidden, change] = [parameters[startNames.hidden], parameters[startNames.change]];
  const common = hidden === undefined ? [] : numbers(hidden);
  // the deviation of a hidden component is 1
  const own = change === undefined ? [] : numbers(change).slice(observed.length, sizeOf(shape));
  return { shape, y0: [...observed, ...common.map((value, j) => value + (own[j] ?? 0))] };
}
