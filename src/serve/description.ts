import { kindOf } from "../deploy/kind.js";
import { loadModel } from "../deploy/load-model.js";
import { stepSizeIn } from "../deploy/trained-solver.js";
import { importedField } from "../fields/imported.js";
import { decode } from "../graph/decode.js";
import type { Model } from "../graph/model.js";
import type { Description, FieldDescription, ModelFile } from "./messages.js";
import { readModelFile } from "./model-file.js";
import { rowsIn } from "./sharing.js";

/** A file as revort reads it, or why it does not: ONNX Runtime may know operators that revort has none for. */
export async function modelIn(file: ModelFile): Promise<Model> {
  const { path } = file;
  const bytes = await readModelFile(file);
  try {
    return decode(bytes, { source: path });
  } catch (cause) {
    // tensors beside the file are read from its folder, and from nowhere else
    if ((cause as Error).name === "ExternalDataError") return loadModel(path);
    throw cause;
  }
}

/** What revort finds out about a file, beside the inputs and outputs that ONNX Runtime tells of. */
export async function described(
  file: ModelFile,
): Promise<Pick<Description, "inside" | "metadata" | "kind" | "field" | "rows">> {
  let model: Model;
  try {
    model = await modelIn(file);
  } catch (cause) {
    const reason = (cause as Error).message;
    return { inside: [], metadata: {}, kind: null, field: { reason }, rows: { reason } };
  }
  return {
    inside: model.graph.optional.map(({ name }) => name),
    metadata: model.metadata,
    kind: kindOf(model.metadata),
    field: fieldIn(model),
    rows: rowsIn(model),
  };
}

function fieldIn(model: Model): FieldDescription | { readonly reason: string } {
  if (kindOf(model.metadata) !== null) return { reason: "The file is no vector field." };
  try {
    const { state, dtype, parameters } = importedField(model);
    return {
      state,
      dtype: dtype!,
      parameters: Object.fromEntries(
        Object.entries(parameters).map(([name, { shape }]) => [name, shape as readonly number[]]),
      ),
      stepSize: stepSizeIn(model.metadata) ?? null,
    };
  } catch (cause) {
    return { reason: (cause as Error).message };
  }
}
