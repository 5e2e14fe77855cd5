import { decode } from "../graph/decode.js";
import type { ExternalData } from "../graph/decode-tensor.js";
import { ExternalDataError, type Model, ModelError, shown } from "../graph/model.js";

/** A protocol buffer holds no more. */
const maxBytes = 2 ** 31;

/** Where a model is: its address, from the page's where it has no host; or its bytes, or a file that a visitor chose. */
export type ModelSource = string | URL | ArrayBuffer | Uint8Array | Blob;

export interface LoadModelOptions {
  /** what messages call a model that is given as bytes */
  readonly name?: string;
  /** stops what is on its way */
  readonly signal?: AbortSignal;
  /** files of tensor data beside the model, by the names that it has for them; those of an address are fetched */
  readonly external?: Readonly<Record<string, ArrayBuffer | Uint8Array>>;
}

/**
 * Reads a model from an address or from bytes, in a browser. Tensor data that it keeps in files beside it come from
 * `external`; a model with an address may have them in its own folder and those below it.
 *
 * @throws {ModelError} if it cannot be fetched, or is no valid model
 * @throws {ExternalDataError} if tensor data are missing, out of range, or outside the model's folder
 */
export async function loadModel(source: ModelSource, options: LoadModelOptions = {}): Promise<Model> {
  const { signal, external = {} } = options;
  const address = typeof source === "string" || source instanceof URL ? addressOf(source) : null;
  const bytes =
    address === null
      ? await bytesOf(source as Exclude<ModelSource, string | URL>)
      : await fetched(address, signal);
  const name = options.name ?? address?.href ?? (source instanceof File ? source.name : "The ONNX model");
  const beside = new Map<string, Uint8Array>(
    Object.entries(external).map(([file, data]) => [file, new Uint8Array(data)]),
  );
  // a file that is not here yet ends the decoding, which is begun again once it is
  for (;;) {
    const missing: { location?: string } = {};
    const readExternal = (data: ExternalData): Uint8Array => {
      const file = beside.get(data.location);
      if (file !== undefined) return sectionOf(file, data);
      missing.location = data.location;
      throw new ExternalDataError(
        `The data of the tensor ${shown(data.tensor)} are in another file, ${shown(data.location)}. ` +
          "Give its bytes as external: { name: bytes }, or export the model in one file.",
      );
    };
    try {
      return decode(bytes, { source: name, readExternal });
    } catch (cause) {
      if (missing.location === undefined || address === null) throw cause;
      beside.set(missing.location, await fetched(besideOf(address, missing.location), signal));
    }
  }
}

function addressOf(source: string | URL): URL {
  try {
    return new URL(source, globalThis.location?.href);
  } catch (cause) {
    throw new ModelError(
      `${shown(String(source))} is no address of a model. Give a URL, or the bytes of an .onnx file.`,
      {
        cause,
      },
    );
  }
}

/** The address of a file beside a model. @throws {ExternalDataError} if it is not in the model's folder, or below it */
function besideOf(address: URL, location: string): URL {
  const folder = new URL(".", address);
  // what is a part of a path must not be read as a query, a fragment or another host
  const file = new URL(location.split("/").map(encodeURIComponent).join("/"), folder);
  const isPlain = !/^[/\\]|[\\\0]/.test(location) && !location.split("/").includes("..");
  if (isPlain && file.origin === folder.origin && file.pathname.startsWith(folder.pathname)) return file;
  throw new ExternalDataError(
    `Tensor data are said to be in ${shown(location)}, outside the model's folder. Put the file beside the model, and export it again.`,
  );
}

async function fetched(address: URL, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const failed = (why: string, cause?: unknown) =>
    new ModelError(
      `${address.href} cannot be fetched (${why}). Check the address, and that the server lets this page read it.`,
      {
        cause,
      },
    );
  let response: Response;
  try {
    response = await fetch(address, signal === undefined ? {} : { signal });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw failed((cause as Error).message, cause);
  }
  if (!response.ok) throw failed(`status ${response.status}`);
  return bytesOf(await response.arrayBuffer());
}

async function bytesOf(source: ArrayBuffer | Uint8Array | Blob): Promise<Uint8Array> {
  const bytes = source instanceof Blob ? await source.arrayBuffer() : source;
  if (!(bytes instanceof ArrayBuffer || bytes instanceof Uint8Array)) {
    throw new ModelError(
      "A model is loaded from an address, or from bytes: a string, URL, ArrayBuffer, Uint8Array, Blob or File.",
    );
  }
  if (bytes.byteLength < maxBytes) return new Uint8Array(bytes);
  throw new ModelError(
    `The model has ${bytes.byteLength} bytes, but an .onnx file has less than ${maxBytes}. Save its tensors as external data.`,
  );
}

function sectionOf(file: Uint8Array, { tensor, location, offset, length }: ExternalData): Uint8Array {
  if (offset + length <= file.length) return file.subarray(offset, offset + length);
  throw new ExternalDataError(
    `The data of the tensor ${shown(tensor)} are said to be in ${shown(location)} from byte ${offset} to ${offset + length}, but that ` +
      `has ${file.length} bytes. It is not the one that belongs to the model, or it is cut short.`,
  );
}
