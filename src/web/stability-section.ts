import { type RegionGrid, regionLayers, regionOf } from "../figures/region.js";
import { explicit } from "../methods/explicit.js";
import { reversible } from "../methods/reversible.js";
import { tableaux } from "../methods/tableaux.js";
import { drawChart } from "./chart.js";
import { control, element, fill, say } from "./elements.js";

const grid: RegionGrid = {
  box: { re: [-3, 0.5], im: [-3, 3] },
  counted: { re: [-3, 0], im: [-3, 3] },
  ...{ resolution: 100, finer: 3 },
};

/** While the slider moves, and once it rests. */
const rough: RegionGrid = { ...grid, resolution: 40 };

/** Draws the stability region of a coupled method, as λ is moved. */
export function stabilitySection(): void {
  const form = element<HTMLFormElement>("stability-form");
  const method = control<HTMLSelectElement>(form, "method");
  const coupling = control<HTMLInputElement>(form, "coupling");
  const shown = control<HTMLOutputElement>(form, "shown");
  fill(
    method,
    tableaux.map(({ name }) => ({ value: name })),
  );
  method.value = "midpoint";
  const draw = (cells: RegionGrid): void => {
    const tableau = tableaux.find(({ name }) => name === method.value)!;
    const lambda = coupling.valueAsNumber;
    shown.value = String(lambda);
    const own = regionOf(reversible(tableau, { coupling: lambda }), cells);
    const base = regionOf(explicit(tableau), cells);
    const layers = regionLayers(own, base);
    const panel = {
      x: { title: "Re αh", domain: cells.box.re },
      y: { title: "Im αh", domain: cells.box.im },
      // as long for a unit of either
      ...{ width: 60 * 3.5, height: 60 * 6 },
      layers,
    };
    drawChart(element("region"), {
      title: `${tableau.name}, coupled with λ = ${lambda}`,
      panels: [panel],
    });
    if (cells !== grid) return;
    say(
      "stability-status",
      `It damps on an area of ${own.area.toFixed(2)}; the base method on ${base.area.toFixed(2)}.`,
    );
  };
  coupling.addEventListener("input", () => draw(rough));
  coupling.addEventListener("change", () => draw(grid));
  method.addEventListener("change", () => draw(grid));
  form.addEventListener("submit", (event) => event.preventDefault());
  draw(grid);
}
