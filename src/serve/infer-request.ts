import { z } from "zod";
import { showShape, type Tensor } from "../core/tensor.js";
import { checkedSize, dtypeNamed, tensorOfBytes, tensorOfJson } from "./datatypes.js";
import { badRequest, RequestError } from "./request-error.js";

/** Parameters: what of the protocol's extensions is known here; what changes an answer is not ignored. */
const inputParameters = z.strictObject({ binary_data_size: z.int().min(0).optional() });
const outputParameters = z.strictObject({ binary_data: z.boolean().optional() });
const requestParameters = z.strictObject({ binary_data_output: z.boolean().optional() });

/** The JSON of a request to infer. */
export const inferRequestSchema = z.strictObject({
  id: z.string().max(1000).optional(),
  model_name: z.string().optional(),
  model_version: z.string().optional(),
  parameters: requestParameters.nullish(),
  inputs: z
    .array(
      z.strictObject({
        name: z.string(),
        shape: z.array(z.int().min(0)),
        datatype: z.string(),
        parameters: inputParameters.nullish(),
        data: z.array(z.unknown()).optional(),
      }),
    )
    .max(1000),
  outputs: z
    .array(z.strictObject({ name: z.string(), parameters: outputParameters.nullish() }))
    .max(1000)
    .nullish(),
});

/** What is asked of a model. */
export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** `null` for all of them */
  readonly outputs: readonly AskedOutput[] | null;
  /** whether outputs that say nothing else are binary */
  readonly binary: boolean;
}

export interface AskedOutput {
  readonly name: string;
  readonly binary: boolean;
}

export interface RequestLimits {
  /** bytes of JSON: reading it holds up everything else */
  readonly json: number;
  /** numbers in one tensor */
  readonly elements: number;
}

/**
 * A request to infer: JSON, and after it the bytes of tensors, where a header says how long the JSON is.
 *
 * @param jsonLength  the header Inference-Header-Content-Length
 * @throws {RequestError}
 */
export function parseInferRequest(
  body: Uint8Array,
  jsonLength: string | undefined,
  limits: RequestLimits,
): InferRequest {
  const length = headerLength(jsonLength, body.length);
  const asked = checked(inferRequestSchema, jsonIn(body.subarray(0, length), limits.json));
  const binary = asked.parameters?.binary_data_output ?? false;
  const inputs = new Map<string, Tensor>();
  let offset = length;
  for (const { name, shape, datatype, parameters, data } of asked.inputs) {
    const what = `The input ${JSON.stringify(name)}`;
    if (inputs.has(name)) throw badRequest(`${what} is given twice.`);
    const dtype = dtypeNamed(what, datatype);
    checkedSize(what, shape, limits.elements);
    const size = parameters?.binary_data_size;
    if ((size === undefined) === (data === undefined))
      throw badRequest(`${what} needs either data or binary_data_size.`);
    if (size === undefined) inputs.set(name, tensorOfJson(what, dtype, shape, data));
    else {
      if (size > body.length - offset)
        throw badRequest(
          `${what} has ${size} bytes, but only ${body.length - offset} are left of the request.`,
        );
      inputs.set(name, tensorOfBytes(what, dtype, shape, body.subarray(offset, offset + size)));
      offset += size;
    }
  }
  if (offset !== body.length)
    throw badRequest(`${body.length - offset} bytes follow what the inputs say that they have.`);
  const outputs = asked.outputs?.map(({ name, parameters }) => ({
    name,
    binary: parameters?.binary_data ?? binary,
  }));
  if (new Set(outputs?.map(({ name }) => name)).size !== (outputs?.length ?? 0))
    throw badRequest("An output is asked for twice.");
  return { id: asked.id, inputs, outputs: outputs?.length ? outputs : null, binary };
}

function headerLength(header: string | undefined, whole: number): number {
  if (header === undefined) return whole;
  const length = /^\d{1,10}$/.test(header) ? Number(header) : Number.NaN;
  if (length <= whole) return length;
  throw badRequest(
    `Inference-Header-Content-Length is ${JSON.stringify(header.slice(0, 40))}, but the request has ${whole} bytes.`,
  );
}

/** @throws {RequestError} for what is no JSON, or too much of it */
export function jsonIn(body: Uint8Array, most: number): unknown {
  if (body.length > most) {
    throw new RequestError(
      413,
      `The request has ${body.length} bytes of JSON; there may be ${most}. Send tensors as binary data, or in parts.`,
    );
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw badRequest("The request is not UTF-8.");
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badRequest(`The request is no JSON: ${(cause as Error).message}.`);
  }
}

/** @throws {RequestError} naming the first thing that is not as the schema has it */
export function checked<T>(schema: z.ZodType<T>, json: unknown): T {
  const found = schema.safeParse(json);
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  const where = issue!.path.length === 0 ? "The request" : issue!.path.join(".");
  throw badRequest(`${where}: ${issue!.message}.`);
}

/** A value that a model takes or gives, as the protocol describes it; `null` and names are open dimensions. */
export interface ModelType {
  readonly name: string;
  readonly dtype: Tensor["dtype"];
  readonly shape: readonly (number | string | null)[];
}

/** @throws {RequestError} for inputs that are missing, unknown, or of another type than the model takes */
export function checkInputs(
  types: readonly ModelType[],
  given: ReadonlyMap<string, Tensor>,
  inside: ReadonlySet<string>,
): void {
  const names = types.map(({ name }) => name);
  for (const name of given.keys()) {
    if (names.includes(name)) continue;
    throw badRequest(
      inside.has(name)
        ? `The file has a value for ${JSON.stringify(name)} inside, which cannot be replaced here. Export it again with --no-defaults.`
        : `The model has no input ${JSON.stringify(name.slice(0, 80))}; its inputs are ${names.join(", ")}.`,
    );
  }
  for (const { name, dtype, shape } of types) {
    const tensor = given.get(name);
    if (tensor === undefined) throw badRequest(`The input ${JSON.stringify(name)} is missing.`);
    const fits =
      tensor.shape.length === shape.length &&
      shape.every((dim, axis) => typeof dim !== "number" || dim === tensor.shape[axis]);
    if (tensor.dtype === dtype && fits) continue;
    throw badRequest(
      `The input ${JSON.stringify(name)} is ${tensor.dtype}${showShape(tensor.shape)}, but the model takes ` +
        `${dtype}${showShape(shape.map((dim) => dim ?? "?"))}.`,
    );
  }
}
