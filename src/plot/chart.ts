import { Resvg } from "@resvg/resvg-js";
import { Error as errorsOnly, parse, type Spec, View } from "vega";
import { type Chart, checkChart } from "./description.js";
import { chartFont, type Measure, measureWith } from "./font.js";
import { header, titleRoom } from "./header.js";
import { columnsOf, layOut, type PanelLayout } from "./layout.js";
import { looksOf } from "./legend.js";
import { panelMark } from "./panel.js";
import { theme } from "./theme.js";

export type { Axis } from "./axis.js";
export { ChartError } from "./chart-error.js";
export type { Band, Bars, Cells, Chart, Layer, Line, Panel, PointCloud, Rule } from "./description.js";
export type { Color } from "./theme.js";

/** A drawn chart: as vectors, and as an image of twice its size in CSS pixels. */
export interface RenderedChart {
  readonly svg: string;
  readonly png: Uint8Array;
}

/**
 * Draws a chart. The same description gives the same bytes on every machine of one kind, whatever fonts it has.
 * A layer of more than 10 000 points is thinned for drawing: of each bucket of neighbours the first, last, least and
 * greatest are kept, so that the envelope of what is drawn stays as it is.
 *
 * @throws {ChartError} if the description does not make a chart, or the font package is missing
 */
export async function renderChart(chart: Chart): Promise<RenderedChart> {
  const svg = await renderSvg(chart);
  const png = new Resvg(svg, { font: chartFont(), fitTo: { mode: "zoom", value: 2 } }).render().asPng();
  return { svg, png: new Uint8Array(png.buffer, png.byteOffset, png.byteLength) };
}

/** As {@link renderChart}, as vectors alone. */
export async function renderSvg(chart: Chart): Promise<string> {
  const spec = vegaSpec(chart, measureWith(chartFont()));
  const view = new View(parse(spec), { renderer: "none", logLevel: errorsOnly });
  const svg = withOwnIds(await view.toSVG());
  view.finalize();
  return svg;
}

/** Vega numbers clip paths through the life of the process; here they start at 1 in every chart. */
function withOwnIds(svg: string): string {
  const ids = new Map<string, string>();
  return svg.replace(/(<clipPath id="|clip-path="url\(#)(clip\d+)/g, (_, before: string, id: string) => {
    if (!ids.has(id)) ids.set(id, `clip${ids.size + 1}`);
    return `${before}${ids.get(id)}`;
  });
}

/**
 * The chart as a Vega specification, with all places decided here: Vega only guesses the width of text where there
 * is no browser.
 *
 * @throws {ChartError} if the description does not make a chart
 */
export function vegaSpec(chart: Chart, measure: Measure): Spec {
  checkChart(chart);
  const look = looksOf(chart);
  const { columns = columnsOf(chart.panels.length) } = chart;
  const layouts = chart.panels.map((panel) => layOut(panel, Math.min(columns, chart.panels.length), measure));
  const rows = Array.from({ length: Math.ceil(layouts.length / columns) }, (_, row) =>
    layouts.slice(row * columns, (row + 1) * columns),
  );
  // plots of a column stand under each other, whatever room their labels need
  const most = (column: number, of: (layout: PanelLayout) => number) =>
    Math.max(...rows.flatMap((row) => (row[column] ? [of(row[column])] : [])));
  const places = rows[0]!.map((_, column) => ({
    left: most(column, (layout) => layout.left),
    width: most(column, (layout) => layout.width + layout.right),
  }));
  const panelsWidth = places.reduce((sum, { left, width }) => sum + left + width, 0);
  const width = Math.ceil(2 * theme.margin + panelsWidth + theme.panelGap * (places.length - 1));

  // Titles and legend begin where the first plot does.
  const left = theme.margin + places[0]!.left;
  const { marks, bottom } = header(chart, look, { x: left, width: width - left - theme.margin }, measure);
  let y = bottom;
  for (const [number, row] of rows.entries()) {
    if (number > 0) y += theme.rowGap + titleRoom(row.map(({ panel }) => panel));
    let x = theme.margin;
    for (const [column, layout] of row.entries()) {
      const place = places[column]!;
      marks.push(panelMark(layout, { x: x + place.left, y }, { look, chart }, measure));
      x += place.left + place.width + theme.panelGap;
    }
    y += Math.max(...row.map((layout) => layout.height + layout.bottom));
  }
  const height = Math.ceil(y + theme.margin);
  return { width, height, padding: 0, autosize: "none", background: theme.background, marks };
}
