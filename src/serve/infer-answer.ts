import type { Tensor } from "../core/tensor.js";
import { bytesOf, datatypes, jsonOf } from "./datatypes.js";
import type { InferRequest } from "./infer-request.js";
import { badRequest, RequestError } from "./request-error.js";

/** An answer, ready to be sent. */
export interface Answer {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Numbers that go out as JSON at most: writing them holds up everything else. */
export const mostJsonNumbers = 1 << 17;

/** The names that are asked for. @throws {RequestError} for one that the model does not have */
export function askedOutputs({ outputs }: InferRequest, known: readonly string[]): readonly string[] {
  const unknown = outputs?.find(({ name }) => !known.includes(name));
  if (unknown === undefined) return outputs?.map(({ name }) => name) ?? known;
  throw badRequest(
    `The model has no output ${JSON.stringify(unknown.name.slice(0, 80))}; its outputs are ${known.join(", ")}.`,
  );
}

/** The answer to a request: JSON, and after it the bytes of what is asked for as binary data. */
export function inferAnswer(
  request: InferRequest,
  model: { readonly name: string; readonly version: string },
  outputs: Readonly<Record<string, Tensor>>,
): Answer {
  const asked = request.outputs ?? Object.keys(outputs).map((name) => ({ name, binary: request.binary }));
  const parts: Uint8Array[] = [];
  let written = 0;
  const described = asked.map(({ name, binary }) => {
    const tensor = outputs[name]!;
    const type = { name, datatype: datatypes[tensor.dtype], shape: tensor.shape };
    if (binary) {
      parts.push(bytesOf(tensor));
      return { ...type, parameters: { binary_data_size: tensor.data.byteLength } };
    }
    written += tensor.data.length;
    checkJsonNumbers(written);
    return { ...type, data: jsonOf(`The output ${JSON.stringify(name)}`, tensor) };
  });
  const head = Buffer.from(
    JSON.stringify({
      model_name: model.name,
      model_version: model.version,
      ...(request.id === undefined ? {} : { id: request.id }),
      outputs: described,
    }),
  );
  if (parts.length === 0) return { body: head, headers: { "content-type": "application/json" } };
  return {
    body: Buffer.concat([head, ...parts]),
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(head.length),
    },
  };
}

/** @throws {RequestError} for more numbers than are written as JSON */
export function checkJsonNumbers(count: number): void {
  if (count <= mostJsonNumbers) return;
  throw new RequestError(
    413,
    `The answer has ${count} numbers; as JSON there may be ${mostJsonNumbers}. Ask for them in parts, or of infer as binary ` +
      'data ("parameters": {"binary_data_output": true}).',
  );
}
