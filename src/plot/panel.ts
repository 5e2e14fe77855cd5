import type { GroupMark, Mark, Scale, Axis as VegaAxis } from "vega";
import { type Axis, axisTitle, shareOf, type Tick } from "./axis.js";
import { cellMarks, rangeOf } from "./cells.js";
import type { Cells, Chart } from "./description.js";
import { fitted, type Measure } from "./font.js";
import { layerMarks, rowsOf, ruleMarks } from "./layers.js";
import { type AxisLayout, labelGap, type PanelLayout } from "./layout.js";
import type { Looks } from "./legend.js";
import { textMark } from "./marks.js";
import { theme } from "./theme.js";

/** The panel as a group of Vega marks, the corner of its plot at (x, y). */
export function panelMark(
  layout: PanelLayout,
  place: { readonly x: number; readonly y: number },
  { look, chart }: { readonly look: Looks; readonly chart: Chart },
  measure: Measure,
): GroupMark {
  const { panel, width, height } = layout;
  const layers = panel.layers.map((layer, i) => {
    if (layer.kind === "rule") return { marks: ruleMarks(layer, layout, measure), data: [], shown: false };
    if (layer.kind === "cells") {
      const marks = cellMarks(layer, rangeOf(layer, chart), edgesOf(layer, layout), measure);
      return { marks, data: [], shown: marks.length > 0 };
    }
    const name = `layer${i}`;
    const rows = rowsOf(layer, layout);
    const shown = rows.some((row) => row.shown);
    return {
      marks: layerMarks(layer, name, rows.length, look(layer)),
      data: [{ name, values: rows }],
      shown,
    };
  });
  return {
    type: "group",
    encode: {
      enter: {
        x: { value: place.x },
        y: { value: place.y },
        width: { value: width },
        height: { value: height },
      },
    },
    data: layers.flatMap(({ data }) => data),
    scales: [scaleOf("x", panel.x, layout.x, [0, width]), scaleOf("y", panel.y, layout.y, [height, 0])],
    axes: [
      gridOf("x", layout.x.ticks),
      gridOf("y", layout.y.ticks),
      minorOf("x", layout.x.minor),
      minorOf("y", layout.y.minor),
      axisOf("x", layout.x),
      axisOf("y", layout.y),
    ],
    marks: [
      ...layers.flatMap(({ marks }) => marks),
      ...(layers.some(({ shown }) => shown) ? [] : [emptyMark(width, height)]),
      ...titleMarks(layout, measure),
    ],
  };
}

/** Where the edges of cells are in the plot, in pixels. */
function edgesOf({ x, y }: Cells, { panel, x: xs, y: ys, width, height }: PanelLayout) {
  return {
    x: Array.from(x, (edge) => shareOf(panel.x, edge, xs.domain) * width),
    y: Array.from(y, (edge) => (1 - shareOf(panel.y, edge, ys.domain)) * height),
  };
}

function scaleOf(name: "x" | "y", axis: Axis, { domain }: AxisLayout, range: [number, number]): Scale {
  return {
    name,
    type: axis.scale ?? "linear",
    domain: [...domain],
    range,
    zero: false,
    nice: false,
  } as Scale;
}

/** The grid is an axis of its own, below everything, for it would else be drawn over the line of the other axis. */
function gridOf(scale: "x" | "y", ticks: readonly Tick[]): VegaAxis {
  return {
    scale,
    orient: scale === "x" ? "bottom" : "left",
    values: ticks.map(({ value }) => value),
    grid: true,
    gridScale: scale === "x" ? "y" : "x",
    gridColor: theme.grid,
    domain: false,
    ticks: false,
    labels: false,
  };
}

/** Short ticks without labels. */
function minorOf(scale: "x" | "y", values: readonly number[]): VegaAxis {
  return {
    scale,
    orient: scale === "x" ? "bottom" : "left",
    values: [...values],
    domain: false,
    tickColor: theme.axis,
    tickSize: theme.minorTick,
    labels: false,
  };
}

/** The labels come from a table, for Vega would write the values in its own way. */
function axisOf(scale: "x" | "y", { ticks, isUpright = false }: AxisLayout): VegaAxis {
  const labels = JSON.stringify(Object.fromEntries(ticks.map(({ value, label }) => [String(value), label])));
  return {
    scale,
    orient: scale === "x" ? "bottom" : "left",
    values: ticks.map(({ value }) => value),
    domainColor: theme.axis,
    tickColor: theme.axis,
    tickSize: theme.tick,
    labelPadding: labelGap,
    labelColor: theme.ink,
    labelFont: theme.fontFamily,
    labelFontSize: theme.label.size,
    labelLimit: 0,
    labelBound: false,
    labelFlush: false,
    labelOverlap: false,
    ...(isUpright ? { labelAngle: -90, labelAlign: "right", labelBaseline: "middle" } : {}),
    encode: { labels: { update: { text: { signal: `(${labels})[datum.value]` } } } },
  };
}

function emptyMark(width: number, height: number): Mark {
  const place = {
    x: width / 2,
    y: height / 2,
    align: "center",
    baseline: "middle",
    color: theme.soft,
  } as const;
  return textMark("no data", theme.axisTitle, place);
}

function titleMarks({ panel, width, height, left, bottom }: PanelLayout, measure: Measure): Mark[] {
  const x = fitted(axisTitle(panel.x), theme.axisTitle, width, measure);
  const y = fitted(axisTitle(panel.y), theme.axisTitle, height, measure);
  const marks = [
    textMark(x, theme.axisTitle, { x: width / 2, y: height + bottom, align: "center", baseline: "bottom" }),
    textMark(y, theme.axisTitle, { x: -left, y: height / 2, align: "center", baseline: "top", angle: -90 }),
  ];
  if (panel.title === undefined) return marks;
  const title = fitted(panel.title, theme.panelTitle, width, measure);
  return [...marks, textMark(title, theme.panelTitle, { x: 0, y: -9 })];
}
