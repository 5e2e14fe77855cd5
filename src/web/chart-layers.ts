import { inkOn, outlines, type Range, runsByShade, shades } from "../plot/cells.js";
import type { Cells, Layer, SeriesLayer } from "../plot/description.js";
import type { Color } from "../plot/theme.js";
import { thin } from "../plot/thin.js";
import { svg } from "./svg.js";

/** As many points of a line as can be told apart, and more. */
const mostPoints = 2000;

/** Where values are in a picture. */
export interface Place {
  x(value: number): number;
  y(value: number): number;
  isIn(x: number, y: number): boolean;
}

/** The ends of an axis. */
export type Ends = readonly [number, number];

/** What has a colour of its own. */
export type Series = SeriesLayer;

/** How the layers of a chart look, so that those of one name look alike in all panels. */
export interface Looks {
  readonly colorOf: (layer: Series) => Color;
  readonly rangeOf: (layer: Cells) => Range;
}

export function drawLayer(
  layer: Layer,
  place: Place,
  { colorOf, rangeOf }: Looks,
  { xs, ys }: { xs: Ends; ys: Ends },
): SVGElement[] {
  const { x, y, isIn } = place;
  const point = (i: number, values: ArrayLike<number>) =>
    `${x((layer as { x: ArrayLike<number> }).x[i]!).toFixed(1)} ${y(values[i]!).toFixed(1)}`;
  switch (layer.kind) {
    case "line": {
      let pen = "M";
      const path = thin(layer, mostPoints).map((i) => {
        if (!isIn(layer.x[i]!, layer.y[i]!)) {
          pen = "M";
          return "";
        }
        const part = pen + point(i, layer.y);
        pen = "L";
        return part;
      });
      return [
        svg("path", { class: `line ${colorOf(layer)}${layer.dashed ? " dashed" : ""}`, d: path.join("") }),
      ];
    }
    case "points": {
      const r = layer.x.length > 120 ? 1.6 : 3;
      const dots = Array.from({ length: layer.x.length }, (_, i) =>
        isIn(layer.x[i]!, layer.y[i]!)
          ? `M${point(i, layer.y)}m${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`
          : "",
      );
      return [svg("path", { class: `fill ${colorOf(layer)}`, d: dots.join("") })];
    }
    case "band": {
      const pieces = stretches(
        layer.x.length,
        (i) => isIn(layer.x[i]!, layer.low[i]!) && isIn(layer.x[i]!, layer.high[i]!),
      );
      const d = pieces.map((piece) => {
        const upper = piece.map((i) => point(i, layer.high));
        const lower = piece.toReversed().map((i) => point(i, layer.low));
        return `M${[...upper, ...lower].join("L")}Z`;
      });
      return [svg("path", { class: `shade ${colorOf(layer)}`, d: d.join("") })];
    }
    case "bars": {
      const bars = Array.from(
        { length: layer.x.length },
        (_, i) => `M${point(i, layer.low)}L${point(i, layer.high)}`,
      );
      return [svg("path", { class: `line ${colorOf(layer)}`, d: bars.join("") })];
    }
    case "cells": {
      const edges = { x: Array.from(layer.x, x), y: Array.from(layer.y, y) };
      const range = rangeOf(layer);
      const paths = runsByShade(layer, range).map((runs, k) =>
        svg("path", { fill: shades[k]!, d: outlines(runs, edges) }),
      );
      return [...paths, ...cellLabels(layer, range, edges)];
    }
    case "rule": {
      const d =
        layer.axis === "x"
          ? `M${x(layer.at)} ${y(ys[0])}V${y(ys[1])}`
          : `M${x(xs[0])} ${y(layer.at)}H${x(xs[1])}`;
      return [svg("path", { class: "line grey dashed", d })];
    }
  }
}

/** Room that a letter takes at most, and a line. */
const letter = { width: 7, height: 13 } as const;

function cellLabels(
  { labels = [], values }: Cells,
  range: Range,
  { x, y }: { readonly x: readonly number[]; readonly y: readonly number[] },
): SVGElement[] {
  const columns = x.length - 1;
  return labels.flatMap((label, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const [left, right, bottom, top] = [x[column]!, x[column + 1]!, y[row]!, y[row + 1]!];
    const hasRoom = label.length * letter.width <= right - left && letter.height <= bottom - top;
    if (label === "" || !hasRoom) return [];
    const at = { x: (left + right) / 2, y: (bottom + top) / 2 + 4, "text-anchor": "middle" };
    // shades are the same in the dark, and so is what is written on them
    return [svg("text", { ...at, style: `fill: ${inkOn(values[i]!, range)}` }, label)];
  });
}

/** Neighbours that can be drawn, as lists of their places. */
function stretches(length: number, isDrawn: (i: number) => boolean): number[][] {
  const found: number[][] = [];
  for (let i = 0; i < length; i++) {
    if (!isDrawn(i)) continue;
    if (i > 0 && found.at(-1)?.at(-1) === i - 1) found.at(-1)!.push(i);
    else found.push([i]);
  }
  return found;
}
