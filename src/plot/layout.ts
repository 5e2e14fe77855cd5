import { type Axis, axisTitle, domainOf, minorTicksOf, shareOf, type Tick, ticksOf } from "./axis.js";
import type { Layer, Panel } from "./description.js";
import type { Measure } from "./font.js";
import { theme } from "./theme.js";

/** The ends of an axis and what is labelled on it. */
export interface AxisLayout {
  readonly domain: readonly [number, number];
  readonly ticks: readonly Tick[];
  /** what is marked between them, by which a log axis is known as one */
  readonly minor: readonly number[];
  /** whether labels stand on end, for want of room */
  readonly isUpright?: boolean;
}

/** A panel with everything decided that its size depends on. */
export interface PanelLayout {
  readonly panel: Panel;
  /** Of the plot inside the axes, in CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly x: AxisLayout;
  readonly y: AxisLayout;
  /** The room that labels and titles need outside the axes. */
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
}

/** Between ticks and labels, and between labels and the axis title. */
export const labelGap = 4;
const titleGap = 8;

/** How many of some panels stand in a row: what fits the width of a page. */
export function columnsOf(panels: number): number {
  return panels <= 2 ? panels : panels <= 6 ? 2 : 3;
}

/** Sizes of plots by how many stand in a row. */
const sizes = [
  { width: 560, height: 340 },
  { width: 350, height: 240 },
  { width: 225, height: 165 },
] as const;

export function layOut(panel: Panel, columns: number, measure: Measure): PanelLayout {
  const usual = sizes[Math.min(columns, sizes.length) - 1]!;
  const { width = usual.width, height = usual.height, layers } = panel;
  // cells fill their panel
  const isFull = layers.some(({ kind }) => kind === "cells");
  const margin = isFull || layers.every(isCurve) ? 0 : 0.03;
  const labelWidth = ({ label }: Tick): number => measure(label, theme.label);
  const lying = axisLayout(
    panel.x,
    domainOf(panel.x, valuesOf(layers, "x"), margin),
    width,
    (ticks) => Math.max(0, ...ticks.map(labelWidth)) + (panel.x.labels === undefined ? 16 : 6),
  );
  const isUpright = lying.ticks.length < (panel.x.labels?.length ?? 0);
  const x = isUpright ? { ...lying, ticks: panel.x.labels!, isUpright } : lying;
  const y = axisLayout(panel.y, domainOf(panel.y, valuesOf(layers, "y"), isFull ? 0 : 0.05), height, () =>
    panel.y.labels === undefined ? 26 : theme.label.size + 2,
  );
  return {
    panel,
    width,
    height,
    x,
    y,
    left: theme.tick + labelGap + Math.max(0, ...y.ticks.map(labelWidth)) + titleRoom(panel.y),
    right: isUpright ? 0 : Math.max(0, ...x.ticks.slice(-1).map(labelWidth)) / 2,
    bottom:
      theme.tick +
      labelGap +
      (isUpright ? Math.max(...x.ticks.map(labelWidth)) : theme.label.size) +
      titleRoom(panel.x),
  };
}

/** An axis without a title needs no room for one. */
function titleRoom(axis: Axis): number {
  return axisTitle(axis) === "" ? 2 : titleGap + theme.axisTitle.size;
}

/** Whether a layer may end at the very edge of the panel: nothing of it is cut off there. */
function isCurve(layer: Layer): boolean {
  if (layer.kind === "rule" || layer.kind === "cells") return true;
  const { x } = layer;
  return (
    layer.kind !== "points" &&
    layer.kind !== "bars" &&
    Array.from(x).every((value, i) => i === 0 || !(value < x[i - 1]!))
  );
}

/** As many ticks as fit at the distance that their labels need, or else one. */
function axisLayout(
  axis: Axis,
  domain: readonly [number, number],
  length: number,
  distance: (ticks: readonly Tick[]) => number,
): AxisLayout {
  for (let count = axis.labels?.length ?? Math.max(2, Math.floor(length / 50)); count > 0; count--) {
    const ticks = ticksOf(axis, domain, count);
    const places = ticks.map(({ value }) => shareOf(axis, value, domain) * length);
    const needed = distance(ticks);
    if (places.every((place, i) => i === 0 || place - places[i - 1]! >= needed))
      return { domain, ticks, minor: minorTicksOf(axis, domain) };
  }
  return { domain, ticks: ticksOf(axis, domain, 1).slice(0, 1), minor: minorTicksOf(axis, domain) };
}

function* valuesOf(layers: readonly Layer[], axis: "x" | "y"): Generator<number> {
  for (const layer of layers) {
    if (layer.kind === "rule") {
      if (layer.axis === axis) yield layer.at;
    } else if (axis === "x") yield* Array.from(layer.x);
    else if ("low" in layer) {
      yield* Array.from(layer.low);
      yield* Array.from(layer.high);
    } else yield* Array.from(layer.y);
  }
}
