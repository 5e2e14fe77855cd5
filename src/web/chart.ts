import { rangeOf, rangeText, shades } from "../plot/cells.js";
import { type Cells, type Chart, isSeries, type Layer } from "../plot/description.js";
import { type Color, seriesColors } from "../plot/theme.js";
import type { Series } from "./chart-layers.js";
import { drawPanel } from "./chart-panel.js";
import { svg } from "./svg.js";

// Charts as SVG in the page: coloured by its style sheet, so that they follow it into the dark.

/** Draws a chart in place of what its host had, with a legend and what it says to those who do not see it. */
export function drawChart(host: Element, chart: Chart): void {
  const colors = colorsOf(chart);
  const title = document.createElement("figcaption");
  title.append(chart.title ?? "", ...(chart.subtitle === undefined ? [] : [` (${chart.subtitle})`]));
  const panels = document.createElement("div");
  panels.className = "panels";
  const looks = { colorOf: colors.of, rangeOf: (layer: Cells) => rangeOf(layer, chart) };
  panels.append(...chart.panels.map((panel) => drawPanel(panel, looks)));
  const legend = document.createElement("ul");
  legend.className = "legend";
  const add = (name: string, ...samples: SVGElement[]) => {
    const entry = document.createElement("li");
    entry.append(
      svg("svg", { viewBox: "0 0 24 10", class: "sample", "aria-hidden": "true" }, ...samples),
      name,
    );
    legend.append(entry);
  };
  for (const [name, layer] of cellsOf(chart)) add(rangeText(name, looks.rangeOf(layer)), ...shadesSample());
  for (const [name, { color, dashed, kind }] of colors.named) add(name, sampleOf(kind, color, dashed));
  host.replaceChildren(title, panels, ...(legend.childElementCount === 0 ? [] : [legend]));
}

/** Cells by their names: those of one name share their shades. */
function cellsOf({ panels }: Chart): ReadonlyMap<string, Cells> {
  const all = panels.flatMap(({ layers }) => layers.filter((layer) => layer.kind === "cells"));
  return new Map(all.flatMap((layer) => (layer.name === undefined ? [] : [[layer.name, layer] as const])));
}

/** All shades side by side, from the lowest, each over those before it. */
function shadesSample(): SVGElement[] {
  const width = 24 / shades.length;
  return shades.map((fill, k) =>
    svg("rect", { x: k * width, y: 0, width: 24 - k * width, height: 10, fill }),
  );
}

interface Named {
  readonly color: Color;
  readonly dashed: boolean;
  readonly kind: Layer["kind"];
}

interface Colors {
  readonly named: ReadonlyMap<string, Named>;
  readonly of: (layer: Series) => Color;
}

/** A colour for each series: its own, or the next one. */
function colorsOf({ panels }: Chart): Colors {
  const named = new Map<string, Named>();
  let next = 0;
  for (const layer of panels.flatMap(({ layers }) => layers)) {
    if (!isSeries(layer) || layer.name === undefined || named.has(layer.name) || isEmpty(layer)) continue;
    const color = layer.color ?? seriesColors[next++ % seriesColors.length]!;
    named.set(layer.name, {
      color,
      dashed: layer.kind === "line" && layer.dashed === true,
      kind: layer.kind,
    });
  }
  return {
    named,
    of: (layer) =>
      layer.color ?? (layer.name === undefined ? "blue" : (named.get(layer.name)?.color ?? "blue")),
  };
}

const isEmpty = (layer: Series) => layer.x.length === 0;

function sampleOf(kind: Layer["kind"], color: Color, dashed: boolean): SVGElement {
  if (kind === "points") return svg("circle", { class: `fill ${color}`, cx: 12, cy: 5, r: 3 });
  if (kind === "band") return svg("rect", { class: `shade ${color}`, x: 0, y: 0, width: 24, height: 10 });
  return svg("path", { class: `line ${color}${dashed ? " dashed" : ""}`, d: "M0 5H24" });
}
