import type { Mark } from "vega";
import type { Chart, Panel } from "./description.js";
import { fitted, type Measure } from "./font.js";
import { columnsOf } from "./layout.js";
import { type Looks, legend } from "./legend.js";
import { textMark } from "./marks.js";
import { theme } from "./theme.js";

/** The height that the titles of panels in a row take. */
export function titleRoom(panels: readonly Panel[]): number {
  return panels.some((panel) => panel.title !== undefined) ? theme.panelTitle.size + 10 : 0;
}

/** Title, subtitle, legend and the room for panel titles, from the top down; `bottom` is where the plots begin. */
export function header(
  chart: Chart,
  look: Looks,
  place: { readonly x: number; readonly width: number },
  measure: Measure,
): { readonly marks: Mark[]; readonly bottom: number } {
  const { x, width } = place;
  const marks: Mark[] = [];
  let y: number = theme.margin;
  for (const [text, style, color] of [
    [chart.title, theme.title, theme.ink],
    [chart.subtitle, theme.subtitle, theme.soft],
  ] as const) {
    if (text === undefined) continue;
    marks.push(textMark(fitted(text, style, width, measure), style, { x, y, baseline: "top", color }));
    y += style.size + 6;
  }
  if (marks.length > 0) y += 2;
  const keys = legend(chart, look, { x, y, width }, measure);
  y += keys.height;
  if (keys.height > 0 || marks.length > 0) y += 8;
  y += titleRoom(chart.panels.slice(0, chart.columns ?? columnsOf(chart.panels.length)));
  return { marks: [...marks, ...keys.marks], bottom: Math.max(y, theme.margin + theme.label.size / 2) };
}
