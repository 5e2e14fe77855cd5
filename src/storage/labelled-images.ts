import { DataError } from "./data-error.js";

/** Images with their classes, as bytes. */
export interface LabelledImages {
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** 0 to 255, [count, channels, height, width] */
  readonly pixels: Uint8Array;
  /** classes from 0, [count] */
  readonly labels: Uint8Array;
}

/** A file in memory, and what it is called. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * An array of bytes in the format idx: two zeros, the type 8, the number of axes, each size in four bytes, the largest first;
 * then the bytes.
 *
 * @param axes  how many are expected
 * @throws {DataError}
 */
export function parseIdx(
  file: NamedBytes,
  axes: number,
): { readonly shape: number[]; readonly data: Uint8Array } {
  const { bytes, name: source } = file;
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    throw new DataError(
      { source },
      "it is no idx file, which starts with two bytes of 0; give MNIST's own files",
    );
  }
  if (bytes[2] !== 8 || bytes[3] !== axes) {
    throw new DataError(
      { source },
      `unsigned bytes in ${axes} axes were expected (a header of 0 0 8 ${axes}), but its header is ${bytes.subarray(0, 4).join(" ")}`,
    );
  }
  const start = 4 + 4 * axes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = bytes.length < start ? [] : Array.from({ length: axes }, (_, k) => view.getUint32(4 + 4 * k));
  const size = shape.reduce((product, dim) => product * dim, 1);
  if (bytes.length !== start + size) {
    throw new DataError(
      { source },
      `its header says ${shape.join(" × ") || "nothing"} bytes, but ${bytes.length - start} come after it; download it again`,
    );
  }
  return { shape, data: bytes.subarray(start) };
}

/** MNIST, or what has its format: images and their labels. @throws {DataError} */
export function parseMnist(images: NamedBytes, labels: NamedBytes): LabelledImages {
  const { shape, data } = parseIdx(images, 3);
  const [count, height, width] = shape as [number, number, number];
  const classes = parseIdx(labels, 1);
  if (classes.shape[0] !== count) {
    throw new DataError(
      { source: labels.name },
      `it has ${classes.shape[0]} labels, but ${images.name} has ${count} images`,
    );
  }
  return checked(images.name, { count, channels: 1, height, width, pixels: data, labels: classes.data });
}

/**
 * CIFAR-10 in its binary version: for each image the class in one byte, then 32 × 32 bytes each of red, green and blue.
 *
 * @throws {DataError}
 */
export function parseCifar(file: NamedBytes): LabelledImages {
  const { bytes, name: source } = file;
  const pixelsOfOne = 3 * 32 * 32;
  if (
    bytes[0] === 0x80 &&
    bytes[1] !== undefined &&
    bytes[1] <= 5 &&
    bytes.length % (pixelsOfOne + 1) !== 0
  ) {
    throw new DataError(
      { source },
      "it is a pickle of Python; give the binary version, cifar-10-binary.tar.gz unpacked",
    );
  }
  if (bytes.length === 0 || bytes.length % (pixelsOfOne + 1) !== 0) {
    throw new DataError(
      { source },
      `CIFAR-10's binary records have ${pixelsOfOne + 1} bytes each, but it has ${bytes.length}, which is no multiple`,
    );
  }
  const count = bytes.length / (pixelsOfOne + 1);
  const [pixels, labels] = [new Uint8Array(count * pixelsOfOne), new Uint8Array(count)];
  for (let i = 0; i < count; i++) {
    const record = bytes.subarray(i * (pixelsOfOne + 1), (i + 1) * (pixelsOfOne + 1));
    labels[i] = record[0]!;
    pixels.set(record.subarray(1), i * pixelsOfOne);
  }
  return checked(source, { count, channels: 3, height: 32, width: 32, pixels, labels });
}

/** Images of several files, one after the other; all of one size. */
export function joinedImages([first, ...rest]: readonly LabelledImages[]): LabelledImages {
  const all = [first!, ...rest];
  const joined = (of: (images: LabelledImages) => Uint8Array) => {
    const whole = new Uint8Array(all.reduce((sum, images) => sum + of(images).length, 0));
    let at = 0;
    for (const images of all) {
      whole.set(of(images), at);
      at += of(images).length;
    }
    return whole;
  };
  return {
    ...{ ...first!, count: all.reduce((sum, { count }) => sum + count, 0) },
    ...{ pixels: joined(({ pixels }) => pixels), labels: joined(({ labels }) => labels) },
  };
}

/** @throws {DataError} for no images, or a class that is not one of ten */
function checked(source: string, images: LabelledImages): LabelledImages {
  if (images.count === 0) throw new DataError({ source }, "it has no images");
  const wrong = images.labels.findIndex((label) => label > 9);
  if (wrong < 0) return images;
  throw new DataError(
    { source },
    `image ${wrong} has the class ${images.labels[wrong]}, but there are ten, 0 to 9`,
  );
}
