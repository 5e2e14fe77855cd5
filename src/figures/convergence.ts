import { tensor } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import { effectivelySymmetric } from "../methods/effectively-symmetric.js";
import { explicit } from "../methods/explicit.js";
import { lawson } from "../methods/lawson.js";
import type { Method } from "../methods/method.js";
import { reversible } from "../methods/reversible.js";
import { ees25, ees27, euler, midpoint, ralston3, rk4 } from "../methods/tableaux.js";
import { mul } from "../ops/arithmetic.js";
import type { Color, Layer } from "../plot/chart.js";
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
/** Of what is solved exactly after Lawson's change of variables: most of the field, so that there is something left. */
const rate = 0.4;

interface Contestant {
  readonly name: string;
  readonly method: Method;
  readonly color: Color;
}

/** Base methods, each followed by itself coupled; then other reversible ones. */
function contestantsOf(coupling: number): readonly Contestant[] {
  const colors = ["blue", "vermillion", "green", "purple"] as const;
  const pairs = [euler, midpoint, ralston3, rk4].flatMap((tableau, i): Contestant[] => [
    { name: tableau.name, method: explicit(tableau), color: colors[i]! },
    { name: `${tableau.name}, coupled`, method: reversible(tableau, { coupling }), color: colors[i]! },
  ]);
  return [
    ...pairs,
    { name: "EES25", method: effectivelySymmetric(ees25), color: "orange" },
    { name: "EES27", method: effectivelySymmetric(ees27), color: "sky" },
    {
      name: "midpoint, coupled, after Lawson (Rex)",
      method: lawson(reversible(midpoint, { coupling }), { rates: rate }),
      color: "black",
    },
  ];
}

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
    "error over step size on y' = y/2, of base methods, coupled and other reversible ones: orders 1 to 4 (McCallum & Foster 2024)",
  async make({ runtime, progress, ...given }) {
    const coupling = given.coupling ?? 0.999;
    const contestants = contestantsOf(coupling);
    const exact = Math.exp(duration / 2);
    const series: Series[] = [];
    for (const { method } of contestants) {
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
        solver: method.name,
        coupling: method.coupling,
        errors,
        nominal: method.order,
        // the finest steps, where the leading term of the error dominates
        order: logLogSlope(stepSizes.slice(2), errors.slice(2)),
      });
      progress(series.length, contestants.length);
    }
    const curves = contestants.flatMap(({ name, method, color }, i) =>
      marked({
        kind: "line",
        ...{ name, color, dashed: method.coupling !== null },
        ...{ x: stepSizes, y: series[i]!.errors },
      }),
    );
    const orders = [...new Set(series.map(({ nominal }) => nominal))];
    const layers = [
      ...orders.map((order) =>
        guide(
          order,
          series.filter(({ nominal }) => nominal === order),
        ),
      ),
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
