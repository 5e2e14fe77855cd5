import { DataError } from "./data-error.js";

/** An array of numbers from a NumPy file. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** row-major */
  readonly data: Float64Array;
}

const kinds: Readonly<Record<string, (view: DataView, at: number, little: boolean) => number>> = {
  f8: (view, at, little) => view.getFloat64(at, little),
  f4: (view, at, little) => view.getFloat32(at, little),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  i4: (view, at, little) => view.getInt32(at, little),
  i2: (view, at, little) => view.getInt16(at, little),
  i1: (view, at) => view.getInt8(at),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  u4: (view, at, little) => view.getUint32(at, little),
  u2: (view, at, little) => view.getUint16(at, little),
  u1: (view, at) => view.getUint8(at),
};

/**
 * Numbers from the bytes of a .npy file (format 1 to 3), in rows as NumPy has them, or in columns (`fortran_order`).
 *
 * @throws {DataError} for bytes that are no such file, objects and texts in place of numbers, or fewer numbers than its shape says
 */
export function parseNpy(bytes: Uint8Array, { source }: { readonly source: string }): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wrong = (why: string) => new DataError({ source }, why);
  if (
    bytes.length < 12 ||
    bytes[0] !== 0x93 ||
    new TextDecoder("latin1").decode(bytes.subarray(1, 6)) !== "NUMPY"
  ) {
    throw wrong("it is no NumPy file; write it by numpy.save");
  }
  const wide = bytes[6]! > 1;
  const start = wide ? 12 : 10;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([<>|=]?)([a-zA-Z])(\d+)'/.exec(header);
  const shaped = /'shape':\s*\(([^)]*)\)/.exec(header);
  if (descr === null || shaped === null)
    throw wrong("its header names no plain type of numbers and shape; save an array of floats");
  const [, order, letter, size] = descr as unknown as [string, string, string, string];
  const read = kinds[`${letter}${size}`];
  if (read === undefined)
    throw wrong(`it holds the type ${letter}${size}; save it as floats: array.astype("float64")`);
  const shape = shaped[1]!.split(",").flatMap((word) => (word.trim() === "" ? [] : [Number(word)]));
  const count = shape.reduce((product, dim) => product * dim, 1);
  const width = Number(size);
  const at = start + length;
  if (!(count * width <= bytes.length - at)) {
    throw wrong(
      `its shape (${shape.join(", ")}) takes ${count * width} bytes, but it has ${bytes.length - at}; it was cut off`,
    );
  }
  const stored = Float64Array.from({ length: count }, (_, i) => read(view, at + i * width, order !== ">"));
  return { shape, data: /'fortran_order':\s*True/.test(header) ? transposed(stored, shape) : stored };
}

/** Numbers stored with the first index fastest, in the order of rows. */
function transposed(data: Float64Array, shape: readonly number[]): Float64Array {
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, dim) => product * dim, 1));
  return data.map((_, i) => {
    let [rest, place] = [i, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += (rest % shape[axis]!) * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return data[place]!;
  });
}
