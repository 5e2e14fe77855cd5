import { ShapeError } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { pad, padWith, slice } from "../ops/slice.js";

// Functions on grids, and their derivatives by central differences: the method of lines makes fields of partial differential
// equations of them. A function is [batch, …, grid]: its grid is the last one or two axes.

/**
 * What a function is beyond the ends of its grid: that at the other end; 0; or its mirror image at the first and last
 * points, so that its slope there is 0.
 */
export type Boundary = "periodic" | "zero" | "reflecting";

export const boundaries: readonly Boundary[] = ["periodic", "zero", "reflecting"];

export interface GridOptions {
  /** distance of neighbouring points, in all directions */
  readonly spacing: number;
  readonly boundary: Boundary;
  /** of the grid; 1 by default */
  readonly dimensions?: 1 | 2;
}

/**
 * y with so many points more at each end of some of its axes.
 *
 * @param axes  counted from the first
 * @throws {ShapeError} where an axis has fewer points than are to be added
 */
export function beyondEnds(
  b: Builder,
  y: Value,
  { width, boundary, axes }: { width: number; boundary: Boundary; axes: readonly number[] },
): Value {
  const pads = y.shape.map((_, axis) => (axes.includes(axis) ? width : 0));
  if (boundary === "zero") return pad(b, y, pads, pads);
  return padWith(b, y, pads, pads, boundary === "periodic" ? "wrap" : "reflect");
}

/**
 * Δy ≈ Σ over the axes of the grid of (y(x − d) − 2 y(x) + y(x + d)) / d², with an error of O(d²).
 *
 * @throws {ShapeError} for a value that has no such grid
 */
export function laplacian(b: Builder, y: Value, options: GridOptions): Value {
  const { spacing, dimensions = 1 } = options;
  const ends = axesOf(y, dimensions).map((axis) => neighbours(b, y, axis, options.boundary));
  const around = ends.flat().reduce((sum, next) => add(b, sum, next));
  return mul(b, sub(b, around, mul(b, y, 2 * dimensions)), 1 / spacing ** 2);
}

/**
 * ∂y/∂x ≈ (y(x + d) − y(x − d)) / 2 d along one axis of the grid, with an error of O(d²).
 *
 * @param axis  of the grid: the last one by default, −2 for the one before
 * @throws {ShapeError} for a value that has no such grid
 */
export function slopeAlong(
  b: Builder,
  y: Value,
  { spacing, boundary, axis = -1 }: Pick<GridOptions, "spacing" | "boundary"> & { axis?: -1 | -2 },
): Value {
  const own = axesOf(y, axis === -1 ? 1 : 2)[0]!;
  const [before, after] = neighbours(b, y, own, boundary);
  return mul(b, sub(b, after, before), 1 / (2 * spacing));
}

/** y(x − d) and y(x + d) */
function neighbours(b: Builder, y: Value, axis: number, boundary: Boundary): [Value, Value] {
  const points = y.shape[axis] as number;
  const wider = beyondEnds(b, y, { width: 1, boundary, axes: [axis] });
  return [slice(b, wider, axis, 0, points), slice(b, wider, axis, 2, points + 2)];
}

/** The axes of the grid, from the first. @throws {ShapeError} */
function axesOf(y: Value, dimensions: 1 | 2): number[] {
  const axes = Array.from({ length: dimensions }, (_, i) => y.shape.length - dimensions + i);
  // the batch stands before it; a mirror needs a point behind the first
  if (axes[0]! >= 1 && axes.every((axis) => typeof y.shape[axis] === "number" && y.shape[axis] > 1))
    return axes;
  throw new ShapeError(
    `A function on a grid is [batch, …, ${dimensions === 1 ? "points" : "rows, columns"}], of two points or more in each ` +
      `direction, but ${showType(y)} was given.`,
  );
}
