import { Random } from "../core/random.js";
import { type FloatDType, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Dataset } from "../models/dataset.js";
import type { Training } from "../nn/layer.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { floor } from "../ops/elementwise.js";
import { range } from "../ops/generate.js";
import { matmul } from "../ops/linalg.js";
import { equal, less, where } from "../ops/logic.js";
import { cast, reshape, transpose, unsqueeze } from "../ops/reshape.js";
import { pad } from "../ops/slice.js";
import { DataError } from "../storage/data-error.js";
import {
  joinedImages,
  type LabelledImages,
  type NamedBytes,
  parseCifar,
  parseMnist,
} from "../storage/labelled-images.js";
import { drawnShapes, shapeNames } from "./drawn-shapes.js";

/** A collection of images of ten classes, in the files that it comes in. */
export interface ImageCollection {
  readonly name: string;
  /** what its classes are called */
  readonly classes: readonly string[];
  readonly channels: number;
  /** height and width */
  readonly size: number;
  /** of each channel of pixels from 0 to 1, as is usual for it */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  /** whether an image mirrored is as good as the image */
  readonly mirrored: boolean;
  /** what --data is */
  readonly what: string;
  /** the files of a folder that are read. @throws {DataError} where they are not there */
  readonly filesIn: (names: readonly string[], folder: string) => readonly string[];
  readonly parse: (files: readonly NamedBytes[]) => ImageSets;
}

export interface ImageSets {
  readonly training: LabelledImages;
  readonly test: LabelledImages;
}

/** @throws {DataError} naming what is missing, and what is there */
function found(names: readonly string[], pattern: RegExp, folder: string, what: string): string[] {
  const own = names.filter((name) => pattern.test(name)).sort();
  // one file packed and unpacked is one file
  const unique = own.filter((name) => !own.includes(name.replace(/\.gz$/, "")) || !name.endsWith(".gz"));
  if (unique.length > 0) return unique;
  const some = names.slice(0, 8).join(", ") || "nothing";
  throw new DataError(
    { source: folder },
    `${what} were looked for, but there is ${some}${names.length > 8 ? ", …" : ""}`,
  );
}

export const mnist: ImageCollection = {
  ...{ name: "MNIST", channels: 1, size: 28, mirrored: false },
  classes: Array.from({ length: 10 }, (_, digit) => String(digit)),
  ...{ mean: [0.1307], deviation: [0.3081] },
  what: "a folder with MNIST's four files, train-images-idx3-ubyte and so on, packed by gzip or not",
  filesIn: (names, folder) =>
    ["train-images", "train-labels", "t10k-images", "t10k-labels"].map((start) => {
      const pattern = new RegExp(`^${start}[-.]idx[13]-ubyte(\\.gz)?$`);
      return found(names, pattern, folder, `MNIST's ${start}-idx…-ubyte (packed by gzip or not)`)[0]!;
    }),
  parse([images, labels, testImages, testLabels]) {
    return { training: parseMnist(images!, labels!), test: parseMnist(testImages!, testLabels!) };
  },
};

export const cifar: ImageCollection = {
  ...{ name: "CIFAR-10", channels: 3, size: 32, mirrored: true },
  classes: "airplane automobile bird cat deer dog frog horse ship truck".split(" "),
  ...{ mean: [0.4914, 0.4822, 0.4465], deviation: [0.247, 0.2435, 0.2616] },
  what: "a folder with CIFAR-10's binary files, data_batch_1.bin … test_batch.bin, packed by gzip or not",
  filesIn: (names, folder) => [
    ...found(
      names,
      /^(data_batch|train).*\.bin(\.gz)?$/,
      folder,
      "CIFAR-10's data_batch_….bin (binary version)",
    ),
    ...found(names, /^test.*\.bin(\.gz)?$/, folder, "CIFAR-10's test_batch.bin (binary version)"),
  ],
  parse(files) {
    const isTest = ({ name }: NamedBytes) => name.startsWith("test");
    return {
      training: joinedImages(files.filter((file) => !isTest(file)).map(parseCifar)),
      test: joinedImages(files.filter(isTest).map(parseCifar)),
    };
  },
};

/** How many drawn shapes there are at most; they are drawn anew for each run. */
const drawn = { training: 2000, test: 500 };

export interface ImageDataOptions {
  readonly files: readonly NamedBytes[];
  /** most of the images to train on, of an order drawn from a seed; `null` for all */
  readonly samples: number | null;
  readonly dtype: FloatDType;
}

/**
 * Images of a collection, or drawn shapes of its size where there are no files: image [count, channels, size, size] from 0 to 1,
 * label [count]. Where not all are trained on, a quarter as many are tested on.
 *
 * @throws {DataError} for images of another size
 */
export function imageData(
  collection: ImageCollection,
  { files, samples, dtype }: ImageDataOptions,
): { readonly training: Dataset; readonly test: Dataset; readonly classes: readonly string[] } {
  const { channels, size } = collection;
  const most = samples ?? Number.POSITIVE_INFINITY;
  const mostTested = samples === null ? most : Math.ceil(samples / 4);
  const sets: ImageSets =
    files.length > 0
      ? collection.parse(files)
      : {
          training: drawnShapes({ count: Math.min(most, drawn.training), channels, size, seed: 0 }),
          test: drawnShapes({ count: Math.min(mostTested, drawn.test), channels, size, seed: 1 }),
        };
  for (const [i, { height, width }] of [sets.training, sets.test].entries()) {
    if (height === size && width === size) continue;
    throw new DataError(
      { source: files[i * 2]?.name ?? collection.name },
      `images of ${size} × ${size} were expected, but these are ${height} × ${width}`,
    );
  }
  return {
    classes: files.length > 0 ? collection.classes : shapeNames,
    training: datasetOf(sets.training, most, dtype),
    test: datasetOf(sets.test, mostTested, dtype),
  };
}

/** Images from 0 to 1; where there are more than are wanted, some of them at random. */
function datasetOf(
  { count, channels, height, width, pixels, labels }: LabelledImages,
  most: number,
  dtype: FloatDType,
) {
  const size = channels * height * width;
  const order = count <= most ? null : Random.seeded(0).permutation(count).slice(0, most);
  const taken = order?.length ?? count;
  const at = (i: number) => order?.[i] ?? i;
  const values = dtype === "float32" ? new Float32Array(taken * size) : new Float64Array(taken * size);
  for (let i = 0; i < taken; i++) {
    for (let k = 0; k < size; k++) values[i * size + k] = pixels[at(i) * size + k]! / 255;
  }
  return {
    image: tensor(dtype, [taken, channels, height, width], values),
    label: tensor(
      "int64",
      [taken],
      BigInt64Array.from({ length: taken }, (_, i) => BigInt(labels[at(i)]!)),
    ),
  };
}

/**
 * A window of each image at random, of its own size in the image with so many pixels of 0 around; mirrored half of the time
 * where that is asked for. Rows and columns are chosen by products with matrices of 0 and 1, which are exact.
 *
 * @param image  [batch, channels, height, width]
 */
export function shifted(
  b: Builder,
  image: Value,
  { margin = 4, mirrored }: { readonly margin?: number; readonly mirrored: boolean },
  training: Training,
): Value {
  const [batch, , height, width] = image.shape as readonly number[];
  const dtype = image.dtype as FloatDType;
  const draws = () => training.uniform(b, [batch!, 1, 1]);
  const numbersTo = (count: number, shape: readonly number[]) =>
    reshape(b, cast(b, range(b, count), dtype), shape);
  const offset = () => floor(b, mul(b, draws(), 2 * margin + 1));
  /** [batch, length, length + 2 margin]: which places are taken */
  const choice = (length: number, turned: Value | null) => {
    const from = numbersTo(length, [1, length, 1]);
    const place = turned === null ? from : where(b, turned, sub(b, length - 1, from), from);
    const all = numbersTo(length + 2 * margin, [1, 1, length + 2 * margin]);
    return cast(b, equal(b, add(b, place, offset()), all), dtype);
  };
  const rows = choice(height!, null);
  const columns = choice(width!, mirrored ? less(b, draws(), 0.5) : null);
  const wide = pad(b, image, [0, 0, margin, margin], [0, 0, margin, margin]);
  const cut = matmul(b, unsqueeze(b, rows, [1]), wide);
  return matmul(b, cut, unsqueeze(b, transpose(b, columns, [0, 2, 1]), [1]));
}
