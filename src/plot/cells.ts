import type { Mark } from "vega";
import type { Cells, Chart } from "./description.js";
import type { Measure } from "./font.js";
import { textMark } from "./marks.js";
import { theme } from "./theme.js";

// Values on a grid as shades of one colour, from white at the lowest to the darkest at the highest.

/** As many shades as neighbouring values can be told apart by. */
const count = 32;

/** From the lowest value to the highest: white, the blue of the palette at two thirds, and nearly black. */
export const shades: readonly string[] = Array.from({ length: count }, (_, k) => shadeAt(k / (count - 1)));

function shadeAt(share: number): string {
  const stops = [
    { at: 0, color: [255, 255, 255] },
    { at: 2 / 3, color: [0, 114, 178] },
    { at: 1, color: [0, 32, 60] },
  ] as const;
  const above = Math.max(
    1,
    stops.findIndex(({ at }) => at >= share),
  );
  const [from, to] = [stops[above - 1]!, stops[above]!];
  const part = (share - from.at) / (to.at - from.at);
  const mixed = from.color.map((low, i) => Math.round(low + part * (to.color[i]! - low)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** From the lowest to the highest of what is shaded; layers of one name share it, in whichever panels they are. */
export type Range = readonly [number, number];

/** The range of a layer: its own, or from the least to the greatest value of all layers of its name. */
export function rangeOf(layer: Cells, { panels }: Chart): Range {
  if (layer.range !== undefined) return layer.range;
  const named = panels
    .flatMap(({ layers }) => layers.filter((other) => other.kind === "cells"))
    .filter(({ name }) => name !== undefined && name === layer.name);
  const alike = named.length === 0 ? [layer] : named;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of alike.flatMap(({ values }) => Array.from(values))) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : [0, 1];
}

/** The number of a value's shade; −1 for one that is not finite, which has none. */
function shadeOf(value: number, [low, high]: Range): number {
  if (!Number.isFinite(value)) return -1;
  const share = high > low ? (value - low) / (high - low) : 0;
  return Math.min(count - 1, Math.max(0, Math.floor(share * count)));
}

/** What is written in a cell is white where the cell is dark. */
export function inkOn(value: number, range: Range): string {
  return shadeOf(value, range) > count / 2 ? theme.background : theme.ink;
}

/** Cells of a row that lie side by side. */
export interface Run {
  readonly row: number;
  /** the first column, and the one after the last */
  readonly from: number;
  readonly to: number;
}

/**
 * For each shade, the cells that are as dark or darker: drawn one over the other, from the lightest on, no seam between two
 * cells shows what is behind them.
 */
export function runsByShade({ x, y, values }: Cells, range: Range): Run[][] {
  const [columns, rows] = [x.length - 1, y.length - 1];
  const own = Array.from({ length: rows * columns }, (_, i) => shadeOf(values[i]!, range));
  return shades.map((_, shade) =>
    Array.from({ length: Math.max(0, rows) }, (_, row): Run[] => {
      const runs: Run[] = [];
      for (let column = 0; column < columns; column++) {
        if (own[row * columns + column]! < shade) continue;
        const from = column;
        while (column < columns && own[row * columns + column]! >= shade) column++;
        runs.push({ row, from, to: column });
      }
      return runs;
    }).flat(),
  );
}

/** Where the edges of cells are in a picture, in pixels. */
export interface Edges {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** The outlines of runs, as a path of SVG. */
export function outlines(runs: readonly Run[], { x, y }: Edges): string {
  const short = (value: number) => Number(value.toFixed(2));
  return runs
    .map(({ row, from, to }) => {
      const [left, right, bottom, top] = [x[from]!, x[to]!, y[row]!, y[row + 1]!].map(short);
      return `M${left},${top}H${right}V${bottom}H${left}Z`;
    })
    .join("");
}

/** The cells of a panel, and what is written in those that have room for it. */
export function cellMarks(layer: Cells, range: Range, edges: Edges, measure: Measure): Mark[] {
  const paths = runsByShade(layer, range).flatMap((runs, shade): Mark[] =>
    runs.length === 0 ? [] : [pathMark(outlines(runs, edges), shades[shade]!)],
  );
  const { labels, values } = layer;
  if (labels === undefined) return paths;
  const columns = layer.x.length - 1;
  const texts = Array.from(values).flatMap((value, i): Mark[] => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const [left, right] = [edges.x[column]!, edges.x[column + 1]!];
    const [bottom, top] = [edges.y[row]!, edges.y[row + 1]!];
    const text = labels[i]!;
    const hasRoom = measure(text, theme.label) <= right - left - 2 && theme.label.size <= bottom - top;
    if (text === "" || !hasRoom) return [];
    const color = inkOn(value, range);
    const place = {
      x: (left + right) / 2,
      y: (bottom + top) / 2,
      align: "center",
      baseline: "middle",
    } as const;
    return [textMark(text, theme.label, { ...place, color })];
  });
  return [...paths, ...texts];
}

function pathMark(path: string, color: string): Mark {
  return {
    type: "path",
    clip: true,
    interactive: false,
    encode: { enter: { path: { value: path }, fill: { value: color } } },
  };
}

/** What stands beside the shades in a legend: "density, 0 to 0.93". */
export function rangeText(name: string, [low, high]: Range): string {
  const isNothing = (value: number) => Math.abs(value) < 1e-3 * (high - low);
  const short = (value: number) =>
    isNothing(value) ? "0" : String(Number(value.toPrecision(2))).replace("-", "−");
  return `${name}, ${short(low)} to ${short(high)}`;
}
