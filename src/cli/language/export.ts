import { printable } from "../../core/printable.js";
import { encodeFitSteps, encodePrediction, fitStart } from "../../deploy/model-file.js";
import { decode } from "../../graph/decode.js";
import { cellModel, languageModel } from "../../language/language-model.js";
import { windowsOf } from "../../language/text.js";
import { adamw } from "../../learning/optimisers.js";
import { writeAtomic } from "../../storage/atomic.js";
import { decodeSafetensors, encodeSafetensors } from "../../storage/safetensors.js";
import { parametersOf } from "../../train/train.js";
import type { Console } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import type { ExportOptions } from "../export-files.js";
import { valueLines } from "../inspect.js";
import { readRunFile, runFiles } from "../run-files.js";
import { loadCheckpoint, RunFolderError } from "../run-folder.js";
import { UsageError } from "../usage.js";
import { openLanguageRun } from "./folder.js";
import { checkTexts, partsOf, textsOf, tokenizerNamed } from "./texts.js";

/**
 * `revort export` of a language model: the whole model (tokens to logits, with its fixed point inside), the cell f(z, x) of a
 * deep-equilibrium one, or its training step with what that takes first, as files that need nothing but ONNX Runtime.
 *
 * @returns the exit code
 * @throws {UsageError} for what a language model has not
 */
export async function exportLanguageModel(
  run: string,
  { what = "model", out, best = false, json = false }: ExportOptions,
  console: Console,
): Promise<number> {
  const { settings, tokenizer: file } = await openLanguageRun(run);
  const { kind, configuration, dtype, batchSize } = settings;
  const checkpoint = await loadCheckpoint(run);
  if (checkpoint === null) {
    throw new RunFolderError(
      `The run ${run} stopped before its first checkpoint. Continue it with --resume ${run}.`,
    );
  }
  // the last validation, after which nothing is trained, may have found the best: no checkpoint knows of it
  const parameters = best
    ? decodeSafetensors(await readRunFile(run, runFiles.parameters)).tensors
    : parametersOf(checkpoint.trained);
  const { model, task } = languageModel(kind, configuration);
  const files = new Map<string, Uint8Array>();
  if (what === "model") files.set(out, encodePrediction(model, { parameters, dtype }));
  else if (what === "cell") {
    if (kind === "transformer") {
      throw new UsageError("A transformer has no cell of its own: its blocks differ. Export --what model.");
    }
    const own = Object.entries(parameters).flatMap(([name, value]) =>
      name.startsWith("body.") ? [[name.slice("body.".length), value] as const] : [],
    );
    files.set(
      out,
      encodePrediction(cellModel(configuration), { parameters: Object.fromEntries(own), dtype }),
    );
  } else if (what === "train-step") {
    const tokenizer = await tokenizerNamed(settings.tokenizer, file);
    const paths = settings.data.map(({ path }) => path);
    const validation = "share" in settings.validation ? [] : settings.validation.map(({ path }) => path);
    const texts = await textsOf(tokenizer, paths, validation);
    checkTexts(settings, texts);
    const windows = windowsOf("The text to learn from", partsOf(texts, settings)[0], configuration.length);
    // one batch, which whoever trains exchanges for the next
    const batch = windows.samples(Array.from({ length: batchSize }, (_, i) => i % windows.count));
    const { learningRate, weightDecay, clip, seed } = settings;
    const options = {
      ...{ optimiser: adamw({ learningRate, weightDecay }), dtype, batchSize },
      ...(clip === null ? {} : { clip }),
    };
    files.set(out, encodeFitSteps(task, batch, options));
    const start = fitStart(task, batch, { ...options, seed, parameters });
    files.set(startPath(out), encodeSafetensors(start));
  } else {
    throw new UsageError(
      `${printable(run)} is the run of a language model: it is exported as --what model, cell or train-step, not as ${what}.`,
    );
  }
  for (const [path, bytes] of files) await writeAtomic(path, bytes);
  const { graph } = decode(files.get(out)!, { source: out });
  if (json) {
    const { inputs, outputs } = graph;
    console.json({ run, what, out, bytes: files.get(out)!.length, inputs, outputs });
    return exitCodes.done;
  }
  for (const [path, bytes] of files) console.note(`Written to ${path} (${bytes.length} bytes)`);
  console.stdout.write(
    [
      `${printable(out)}: ${descriptions[what]}`,
      ...["", "Inputs", ...valueLines(graph.inputs), "", "Outputs", ...valueLines(graph.outputs), ""],
    ].join("\n"),
  );
  return exitCodes.done;
}

const descriptions = {
  model: "windows of tokens in, the logits of the next token at each place out",
  cell: "f(z, x) of which the model is a fixed point: the state and the embedded tokens in, the state that follows out",
  "train-step":
    "one update: parameters, the optimiser's memory and a batch in, the next ones out as next/…; the safetensors file has the first",
} as const;

/** `train-step.onnx` is started by the inputs in `train-step.start.safetensors`. */
const startPath = (out: string): string => `${out.replace(/\.onnx$/i, "")}.start.safetensors`;
