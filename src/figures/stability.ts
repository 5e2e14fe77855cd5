import { alf } from "../methods/alf.js";
import { effectivelySymmetric } from "../methods/effectively-symmetric.js";
import { explicit } from "../methods/explicit.js";
import type { Method } from "../methods/method.js";
import { reversible } from "../methods/reversible.js";
import { reversibleHeun } from "../methods/reversible-heun.js";
import { type Box, spectralRadius, stabilityArea } from "../methods/stability.js";
import { ees25, ees27, euler, midpoint, ralston3, rk4 } from "../methods/tableaux.js";
import type { Layer, Panel } from "../plot/chart.js";
import { type Curve, levelCurve } from "./contour.js";
import type { Figure } from "./figure.js";

/** What is drawn … */
const box: Box = { re: [-3, 0.5], im: [-3, 3] };
/** … and what areas are counted in, as published. */
const counted: Box = { re: [-3, 0], im: [-3, 3] };
const resolution = 300;
const damping = 0.8;

/** A radius that is 1 but for rounding, in products of a few numbers. */
const neutral = 1 + 1e-9;

interface Region {
  readonly group: "base" | "reversible";
  readonly solver: string;
  readonly area: number;
  readonly boundary: Curve;
  /** where it damps, in upright intervals at each Re αh; the k-th of them all in band k */
  readonly bands: readonly Band[];
  /** where on the imaginary axis it neither grows nor damps */
  readonly axis: readonly number[];
}

interface Band {
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** Regions of the complex plane of α h in which a step on y' = α y damps. */
export const stability: Figure = {
  name: "stability",
  about:
    "stability regions of reversible methods, λ = 0.8 unless told otherwise, beside those of base methods (McCallum & Foster 2024)",
  make({ progress, ...given }) {
    const coupling = given.coupling ?? 0.8;
    const pairs: readonly { title: string; base: Method | null; reversible: Method }[] = [
      ...[euler, midpoint, ralston3, rk4].map((tableau) => ({
        title: `${tableau.name}, λ = ${coupling}`,
        base: explicit(tableau),
        reversible: reversible(tableau, { coupling }),
      })),
      { title: `ALF, η = ${damping}`, base: null, reversible: alf({ damping }) },
      { title: "reversible Heun", base: null, reversible: reversibleHeun() },
      ...[ees25, ees27].map((tableau) => ({
        ...{ title: tableau.name.toUpperCase(), base: null, reversible: effectivelySymmetric(tableau) },
      })),
    ];
    const drawn = pairs.map((pair, i) => {
      const base = pair.base === null ? null : regionOf("base", pair.base);
      const own = regionOf("reversible", pair.reversible);
      progress(i + 1, pairs.length);
      return { title: pair.title, base, own };
    });
    const regions = drawn.flatMap(({ base, own }) => (base === null ? [own] : [base, own]));
    const panels = drawn.map(
      ({ title, base, own }, i): Panel => ({
        title,
        x: { title: i + 3 < drawn.length ? "" : "Re αh", domain: [...box.re] },
        y: { title: i % 3 === 0 ? "Im αh" : "", domain: [...box.im] },
        // as many pixels for a unit of either
        width: 60 * (box.re[1] - box.re[0]),
        height: 60 * (box.im[1] - box.im[0]),
        layers: [
          ...own.bands.map(
            (band): Layer => ({ kind: "band", name: "reversible: damps", color: "blue", x: xs, ...band }),
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
        ],
      }),
    );
    return {
      chart: {
        title: "Stability regions",
        subtitle: "the αh for which a step on y' = αy damps",
        columns: 3,
        panels,
      },
      data: {
        box,
        counted,
        coupling,
        areas: regions.map(({ group, solver, area }) => ({ group, solver, area })),
        boundaries: regions.map(({ group, solver, boundary }) => ({ group, solver, ...boundary })),
      },
    };
  },
};

const axis = ([low, high]: readonly [number, number], points: number) =>
  Array.from({ length: points + 1 }, (_, i) => low + ((high - low) * i) / points);
// what is shaded ends at a column of points, which must not show
const finer = 3;
const [xs, ys] = [axis(box.re, finer * resolution), axis(box.im, resolution)];
const coarse = <T>(columns: readonly T[]) => columns.filter((_, i) => i % finer === 0);

function regionOf(group: Region["group"], method: Method): Region {
  const radius = (re: number, im: number) => spectralRadius(method.stepMatrix!, [re, im]);
  const radii = xs.map((re) => ys.map((im) => radius(re, im)));
  const area = stabilityArea(method, counted, resolution);
  const bounded = area > 0;
  return {
    group,
    solver: method.name,
    area,
    boundary: bounded ? levelCurve(coarse(xs), ys, coarse(radii), 1) : { x: [], y: [] },
    bands: bounded ? bandsOf(radii.map((column) => intervalsOf(column))) : [],
    axis: bounded ? [] : ys.map((im) => (radius(0, im) <= neutral ? im : Number.NaN)),
  };
}

/** Where along a column of radii they are below 1. */
function intervalsOf(column: readonly number[]): (readonly [number, number])[] {
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
