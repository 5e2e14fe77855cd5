import { type Axis, axisTitle, domainOf, isDrawable, minorTicksOf, shareOf, ticksOf } from "../plot/axis.js";
import type { Layer, Panel } from "../plot/description.js";
import { drawLayer, type Ends, type Looks, type Place } from "./chart-layers.js";
import { svg } from "./svg.js";

/** Of a plot inside its axes, where a panel does not say it. */
const usual = { width: 346, height: 216 } as const;
const room = { left: 62, right: 12, top: 10, bottom: 44, title: 18 } as const;

/** A panel as a picture, with axes, that says what it shows. */
export function drawPanel(panel: Panel, looks: Looks): SVGElement {
  const { x: xAxis, y: yAxis, layers, title } = panel;
  // cells fill their panel
  const isFull = layers.some(({ kind }) => kind === "cells");
  const xs = domainOf(xAxis, valuesOf(layers, "x"), isFull ? 0 : 0.02);
  const ys = domainOf(yAxis, valuesOf(layers, "y"), isFull ? 0 : 0.05);
  const { width, height } = { width: panel.width ?? usual.width, height: panel.height ?? usual.height };
  const [left, top] = [room.left, room.top + (title === undefined ? 0 : room.title)];
  const place: Place = {
    x: (value) => left + width * shareOf(xAxis, value, xs),
    y: (value) => top + height * (1 - shareOf(yAxis, value, ys)),
    isIn: (x, y) => isDrawable(xAxis, x) && isDrawable(yAxis, y),
  };
  const inside = { x: left, y: top, width, height };
  const whole = [left + width + room.right, top + height + room.bottom];
  return svg(
    "svg",
    { viewBox: `0 0 ${whole.join(" ")}`, role: "img", "aria-label": inWords(panel) },
    ...(title === undefined ? [] : [svg("text", { class: "panel-title", x: left, y: top - 8 }, title)]),
    ...axes(xAxis, yAxis, { xs, ys }, place, inside),
    // a picture of its own cuts off what is outside
    svg(
      "svg",
      { ...inside, viewBox: `${left} ${top} ${width} ${height}` },
      ...layers.flatMap((layer) => drawLayer(layer, place, looks, { xs, ys })),
    ),
  );
}

interface Inside {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function axes(
  xAxis: Axis,
  yAxis: Axis,
  { xs, ys }: { readonly xs: Ends; readonly ys: Ends },
  { x, y }: Place,
  { x: left, y: top, width, height }: Inside,
): SVGElement[] {
  const bottom = top + height;
  const path = (name: string, d: string) => svg("path", { class: name, d });
  const text = (name: string, attributes: Record<string, string | number>, label: string) =>
    svg("text", { class: name, ...attributes }, label);
  return [
    ...ticksOf(yAxis, ys, height / 43).flatMap(({ value, label }) => [
      path("grid", `M${left} ${y(value)}h${width}`),
      text("tick", { x: left - 7, y: y(value) + 4, "text-anchor": "end" }, label),
    ]),
    ...ticksOf(xAxis, xs, width / 58).flatMap(({ value, label }) => [
      path("grid", `M${x(value)} ${top}v${height}`),
      text("tick", { x: x(value), y: bottom + 16, "text-anchor": "middle" }, label),
    ]),
    ...minorTicksOf(yAxis, ys).map((value) => path("axis", `M${left} ${y(value)}h-3`)),
    path("axis", `M${left} ${top}V${bottom}h${width}`),
    text("axis-title", { x: left + width / 2, y: bottom + 36, "text-anchor": "middle" }, axisTitle(xAxis)),
    text(
      "axis-title",
      { transform: `translate(13 ${top + height / 2}) rotate(-90)`, "text-anchor": "middle" },
      axisTitle(yAxis),
    ),
  ];
}

function* valuesOf(layers: readonly Layer[], axis: "x" | "y"): Iterable<number> {
  for (const layer of layers) {
    if (layer.kind === "rule") {
      if (layer.axis === axis) yield layer.at;
    } else if (axis === "x") yield* Array.from(layer.x);
    else if ("low" in layer) yield* [...Array.from(layer.low), ...Array.from(layer.high)];
    else yield* Array.from(layer.y);
  }
}

/** What those hear who do not see it. */
function inWords({ title, x, y, layers }: Panel): string {
  const names = layers.flatMap((layer) =>
    layer.kind === "rule" || layer.name === undefined ? [] : [layer.name],
  );
  const what = title ?? (axisTitle(y) || "values");
  const of = names.length === 0 ? "" : `: ${[...new Set(names)].join(", ")}`;
  const last = layers.findLast((layer) => layer.kind === "line");
  const end =
    last === undefined || last.y.length === 0
      ? ""
      : `; at the end ${Number(last.y[last.y.length - 1]!.toPrecision(4))}`;
  return `${what} over ${axisTitle(x) || "time"}${of}${end}`;
}
