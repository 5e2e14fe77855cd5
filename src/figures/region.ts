import type { Method } from "../methods/method.js";
import { type Box, spectralRadius, stabilityArea } from "../methods/stability.js";
import type { Layer } from "../plot/description.js";
import { type Curve, levelCurve } from "./contour.js";

/** How closely a region is looked at. */
export interface RegionGrid {
  /** what is drawn … */
  readonly box: Box;
  /** … and what areas are counted in */
  readonly counted: Box;
  /** cells along each side */
  readonly resolution: number;
  /** what is shaded has so many more columns, since it ends at one, which must not show */
  readonly finer: number;
}

/** The αh for which a step of a method on y' = αy damps. */
export interface Region {
  readonly area: number;
  readonly boundary: Curve;
  /** Re αh of the bands */
  readonly x: readonly number[];
  /** where it damps, in upright intervals at each Re αh; the k-th of them all in band k */
  readonly bands: readonly Band[];
  /** where on the imaginary axis it neither grows nor damps, if it damps nowhere */
  readonly axis: readonly number[];
}

interface Band {
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** A radius that is 1 but for rounding, in products of a few numbers. */
const neutral = 1 + 1e-9;

/** @throws {StabilityError} if the method does not apply to y' = α y */
export function regionOf(method: Method, { box, counted, resolution, finer }: RegionGrid): Region {
  const area = stabilityArea(method, counted, resolution);
  const [xs, ys] = [axis(box.re, finer * resolution), axis(box.im, resolution)];
  const coarse = <T>(columns: readonly T[]) => columns.filter((_, i) => i % finer === 0);
  const radius = (re: number, im: number) => spectralRadius(method.stepMatrix!, [re, im]);
  if (area === 0) {
    const still = ys.map((im) => (radius(0, im) <= neutral ? im : Number.NaN));
    return { area, boundary: { x: [], y: [] }, x: xs, bands: [], axis: still };
  }
  const radii = xs.map((re) => ys.map((im) => radius(re, im)));
  return {
    area,
    boundary: levelCurve(coarse(xs), ys, coarse(radii), 1),
    x: xs,
    bands: bandsOf(radii.map((column) => intervalsOf(column, ys))),
    axis: [],
  };
}

/** A region shaded, with its boundary, and that of the base method where there is one. */
export function regionLayers(own: Region, base: Region | null): Layer[] {
  return [
    ...own.bands.map(
      (band): Layer => ({ kind: "band", name: "reversible: damps", color: "blue", x: own.x, ...band }),
    ),
    ...(base === null
      ? []
      : [
          {
            kind: "line",
            name: "boundary of the base method",
            color: "vermillion",
            ...base.boundary,
          } as const,
        ]),
    { kind: "line", name: "reversible: boundary", color: "blue", ...own.boundary },
    {
      kind: "line",
      name: "reversible: neither grows nor damps",
      color: "black",
      x: own.axis.map(() => 0),
      y: own.axis,
    },
  ];
}

const axis = ([low, high]: readonly [number, number], points: number) =>
  Array.from({ length: points + 1 }, (_, i) => low + ((high - low) * i) / points);

/** Where along a column of radii they are below 1. */
function intervalsOf(column: readonly number[], ys: readonly number[]): (readonly [number, number])[] {
  const found: [number, number][] = [];
  for (const [j, value] of column.entries()) {
    if (value >= 1) continue;
    if (j > 0 && column[j - 1]! < 1) found.at(-1)![1] = ys[j]!;
    else found.push([ys[j]!, ys[j]!]);
  }
  return found;
}

function bandsOf(columns: readonly (readonly (readonly [number, number])[])[]): Band[] {
  const most = Math.max(...columns.map((intervals) => intervals.length));
  return Array.from({ length: most }, (_, k) => ({
    low: columns.map((intervals) => intervals[k]?.[0] ?? Number.NaN),
    high: columns.map((intervals) => intervals[k]?.[1] ?? Number.NaN),
  }));
}
