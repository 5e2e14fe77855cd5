import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { printable } from "../core/printable.js";
import { toNested } from "../core/tensor.js";
import { portableKinds } from "../deploy/kind.js";
import { inspectGraphModel } from "../deploy/tfjs-file.js";
import { decode } from "../graph/decode.js";
import type { Model } from "../graph/model.js";
import { writeAtomic } from "../storage/atomic.js";
import { parametersOf } from "../train/train.js";
import type { Console } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import { type ExampleSolve, exampleFor, exampleSolve } from "./export-examples.js";
import {
  checkOptions,
  type ExportedRun,
  type ExportOptions,
  fieldFile,
  solveFile,
  tfjsFiles,
  trainStartFile,
  trainStepFile,
  trainStepNotes,
} from "./export-files.js";
import { exportStateDict } from "./export-state-dict.js";
import { importOptionsOf } from "./field-options.js";
import { graphModelLines, valueLines } from "./inspect.js";
import { asTrained, problemOf } from "./problem.js";
import { checkCheckpoint, loadCheckpoint, openRun, RunFolderError } from "./run-folder.js";
import { readInit } from "./run-inputs.js";
import { runKind } from "./run-kind.js";
import { openRuntime } from "./runtimes.js";
import { decodeParameters } from "./settings.js";
import { openTaskRun } from "./tasks/folder.js";
import { UsageError } from "./usage.js";

/**
 * `revort export`: a run as `.onnx` files that need nothing but ONNX Runtime: its trained field, a solver of its
 * equation, or its training step together with what that takes first; or as a folder that TensorFlow.js loads.
 *
 * @returns the exit code
 */
export async function exportCommand(run: string, options: ExportOptions, console: Console): Promise<number> {
  if ((await runKind(run)) === "languageModel") {
    checkOptions({ ...options, what: options.what ?? "model" });
    const { exportLanguageModel } = await import("./language/export.js");
    return exportLanguageModel(run, options, console);
  }
  const { what = "field", out } = options;
  checkOptions(options);
  if (what === "model" || what === "cell") {
    throw new UsageError(
      `--what ${what} is for the run of a language model. Leave it out, or say --what field.`,
    );
  }
  if (await isSeries(run)) {
    const { seriesExport, seriesParameters } = await import("./export-series.js");
    if (what === "state-dict") {
      if (options.best) throw new UsageError(`Leave out --best: ${run} keeps its best parameters anyway.`);
      return exportStateDict(run, options, await seriesParameters(run, console), console);
    }
    const { bytes, example } = await seriesExport(run, options, console);
    return write(run, options, new Map([[out, bytes]]), example, console);
  }
  const { settings, sources } = await openRun(run);
  const problem = await problemOf(
    settings,
    sources,
    await openRuntime(settings.runtime, { say: console.note }),
  );
  const checkpoint = await loadCheckpoint(run);
  if (checkpoint === null) {
    throw new RunFolderError(
      `The run ${run} stopped before its first checkpoint. Continue it with --resume ${run}.`,
    );
  }
  checkCheckpoint(problem.ode, checkpoint);
  const bytes = await readInit(run, settings);
  const init = bytes === null ? null : decodeParameters(bytes, run, settings.dtype);
  const exported: ExportedRun = {
    ...{ settings, checkpoint, init },
    problem: asTrained(problem, checkpoint.scheme?.coupling),
  };
  if (what === "state-dict") {
    const { model } = sources;
    const trained = {
      trained: parametersOf((options.best ? checkpoint.best : checkpoint).trained),
      ...{ field: exported.problem.ode.field.name, trainedOn: exported.problem.experiment.name },
      file: model === null ? null : { model, options: importOptionsOf(settings) },
    };
    return exportStateDict(run, options, trained, console);
  }
  if (what === "tfjs" || what === "tfjs-solve") {
    const written = await writeFolder(out, tfjsFiles(exported, options));
    return tfjsReport(run, options, written, console);
  }
  const files = new Map<string, Uint8Array>();
  if (what === "field") files.set(out, fieldFile(exported, options));
  else if (what === "solve") files.set(out, solveFile(exported, options));
  else {
    for (const note of trainStepNotes(exported, options)) console.stderr.write(`${note}\n`);
    files.set(out, trainStepFile(exported, options));
    files.set(startPath(out), trainStartFile(exported, options));
  }
  return write(run, options, files, what === "solve" ? exampleSolve(exported, options) : null, console);
}

/** Whether a run is a fit of trajectories, or of one with parts set aside, which is a task. */
async function isSeries(run: string): Promise<boolean> {
  return (await runKind(run)) === "task" && (await openTaskRun(run)).settings.series !== null;
}

/** Writes files, and says what they are. */
async function write(
  run: string,
  options: ExportOptions,
  files: ReadonlyMap<string, Uint8Array>,
  example: ExampleSolve | null,
  console: Console,
): Promise<number> {
  const { what = "field", out } = options;
  for (const [path, bytes] of files) await writeAtomic(path, bytes);

  const model = decode(files.get(out)!, { source: out });
  if (options.json) {
    console.json(reportOf(run, options, files, model));
    return exitCodes.done;
  }
  for (const [path, bytes] of files) console.note(`Written to ${path} (${bytes.length} bytes)`);
  if (what !== "field") console.stdout.write(`${description(model, options, example)}\n`);
  return exitCodes.done;
}

/** Writes files into a folder, which is made. @returns their paths */
async function writeFolder(
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  await mkdir(folder, { recursive: true });
  const written = new Map<string, Uint8Array>();
  for (const [name, bytes] of files) {
    await writeAtomic(join(folder, name), bytes);
    written.set(join(folder, name), bytes);
  }
  return written;
}

function tfjsReport(
  run: string,
  { what, out, json }: ExportOptions,
  files: ReadonlyMap<string, Uint8Array>,
  console: Console,
): number {
  const model = [...files].find(([path]) => path.endsWith("model.json"))![1];
  const report = inspectGraphModel(new TextDecoder().decode(model))!;
  if (json) {
    console.json({ run, what, out, files: [...files.keys()], ...report });
    return exitCodes.done;
  }
  for (const [path, bytes] of files) console.note(`Written to ${path} (${bytes.length} bytes)`);
  const given = report.inputs.map(({ name }) => (name === "t" ? "t: tf.scalar(0)" : name)).join(", ");
  console.stdout.write(
    [
      ...graphModelLines(out, report),
      "",
      "In JavaScript, with TensorFlow.js alone:",
      "",
      `  const model = await tf.loadGraphModel(${JSON.stringify(`${out}/model.json`)});`,
      `  const ${report.outputs[0]!.name} = model.execute({ ${given} }, ${JSON.stringify(report.outputs[0]!.name)});`,
      "",
    ].join("\n"),
  );
  return exitCodes.done;
}

/** `train-step.onnx` is started by `train-step.start.onnx`. */
function startPath(out: string): string {
  return `${out.replace(/\.onnx$/i, "")}.start.onnx`;
}

function reportOf(
  run: string,
  { what = "field", out }: ExportOptions,
  files: ReadonlyMap<string, Uint8Array>,
  { graph, metadata }: Model,
) {
  return {
    ...{ run, what, out, bytes: files.get(out)!.length },
    ...(what === "train-step" ? { start: startPath(out) } : {}),
    inputs: [
      ...graph.inputs,
      ...graph.optional.map((value) => ({
        ...value,
        default: toNested(graph.initializers.get(value.name)!),
      })),
    ],
    outputs: graph.outputs,
    metadata,
  };
}

/** What people read: what the file is, what goes in and out, and how to run it. */
function description({ graph, metadata }: Model, options: ExportOptions, solve: ExampleSolve | null): string {
  const example = exampleFor(options, startPath(options.out), solve);
  const kind = metadata["revort.kind"] as keyof typeof portableKinds;
  const given = graph.optional.map(({ name }, i) => {
    const { shape, data } = graph.initializers.get(name)!;
    return `${valueLines(graph.optional)[i]}  ${shape.length === 0 ? data[0] : "as trained"} unless given`;
  });
  return [
    `${printable(options.out)}: ${portableKinds[kind]}`,
    "",
    ...["Inputs", ...valueLines(graph.inputs), ...given, ""],
    ...["Outputs", ...valueLines(graph.outputs), ""],
    `In ${example.language}, with ONNX Runtime alone:`,
    "",
    ...example.lines.map((line) => `  ${line}`),
  ].join("\n");
}
