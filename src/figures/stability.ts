import { alf } from "../methods/alf.js";
import { explicit } from "../methods/explicit.js";
import type { Method } from "../methods/method.js";
import { reversible } from "../methods/reversible.js";
import { reversibleHeun } from "../methods/reversible-heun.js";
import { type Box, spectralRadius, stabilityArea } from "../methods/stability.js";
import { euler, midpoint, ralston3, rk4 } from "../methods/tableaux.js";
import type { Panel } from "../plot/chart.js";
import { levelCurve } from "./contour.js";
import type { Figure } from "./figure.js";

/** What is drawn … */
const box: Box = { re: [-3, 0.5], im: [-3, 3] };
/** … and what areas are counted in, as published. */
const counted: Box = { re: [-3, 0], im: [-3, 3] };
const resolution = 300;
const damping = 0.8;

/** Regions of the complex plane of α h in which a step on y' = α y damps. */
export const stability: Figure = {
  name: "stability",
  about:
    "stability regions of reversible methods, λ = 0.8 unless told otherwise, beside the plain ones (McCallum & Foster 2024)",
  make({ progress, ...given }) {
    const coupling = given.coupling ?? 0.8;
    const tableaux = [euler, midpoint, ralston3, rk4];
    const groups: readonly { title: string; methods: readonly Method[] }[] = [
      { title: "plain", methods: tableaux.map(explicit) },
      {
        title: `reversible: coupled with λ = ${coupling}, ALF with η = ${damping}, Heun`,
        methods: [
          ...tableaux.map((tableau) => reversible(tableau, { coupling })),
          alf({ damping }),
          reversibleHeun(),
        ],
      },
    ];
    const regions = groups.flatMap(({ title, methods }) =>
      methods.map((method) => ({ group: title, solver: method.name, ...regionOf(method) })),
    );
    progress(1, 1);
    const panels = groups.map(
      ({ title }): Panel => ({
        title,
        x: { title: "Re αh", domain: [...box.re] },
        y: { title: "Im αh", domain: [...box.im] },
        width: 300,
        height: 420,
        layers: regions
          .filter(({ group }) => group === title)
          .map(({ solver, boundary }) => ({ kind: "line", name: solver, x: boundary.x, y: boundary.y })),
      }),
    );
    return {
      chart: {
        title: "Stability regions",
        subtitle: "boundaries of the αh for which a step on y' = αy damps; reversible Heun damps nowhere",
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

function regionOf(method: Method) {
  const axis = ([low, high]: readonly [number, number]) =>
    Array.from({ length: resolution + 1 }, (_, i) => low + ((high - low) * i) / resolution);
  const [xs, ys] = [axis(box.re), axis(box.im)];
  const radii = xs.map((re) => ys.map((im) => spectralRadius(method.stepMatrix!, [re, im])));
  return { boundary: levelCurve(xs, ys, radii, 1), area: stabilityArea(method, counted, resolution) };
}
