import { tensor } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import { explicit } from "../methods/explicit.js";
import { reversible } from "../methods/reversible.js";
import { euler, midpoint, ralston3, rk4 } from "../methods/tableaux.js";
import { mul } from "../ops/arithmetic.js";
import type { Layer } from "../plot/chart.js";
import { type Figure, logLogSlope, marked } from "./figure.js";

/** y' = y / 2 */
const growth: VectorField = {
  name: "growth",
  state: ["batch", 1],
  parameters: {},
  apply: (b, _theta, _t, y) => mul(b, y, 0.5),
};

const duration = 5;
const stepSizes = [0, -1.25, -2.5, -3.75, -5].map((exponent) => 2 ** exponent);
const colors = ["blue", "vermillion", "green", "purple"] as const;

interface Series {
  readonly solver: string;
  readonly coupling: number | null;
  readonly errors: readonly number[];
  readonly nominal: number;
  /** of convergence, measured */
  readonly order: number;
}

/** A power of the step size below the finer part of a curve, to hold its slope against. */
function guide(order: number, curves: readonly Series[]): Layer {
  const x = stepSizes.slice(2);
  const below = Math.min(...curves.map(({ errors }) => errors.at(-1)!)) / 4;
  const y = x.map((h) => below * (h / stepSizes.at(-1)!) ** order);
  return { kind: "line", name: "slopes 1, 2, 3 and 4", color: "grey", dashed: true, x, y };
}

/** Error at T = 5 over step size: a coupled method keeps the order of the method it is made of. */
export const convergence: Figure = {
  name: "convergence",
  about:
    "error over step size on y' = y/2, of base methods and coupled: orders 1 to 4 (McCallum & Foster 2024)",
  async make({ runtime, progress, ...given }) {
    const coupling = given.coupling ?? 0.999;
    const tableaux = [euler, midpoint, ralston3, rk4];
    const exact = Math.exp(duration / 2);
    const series: Series[] = [];
    for (const tableau of tableaux) {
      for (const method of [explicit(tableau), reversible(tableau, { coupling })]) {
        const errors = [];
        for (const stepSize of stepSizes) {
          const ode = neuralOde({ field: growth, method, stepSize });
          const { ys } = await solve(ode, {
            runtime,
            y0: tensor("float64", [1, 1], [1]),
            t0: 0,
            saveAt: [duration],
          });
          errors.push(Math.abs(Number(ys.data[0]) - exact));
        }
        series.push({
          solver: tableau.name,
          coupling: method.coupling,
          errors,
          nominal: tableau.order,
          // the finest steps, where the leading term of the error dominates
          order: logLogSlope(stepSizes.slice(2), errors.slice(2)),
        });
        progress(series.length, 2 * tableaux.length);
      }
    }
    const curves = series.flatMap(({ solver, coupling: lambda, errors }) =>
      marked({
        kind: "line",
        name: lambda === null ? solver : `${solver}, coupled`,
        x: stepSizes,
        y: errors,
        color: colors[tableaux.findIndex(({ name }) => name === solver)]!,
        dashed: lambda !== null,
      }),
    );
    const layers = [
      ...tableaux.map((tableau, i) => guide(tableau.order, series.slice(2 * i, 2 * i + 2))),
      ...curves,
    ];
    return {
      chart: {
        title: "Convergence on y' = y/2",
        subtitle: `error at t = ${duration}; coupled with λ = ${coupling}`,
        panels: [
          { x: { title: "step size", scale: "log" }, y: { title: "absolute error", scale: "log" }, layers },
        ],
      },
      data: { duration, stepSizes, coupling, series },
    };
  },
};
