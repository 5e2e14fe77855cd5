import { Random } from "../core/random.js";
import { sizeOf } from "../core/tensor.js";
import { componentsIn, type FieldMetadata } from "../deploy/field-file.js";
import { encodeSolve } from "../deploy/solve-file.js";
import { solverFor, stepSizeIn } from "../deploy/trained-solver.js";
import { initialParameters, type VectorField } from "../fields/field.js";
import { importedField } from "../fields/imported.js";
import { decode } from "../graph/decode.js";
import type { Model } from "../graph/model.js";
import { neuralOde } from "../integrate/neural-ode.js";
import type { Console } from "./console.js";
import type { ExampleSolve } from "./export-examples.js";
import { type ExportOptions, solverOf } from "./export-files.js";
import { readRunFile } from "./run-files.js";
import { loadTask } from "./tasks/load.js";
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
  if (what === "state-dict") {
    throw new UsageError(
      `The state dict of ${run} is there already: ${run}/params.safetensors (safetensors.torch.load_file).`,
    );
  }
  if (what !== "field" && what !== "solve") {
    throw new UsageError(
      `--what ${what} is for fits without trajectories or data set aside; of ${run} there are field and solve.`,
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
      ),
      ...{ dtype: ode.dtype, t0: times[0]!, t1: times.at(-1)!, control },
    },
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

/** An initial state to begin with: that of the first trajectory, zeros for what is hidden. */
function firstState({ state }: VectorField, observed: readonly number[]): Pick<ExampleSolve, "y0" | "shape"> {
  const shape = state.map((dim) => (typeof dim === "string" ? 1 : dim));
  return { shape, y0: Array.from({ length: sizeOf(shape) }, (_, i) => observed[i] ?? 0) };
}
