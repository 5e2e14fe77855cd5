import type { EncodeEntry, Mark } from "vega";
import { isDrawable, shareOf } from "./axis.js";
import type { Rule, SeriesLayer } from "./description.js";
import { fitted, type Measure } from "./font.js";
import type { PanelLayout } from "./layout.js";
import type { Look } from "./legend.js";
import { lineMark, symbolLook, type TextPlace, textMark } from "./marks.js";
import { theme } from "./theme.js";
import { thin } from "./thin.js";

/** Above this many points a layer is thinned: more than a panel can show apart. */
export const pointLimit = 10_000;

/** One point of a layer as Vega's data; where it is not shown its numbers mean nothing. */
export interface Row {
  readonly x: number;
  readonly y: number;
  /** The other edge of a band. */
  readonly y2: number;
  readonly shown: boolean;
}

/** The points of a layer that are drawn. A symbol outside the axes is left out, whereas lines and bands are clipped. */
export function rowsOf(layer: SeriesLayer, { panel, x, y }: PanelLayout): Row[] {
  const drawable = (i: number, value: number): boolean =>
    isDrawable(panel.x, layer.x[i]!) &&
    isDrawable(panel.y, value) &&
    (layer.kind === "line" ||
      layer.kind === "band" ||
      (within(layer.x[i]!, x.domain) && within(value, y.domain)));
  const [low, high] = "low" in layer ? [layer.low, layer.high] : [layer.y, layer.y];
  const rows = thinned(layer.x, low, high, drawable).map((i) =>
    drawable(i, low[i]!) && drawable(i, high[i]!)
      ? { x: layer.x[i]!, y: low[i]!, y2: high[i]!, shown: true }
      : { x: 1, y: 1, y2: 1, shown: false },
  );
  return layer.kind === "points" || layer.kind === "bars" ? rows.filter((row) => row.shown) : rows;
}

function within(value: number, [low, high]: readonly [number, number]): boolean {
  return value >= low && value <= high;
}

/** For a band, the points that either edge needs. */
function thinned(
  x: ArrayLike<number>,
  low: ArrayLike<number>,
  high: ArrayLike<number>,
  drawable: (i: number, value: number) => boolean,
): number[] {
  const edges = (low === high ? [low] : [low, high]).map((edge) => {
    const y = Float64Array.from(edge, (value, i) => (drawable(i, value) ? value : Number.NaN));
    return thin({ x, y }, pointLimit);
  });
  return edges.length === 1 ? edges[0]! : [...new Set(edges.flat())].sort((a, b) => a - b);
}

/** Half the width of the ends of an error bar. */
const cap = 3;

/** The marks of a layer over the rows of `data`, of which there are `count`. */
export function layerMarks(
  layer: SeriesLayer,
  data: string,
  count: number,
  { color, shape, dash }: Look,
): Mark[] {
  const x = { scale: "x", field: "x" };
  const y = { scale: "y", field: "y" };
  const defined = { field: "shown" };
  if (layer.kind === "bars") {
    const y2 = { scale: "y", field: "y2" };
    const stroke = { stroke: { value: color }, strokeWidth: { value: 1 } };
    const end = (at: typeof y): EncodeEntry => ({
      x: { ...x, offset: -cap },
      x2: { ...x, offset: cap },
      y: at,
      ...stroke,
    });
    return [{ x, y, y2, ...stroke }, end(y), end(y2)].map((enter) => ({
      type: "rule",
      from: { data },
      interactive: false,
      encode: { enter },
    }));
  }
  const enter: Record<typeof layer.kind, EncodeEntry> = {
    line: {
      x,
      y,
      defined,
      stroke: { value: color },
      strokeWidth: { value: theme.lineWidth },
      strokeDash: { value: [...dash] },
      strokeJoin: { value: "round" },
      strokeCap: { value: dash.length === 0 ? "round" : "butt" },
    },
    band: {
      x,
      y,
      y2: { scale: "y", field: "y2" },
      defined,
      fill: { value: color },
      fillOpacity: { value: theme.bandOpacity },
    },
    points: { x, y, ...symbolLook(color, shape, pointArea(count)) },
  };
  const type = { line: "line", band: "area", points: "symbol" } as const;
  return [
    {
      type: type[layer.kind],
      from: { data },
      clip: layer.kind !== "points",
      interactive: false,
      encode: { enter: enter[layer.kind] },
    } as Mark,
  ];
}

/** The more symbols, the smaller. */
function pointArea(count: number): number {
  return theme.pointAreas.find(({ upTo }) => count <= upTo)!.area;
}

/** The line of a rule, and its label where it hides least: above the right end, or beside the top. */
export function ruleMarks({ axis, at, label }: Rule, layout: PanelLayout, measure: Measure): Mark[] {
  const { panel, width, height } = layout;
  if (!isDrawable(panel[axis], at) || !within(at, layout[axis].domain)) return [];
  const share = shareOf(panel[axis], at, layout[axis].domain);
  const place = axis === "x" ? share * width : (1 - share) * height;
  const ends =
    axis === "x" ? { x: place, x2: place, y: 0, y2: height } : { x: 0, x2: width, y: place, y2: place };
  const line = lineMark(ends, theme.soft, 1, [4, 3]);
  if (label === undefined) return [line];
  const text = fitted(label, theme.label, width - 8, measure);
  const above = place > theme.label.size + 6;
  const beside = width - place > measure(text, theme.label) + 8;
  const where =
    axis === "y"
      ? { x: width - 4, y: place + (above ? -4 : 4), align: "right", baseline: above ? "bottom" : "top" }
      : { x: place + (beside ? 5 : -5), y: 4, align: beside ? "left" : "right", baseline: "top" };
  const style = { ...where, color: theme.soft } as TextPlace;
  return [line, textMark(text, theme.label, { ...style, rim: true }), textMark(text, theme.label, style)];
}
