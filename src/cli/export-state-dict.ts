import { printable } from "../core/printable.js";
import { type StateDict, stateDictOf } from "../deploy/state-dict.js";
import type { Tensors } from "../fields/field.js";
import type { ImportOptions } from "../fields/imported.js";
import type { Model } from "../graph/model.js";
import { writeAtomic } from "../storage/atomic.js";
import { encodeSafetensors } from "../storage/safetensors.js";
import type { Console } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import type { ExportOptions } from "./export-files.js";

/** Trained numbers of a field, and the file that it is from, where it is from one. */
export interface TrainedField {
  readonly trained: Tensors;
  readonly field: string;
  readonly trainedOn: string;
  readonly file: { readonly model: Model; readonly options: ImportOptions } | null;
}

/**
 * `revort export --what state-dict`: the trained numbers as safetensors, which PyTorch loads as a state dict. Those of an
 * imported file get the names and shapes of its module back.
 *
 * @returns the exit code
 */
export async function exportStateDict(
  run: string,
  { out, json }: ExportOptions,
  { trained, field, trainedOn, file }: TrainedField,
  console: Console,
): Promise<number> {
  const dict: StateDict =
    file === null
      ? { tensors: trained, renamed: [], unknown: [], missing: [] }
      : stateDictOf(file.model, trained, file.options);
  const bytes = encodeSafetensors(dict.tensors, {
    ...{ format: "pt", "revort.field": field, "revort.trainedOn": trainedOn },
  });
  await writeAtomic(out, bytes);
  const notes = notesOf(dict);
  if (json) {
    const { tensors, ...rest } = dict;
    const shapes = Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
    console.json({ run, what: "state-dict", out, bytes: bytes.length, tensors: shapes, ...rest });
    return exitCodes.done;
  }
  console.note(`Written to ${out} (${bytes.length} bytes)`);
  for (const note of notes) console.note(note);
  console.stdout.write(`${description(out, dict)}\n`);
  return exitCodes.done;
}

/** What the file leaves to whoever loads it. */
function notesOf({ unknown, missing }: StateDict): string[] {
  return [
    ...unknown.map(
      ({ name, computedFrom }) =>
        `${name} has the name of the .onnx file: ` +
        (computedFrom.length === 0
          ? "what the module calls it the file does not say."
          : `the exporter computed it from ${computedFrom.join(", ")}, and what was trained is the result.`),
    ),
    ...(missing.length === 0
      ? []
      : [
          `The module also has ${missing.join(", ")}, which the .onnx file does not hold as such. ` +
            "Load with strict=False and set them yourself, or export the module again so that they stay " +
            "(torch.onnx.export(…, optimize=False)).",
        ]),
  ];
}

function description(out: string, { tensors, renamed, unknown, missing }: StateDict): string {
  const from = new Map(renamed.map((one) => [one.name, one]));
  const lines = Object.entries(tensors).map(([name, { dtype, shape }]) => {
    const other = from.get(name);
    const origin =
      other === undefined ? "" : `  (${other.from} in the file${other.transposed ? ", transposed" : ""})`;
    return `  ${printable(name)}  ${dtype} [${shape.join(", ")}]${printable(origin)}`;
  });
  const strict = unknown.length === 0 && missing.length === 0 ? "" : ", strict=False";
  return [
    `${printable(out)}: a state dict of PyTorch`,
    ...["", ...lines, "", "In Python:", ""],
    "  from safetensors.torch import load_file",
    "",
    `  module.load_state_dict(load_file(${JSON.stringify(out)})${strict})`,
  ].join("\n");
}
