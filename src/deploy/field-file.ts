import { RevortError } from "../core/errors.js";
import { showBytes } from "../core/size.js";
import { bytesIn } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { parametersKey } from "../fields/records.js";
import { Builder } from "../graph/builder.js";
import { encode } from "../graph/encode.js";
import type { Graph } from "../graph/graph.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkParameters } from "../integrate/solve.js";
import { version } from "../version.js";
import { portable } from "./portable.js";

/** The names of a deployed field's inputs and output. */
export const fieldNames = { t: "t", y: "y", dydt: "dydt" } as const;

/** What a deployed field says about itself. */
export interface FieldMetadata {
  /** what t and y are measured in */
  readonly units?: { readonly time?: string; readonly state?: string };
  /** the experiment or data it was trained on */
  readonly trainedOn?: string;
}

/** Where the metadata have the names of the components: a JSON array, for names may hold commas. */
const componentsKey = "revort.components";

/** The names of a deployed field's components, where its metadata say them. */
export function componentsIn(metadata: Readonly<Record<string, string>>): readonly string[] | undefined {
  let names: unknown;
  try {
    names = JSON.parse(metadata[componentsKey] ?? "null");
  } catch {
    return undefined;
  }
  return Array.isArray(names) && names.every((name) => typeof name === "string") ? names : undefined;
}

/** The graph of a field: parameters, t and y in, dy/dt out. */
export function fieldGraph(ode: Pick<NeuralOde, "field" | "dtype">): Graph {
  const { field, dtype } = ode;
  const b = new Builder();
  const parameters = Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape }]) => [name, b.input(name, dtype, shape)]),
  );
  const t = b.input(fieldNames.t, dtype, []);
  const y = b.input(fieldNames.y, dtype, field.state);
  return b.graph({ [fieldNames.dydt]: field.apply(b, parameters, t, y) }, field.name);
}

/** A field that no `.onnx` file can hold. */
export class FieldFileError extends RevortError {}

/** Bytes that a protocol buffer holds. */
const largestFile = 2 ** 31;

/**
 * Whether a field can be written as a file, found out without its parameters: in a moment, before it is trained.
 *
 * @throws {FieldFileError} saying why not
 */
export function checkFieldFile(ode: Pick<NeuralOde, "field" | "dtype">): void {
  const { field, dtype } = ode;
  const bytes = Object.values(field.parameters).reduce(
    (sum, { shape }) => sum + bytesIn({ dtype, shape }),
    0,
  );
  if (bytes >= largestFile) {
    throw new FieldFileError(
      `The field "${field.name}" has parameters of ${showBytes(bytes)}, but an .onnx file holds ${showBytes(largestFile)}. ` +
        "Use a smaller field, or float32.",
    );
  }
  try {
    encode(portable(fieldGraph(ode)));
  } catch (cause) {
    throw new FieldFileError(
      `The field "${field.name}" could not be saved as an .onnx file, once it is trained: ${(cause as Error).message} ` +
        "Where it computes with the size of the batch, export the model with a fixed one.",
      { cause },
    );
  }
}

/**
 * A trained field as one `.onnx`: dydt = f(t, y), with its parameters as initializers and a dynamic batch, of
 * operators that ONNX Runtime has kernels for. How it was solved in training, its units, and which initializers are
 * parameters, are in the metadata.
 *
 * @throws {ParameterError} for parameters that do not fit the field
 */
export function encodeField(ode: NeuralOde, parameters: Tensors, metadata: FieldMetadata = {}): Uint8Array {
  const { field } = ode;
  return encode(portable(fieldGraph(ode)), {
    initializers: checkParameters(field, parameters, ode),
    doc: `dy/dt = f(t, y), trained by revort ${version}`,
    metadata: {
      ...metadataOf(ode, metadata),
      [parametersKey]: JSON.stringify(Object.keys(field.parameters)),
    },
  });
}

/** What the files of an equation say of it. */
export function metadataOf(
  { field, method, stepSize, dtype }: NeuralOde,
  { units, trainedOn }: FieldMetadata,
): Record<string, string> {
  return {
    "revort.version": version,
    "revort.field": field.name,
    "revort.solver": method.name,
    ...(method.coupling === null ? {} : { "revort.coupling": String(method.coupling) }),
    ...(stepSize < Number.POSITIVE_INFINITY ? { "revort.stepSize": String(stepSize) } : {}),
    ...(field.components === undefined ? {} : { [componentsKey]: JSON.stringify(field.components) }),
    ...(units?.time === undefined ? {} : { "revort.unit.time": units.time }),
    ...(units?.state === undefined ? {} : { "revort.unit.state": units.state }),
    ...(trainedOn === undefined ? {} : { "revort.trainedOn": trainedOn }),
    "revort.dtype": dtype,
  };
}
