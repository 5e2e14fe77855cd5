import type { Axis } from "./axis.js";
import { ChartError } from "./chart-error.js";
import type { Color } from "./theme.js";

/** What is drawn: a title, and panels in rows under one legend. */
export interface Chart {
  readonly title?: string;
  readonly subtitle?: string;
  readonly panels: readonly Panel[];
  /** Panels in a row; by default as many as can be read at the width of a page. */
  readonly columns?: number;
}

/** Layers on a pair of axes, the first at the bottom. */
export interface Panel {
  readonly title?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly layers: readonly Layer[];
  /** The size of the plot inside the axes, in CSS pixels. */
  readonly width?: number;
  readonly height?: number;
}

/** What layers of one name share, in whichever panels: one colour and one entry in the legend. */
interface Series {
  /** Shown in the legend; a layer without a name is not. */
  readonly name?: string;
  /** The next of the palette unless given. */
  readonly color?: Color;
}

/** A line through points in order (x may turn back); a value that is not finite breaks it. */
export interface Line extends Series {
  readonly kind: "line";
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly dashed?: boolean;
}

/** A symbol at each point; one that is not finite is left out. */
export interface PointCloud extends Series {
  readonly kind: "points";
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

/** The area between two curves over increasing x. */
export interface Band extends Series {
  readonly kind: "band";
  readonly x: ArrayLike<number>;
  readonly low: ArrayLike<number>;
  readonly high: ArrayLike<number>;
}

/** The range of what was measured at each x, as an upright line with ends. */
export interface Bars extends Series {
  readonly kind: "bars";
  readonly x: ArrayLike<number>;
  readonly low: ArrayLike<number>;
  readonly high: ArrayLike<number>;
}

/** A dashed line right across the panel: at a value of x it stands, at a value of y it lies. */
export interface Rule {
  readonly kind: "rule";
  readonly axis: "x" | "y";
  readonly at: number;
  readonly label?: string;
}

/**
 * Values on a grid as shades of one colour: the lowest is white, the highest the darkest. One that is not finite is left blank.
 * Layers of one name share the shades, in whichever panels they are.
 */
export interface Cells {
  readonly kind: "cells";
  /** Shown in the legend, with the range of the values; a layer without a name is not. */
  readonly name?: string;
  /** The edges of the columns, increasing: one more than there are columns. */
  readonly x: ArrayLike<number>;
  /** The edges of the rows, from the lowest up. */
  readonly y: ArrayLike<number>;
  /** Row after row, the lowest row first. */
  readonly values: ArrayLike<number>;
  /** What is white and what is darkest; the least and the greatest of the values unless given. */
  readonly range?: readonly [number, number];
  /** Written in the cells, where there is room. */
  readonly labels?: readonly string[];
}

/** What has a colour, and with a name an entry of its own in the legend. */
export type SeriesLayer = Line | PointCloud | Band | Bars;
export type Layer = SeriesLayer | Rule | Cells;

/** Whether a layer has a colour of its own. */
export function isSeries(layer: Layer): layer is SeriesLayer {
  return layer.kind !== "rule" && layer.kind !== "cells";
}

/** @throws {ChartError} if there is nothing to lay out, or columns of one layer differ in length */
export function checkChart({ panels, columns = 1 }: Chart): void {
  if (!(Number.isInteger(columns) && columns > 0))
    throw new ChartError(`A chart has 1 column of panels or more, but ${columns} were asked for.`);
  if (panels.length === 0)
    throw new ChartError("A chart needs at least one panel, but there is none; give one.");
  for (const [i, { layers, width = 1, height = 1 }] of panels.entries()) {
    if (!(width > 0 && width <= 8192 && height > 0 && height <= 8192)) {
      throw new ChartError(
        `Panel ${i + 1} is ${width} × ${height} pixels; give sizes above 0 and up to 8192.`,
      );
    }
    for (const layer of layers) {
      if (layer.kind === "cells") {
        checkCells(layer, i);
        continue;
      }
      const lengths = columnsOf(layer).map((column) => column.length);
      if (new Set(lengths).size > 1) {
        const name = "name" in layer ? ` ${JSON.stringify(layer.name)}` : "";
        throw new ChartError(
          `The ${layer.kind}${name} of panel ${i + 1} has columns of ${lengths.join(" and ")} values; ` +
            "give as many of each.",
        );
      }
    }
  }
}

function checkCells({ x, y, values, labels }: Cells, panel: number): void {
  const which = `The cells of panel ${panel + 1}`;
  const cells = Math.max(0, x.length - 1) * Math.max(0, y.length - 1);
  for (const [what, given] of [
    ["values", values],
    ["labels", labels],
  ] as const) {
    if (given === undefined || given.length === cells) continue;
    throw new ChartError(
      `${which} have ${given.length} ${what}, but their edges, ${x.length} and ${y.length}, make ${cells} cells; give one for each.`,
    );
  }
  for (const [axis, edges] of [
    ["x", x],
    ["y", y],
  ] as const) {
    if (Array.from(edges).every((edge, i) => Number.isFinite(edge) && (i === 0 || edge > edges[i - 1]!)))
      continue;
    throw new ChartError(`${which} have edges in ${axis} that do not increase; give finite ones in order.`);
  }
}

function columnsOf(layer: Exclude<Layer, Cells>): ArrayLike<number>[] {
  if (layer.kind === "rule") return [];
  return "low" in layer ? [layer.x, layer.low, layer.high] : [layer.x, layer.y];
}
