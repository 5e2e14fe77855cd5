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

export type Layer = Line | PointCloud | Band | Bars | Rule;

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

function columnsOf(layer: Layer): ArrayLike<number>[] {
  if (layer.kind === "rule") return [];
  return "low" in layer ? [layer.x, layer.low, layer.high] : [layer.x, layer.y];
}
