import { ShapeError } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Op, showType, staticShape, type Value } from "../graph/graph.js";
import { anything, choice, int, takes } from "../graph/signature.js";
import { reshape, transpose } from "./reshape.js";
import { written } from "./written.js";

// Images [batch, channels, height, width] whose squares of places become channels, and back.

/** The sizes of an image, where its sizes allow squares. */
function sizesOf(
  type: string,
  x: Value,
  size: number,
  fits: (channels: number, height: number, width: number) => boolean,
) {
  const shape = staticShape(x, type);
  const [batch, channels, height, width] = shape as [number, number, number, number];
  if (shape.length === 4 && size > 0 && fits(channels, height, width))
    return { batch, channels, height, width };
  throw new ShapeError(`${type}: ${showType(x)} has no squares of ${size} by ${size}.`);
}

/** The depth is in front of the places in a square (CRD), or behind them (DCR). */
type Mode = "DCR" | "CRD";

export const SpaceToDepth: Op = written(
  {
    type: "SpaceToDepth",
    inputs: [takes("input", anything)],
    attributes: {
      blocksize: int(undefined, { required: true }),
      mode: choice(["DCR", "CRD"], { since: 28 }),
    },
  },
  (b, [x], { blocksize }) => [spaceToDepth(b, x!, blocksize as number)],
);

export function spaceToDepth(b: Builder, x: Value, size: number, mode: Mode = "DCR"): Value {
  const fits = (_: number, h: number, w: number) => h % size === 0 && w % size === 0;
  const { batch, channels, height, width } = sizesOf("SpaceToDepth", x, size, fits);
  const [rows, columns] = [height / size, width / size];
  const squares = reshape(b, x, [batch, channels, rows, size, columns, size]);
  const perm = mode === "CRD" ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4];
  return reshape(b, transpose(b, squares, perm), [batch, channels * size * size, rows, columns]);
}

export const DepthToSpace: Op = written(
  {
    type: "DepthToSpace",
    inputs: [takes("input", anything)],
    attributes: {
      blocksize: int(undefined, { required: true }),
      mode: choice(["DCR", "CRD"], { since: 11 }),
    },
  },
  (b, [x], { blocksize, mode }) => {
    const size = blocksize as number;
    const { batch, channels, height, width } = sizesOf(
      "DepthToSpace",
      x!,
      size,
      (c) => c % (size * size) === 0,
    );
    const depth = channels / (size * size);
    const isDeep = mode === "CRD";
    const squares = reshape(b, x!, [
      batch,
      ...(isDeep ? [depth, size, size] : [size, size, depth]),
      height,
      width,
    ]);
    const perm = isDeep ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
    return [reshape(b, transpose(b, squares, perm), [batch, depth, height * size, width * size])];
  },
);
