import { alf } from "../methods/alf.js";
import { effectivelySymmetric } from "../methods/effectively-symmetric.js";
import { explicit } from "../methods/explicit.js";
import type { Method } from "../methods/method.js";
import { reversible } from "../methods/reversible.js";
import { reversibleHeun } from "../methods/reversible-heun.js";
import type { Box } from "../methods/stability.js";
import { ees25, ees27, euler, midpoint, ralston3, rk4 } from "../methods/tableaux.js";
import type { Panel } from "../plot/chart.js";
import type { Figure } from "./figure.js";
import { regionLayers, regionOf } from "./region.js";

/** What is drawn … */
const box: Box = { re: [-3, 0.5], im: [-3, 3] };
/** … and what areas are counted in, as published. */
const counted: Box = { re: [-3, 0], im: [-3, 3] };
const grid = { box, counted, resolution: 300, finer: 3 };
const damping = 0.8;

/** Regions of the complex plane of α h in which a step on y' = α y damps. */
export const stability: Figure = {
  name: "stability",
  about:
    "stability regions of reversible methods, λ = 0.8 unless told otherwise, beside those of base methods (McCallum & Foster 2024)",
  make({ progress, ...given }) {
    const coupling = given.coupling ?? 0.8;
    const pairs: readonly { title: string; base: Method | null; reversible: Method }[] = [
      ...[euler, midpoint, ralston3, rk4].map((tableau) => ({
        title: `${tableau.name}, λ = ${coupling}`,
        base: explicit(tableau),
        reversible: reversible(tableau, { coupling }),
      })),
      { title: `ALF, η = ${damping}`, base: null, reversible: alf({ damping }) },
      { title: "reversible Heun", base: null, reversible: reversibleHeun() },
      ...[ees25, ees27].map((tableau) => ({
        ...{ title: tableau.name.toUpperCase(), base: null, reversible: effectivelySymmetric(tableau) },
      })),
    ];
    const drawn = pairs.map((pair, i) => {
      const base = pair.base === null ? null : regionOf(pair.base, grid);
      const own = regionOf(pair.reversible, grid);
      progress(i + 1, pairs.length);
      return { ...pair, baseRegion: base, own };
    });
    const regions = drawn.flatMap(({ base, baseRegion, reversible, own }) => [
      ...(base === null || baseRegion === null
        ? []
        : [{ group: "base", solver: base.name, ...baseRegion } as const]),
      { group: "reversible", solver: reversible.name, ...own } as const,
    ]);
    const panels = drawn.map(
      ({ title, baseRegion, own }, i): Panel => ({
        title,
        x: { title: i + 3 < drawn.length ? "" : "Re αh", domain: [...box.re] },
        y: { title: i % 3 === 0 ? "Im αh" : "", domain: [...box.im] },
        // as many pixels for a unit of either
        width: 60 * (box.re[1] - box.re[0]),
        height: 60 * (box.im[1] - box.im[0]),
        layers: regionLayers(own, baseRegion),
      }),
    );
    return {
      chart: {
        title: "Stability regions",
        subtitle: "the αh for which a step on y' = αy damps",
        columns: 3,
        panels,
      },
      data: {
        box,
        counted,
        coupling,
        areas: regions.map(({ group, solver, area }) => ({ group, solver, area })),
        boundaries: regions.map(({ group, solver, boundary }) => ({ group, solver, ...boundary })),
      },
    };
  },
};
