import type { Mark } from "vega";
import { rangeOf, rangeText, shades } from "./cells.js";
import { type Cells, type Chart, isSeries, type SeriesLayer } from "./description.js";
import { fitted, type Measure } from "./font.js";
import { lineMark, swatchMark, symbolMark, textMark } from "./marks.js";
import { type Color, palette, seriesColors, seriesDashes, seriesShapes, theme } from "./theme.js";

/** How the layers of one name look. */
export interface Look {
  readonly color: string;
  readonly shape: string;
  readonly dash: readonly number[];
}
/** The look of a layer. */
export type Looks = (layer: SeriesLayer) => Look;

/**
 * A look for every layer. Layers of one name share it, whichever panels they are in; a layer without a name takes
 * the first that nothing else in its panel has; a colour that is asked for comes with its own shape and takes
 * nobody's turn.
 */
export function looksOf({ panels }: Chart): Looks {
  const turns = new Map<string | SeriesLayer, number>();
  const series = panels.map(({ layers }) => layers.filter(isSeries));
  let next = 0;
  for (const layer of series.flat()) {
    if (layer.name === undefined || turns.has(layer.name)) continue;
    turns.set(layer.name, layer.color === undefined ? next++ : turnOf(layer.color));
  }
  for (const layers of series) {
    const taken = new Set(layers.flatMap((layer) => turns.get(layer.name ?? layer) ?? []));
    for (const layer of layers.filter((candidate) => candidate.name === undefined)) {
      let turn = 0;
      while (taken.has(turn)) turn++;
      turns.set(layer, layer.color === undefined ? turn : turnOf(layer.color));
      taken.add(turns.get(layer)!);
    }
  }
  return (layer) => lookOf(layer, turns.get(layer.name ?? layer)!);
}

/** Black and grey have no turn of their own. */
function turnOf(color: Color): number {
  return Math.max(0, (seriesColors as readonly Color[]).indexOf(color));
}

function lookOf(layer: SeriesLayer, turn: number): Look {
  const round = Math.floor(turn / seriesColors.length);
  const dashed = layer.kind === "line" && layer.dashed === true;
  return {
    color: palette[layer.color ?? seriesColors[turn % seriesColors.length]!],
    shape: seriesShapes[turn % seriesShapes.length]!,
    dash: seriesDashes[dashed ? 1 : round % seriesDashes.length]!,
  };
}

const keyWidth = 24;
const keyGap = 6;
const entryGap = 20;
const rowHeight = 21;

/** The legend's marks, in rows of at most `width`, and the height they take; nothing where no layer has a name. */
export function legend(
  chart: Chart,
  look: Looks,
  place: { readonly x: number; readonly y: number; readonly width: number },
  measure: Measure,
): { marks: Mark[]; height: number } {
  const entries = new Map<string, (SeriesLayer | Cells)[]>();
  for (const layer of chart.panels.flatMap((panel) => panel.layers)) {
    if (layer.kind === "rule" || layer.name === undefined) continue;
    entries.set(layer.name, [...(entries.get(layer.name) ?? []), layer]);
  }
  const keys = [...entries].map(([name, layers]) => {
    const cells = layers.find((layer) => layer.kind === "cells");
    const words = cells === undefined ? name : rangeText(name, rangeOf(cells, chart));
    const text = fitted(words, theme.legend, place.width - keyWidth - keyGap, measure);
    return { text, layers, width: keyWidth + keyGap + measure(text, theme.legend) + entryGap };
  });
  const lefts = leftsOf(
    keys.map(({ width }) => width),
    place.width + entryGap,
  );
  const marks = keys.flatMap(({ text, layers }, i) => {
    const { row, left } = lefts[i]!;
    const x = place.x + left;
    const y = place.y + (row + 0.5) * rowHeight;
    const label = textMark(text, theme.legend, { x: x + keyWidth + keyGap, y, baseline: "middle" });
    const keysOf = (layer: SeriesLayer | Cells) =>
      layer.kind === "cells" ? shadesMarks(x, y) : [keyMark(layer, look(layer), x, y)];
    return [...layers.flatMap(keysOf), label];
  });
  return { marks, height: ((lefts.at(-1)?.row ?? -1) + 1) * rowHeight };
}

/** One row if all fits into it, else columns of equal width. */
function leftsOf(widths: readonly number[], room: number): { row: number; left: number }[] {
  const total = widths.reduce((sum, width) => sum + width, 0);
  if (total <= room) {
    return widths.map((_, i) => ({
      row: 0,
      left: widths.slice(0, i).reduce((sum, width) => sum + width, 0),
    }));
  }
  const column = Math.max(...widths);
  const columns = Math.max(1, Math.floor(room / column));
  return widths.map((_, i) => ({ row: Math.floor(i / columns), left: (i % columns) * column }));
}

/** All shades side by side, from the lowest. */
function shadesMarks(x: number, y: number): Mark[] {
  const every = shades.length / keyWidth;
  return Array.from({ length: keyWidth }, (_, k) =>
    swatchMark({ x: x + k, y: y - 6, width: keyWidth - k, height: 12 }, shades[Math.floor(k * every)]!, 1),
  );
}

function keyMark({ kind }: SeriesLayer, { color, shape, dash }: Look, x: number, y: number): Mark {
  if (kind === "line") return lineMark({ x, y, x2: x + keyWidth, y2: y }, color, theme.lineWidth, dash);
  if (kind === "bars")
    return lineMark({ x: x + keyWidth / 2, y: y - 6, x2: x + keyWidth / 2, y2: y + 6 }, color, 1, []);
  if (kind === "points") return symbolMark(x + keyWidth / 2, y, color, shape);
  return swatchMark({ x, y: y - 6, width: keyWidth, height: 12 }, color);
}
