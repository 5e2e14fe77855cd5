import { Resvg } from "@resvg/resvg-js";
import { Error as errorsOnly, parse, type Spec, View } from "vega";
import { type Chart, checkChart } from "./description.js";
import { chartFont, type Measure, measureWith } from "./font.js";
import { header } from "./header.js";
import { layOut } from "./layout.js";
import { looksOf } from "./legend.js";
import { panelMark } from "./panel.js";
import { theme } from "./theme.js";

export type { Axis } from "./axis.js";
export { ChartError } from "./chart-error.js";
export type { Band, Chart, Layer, Line, Panel, PointCloud, Rule } from "./description.js";
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
  const font = chartFont();
  const spec = vegaSpec(chart, measureWith(font));
  const view = new View(parse(spec), { renderer: "none", logLevel: errorsOnly });
  const svg = withOwnIds(await view.toSVG());
  view.finalize();
  const png = new Resvg(svg, { font, fitTo: { mode: "zoom", value: 2 } }).render().asPng();
  return { svg, png: new Uint8Array(png.buffer, png.byteOffset, png.byteLength) };
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
  const layouts = chart.panels.map((panel) => layOut(panel, chart.panels.length, measure));
  const panelsWidth = layouts.reduce((sum, { left, width, right }) => sum + left + width + right, 0);
  const width = Math.ceil(2 * theme.margin + panelsWidth + theme.panelGap * (layouts.length - 1));

  // Titles and legend begin where the first plot does.
  const left = theme.margin + layouts[0]!.left;
  const { marks, bottom } = header(chart, look, { x: left, width: width - left - theme.margin }, measure);
  let x = theme.margin;
  for (const layout of layouts) {
    marks.push(panelMark(layout, { x: x + layout.left, y: bottom }, look, measure));
    x += layout.left + layout.width + layout.right + theme.panelGap;
  }
  const below = Math.max(...layouts.map((layout) => layout.height + layout.bottom));
  const height = Math.ceil(bottom + below + theme.margin);
  return { width, height, padding: 0, autosize: "none", background: theme.background, marks };
}
