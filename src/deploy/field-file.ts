import type { Tensors } from "../fields/field.js";
import { parametersKey } from "../fields/trainable.js";
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
export function fieldGraph(ode: NeuralOde): Graph {
  const { field, dtype } = ode;
  const b = new Builder();
  const parameters = Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape }]) => [name, b.input(name, dtype, shape)]),
  );
  const t = b.input(fieldNames.t, dtype, []);
  const y = b.input(fieldNames.y, dtype, field.state);
  return b.graph({ [fieldNames.dydt]: field.apply(b, parameters, t, y) }, field.name);
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
