import { tensor } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import { explicit } from "../methods/explicit.js";
import type { Method } from "../methods/method.js";
import { reversible } from "../methods/reversible.js";
import { euler, midpoint, ralston3, rk4 } from "../methods/tableaux.js";
import { mul } from "../ops/arithmetic.js";
import type { Color, Layer } from "../plot/chart.js";
import type { Runtime } from "../runtime/runtime.js";
import { type Figure, logLogSlope, marked } from "./figure.js";
import { methodOf, reversibleSchemes } from "./schemes.js";

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
const rates = "0.4";

interface Contestant {
  readonly name: string;
  readonly method: Method;
  readonly color: Color;
  readonly dashed: boolean;
}

/** Of the schemes in their order; the first is among the pairs as well, where it looks the same. */
const looks: readonly Pick<Contestant, "color" | "dashed">[] = [
  { color: "vermillion", dashed: true },
  { color: "orange", dashed: true },
  { color: "sky", dashed: true },
  { color: "orange", dashed: false },
  { color: "sky", dashed: false },
  { color: "black", dashed: true },
];

/** Base methods, each followed by itself coupled. */
function pairsOf(coupling: number): readonly Contestant[] {
  const colors = ["blue", "vermillion", "green", "purple"] as const;
  return [euler, midpoint, ralston3, rk4].flatMap((tableau, i): Contestant[] => [
    { name: tableau.name, method: explicit(tableau), color: colors[i]!, dashed: false },
    {
      name: `${tableau.name}, coupled`,
      method: reversible(tableau, { coupling }),
      color: colors[i]!,
      dashed: true,
    },
  ]);
}

interface Errors {
  readonly errors: readonly number[];
  readonly nominal: number;
  /** of convergence, measured */
  readonly order: number;
}
type Measured = Contestant & Errors;

/** A power of the step size below the finer part of a curve, to hold its slope against. */
function guide(order: number, curves: readonly Errors[]): Layer {
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
    const pairs = pairsOf(coupling);
    const schemes = reversibleSchemes({ coupling, rates }).map(
      (scheme, i): Contestant => ({ name: scheme.name, method: methodOf(scheme), ...looks[i]! }),
    );
    const total = pairs.length + schemes.length;
    const measured = async (contestants: readonly Contestant[], before: number) => {
      const found: Measured[] = [];
      for (const contestant of contestants) {
        found.push({ ...contestant, ...(await errorsOf(runtime, contestant.method)) });
        progress(before + found.length, total);
      }
      return found;
    };
    const [own, others] = [await measured(pairs, 0), await measured(schemes, pairs.length)];
    const axes = {
      x: { title: "step size", scale: "log" as const },
      y: { title: "absolute error", scale: "log" as const },
    };
    return {
      chart: {
        title: "Convergence on y' = y/2",
        subtitle: `error at t = ${duration}; coupled with λ = ${coupling}`,
        panels: [
          { title: "base methods, and coupled", ...axes, layers: curvesOf(own) },
          { title: "reversible schemes of order 2", ...axes, layers: curvesOf(others) },
        ],
      },
      data: {
        ...{ duration, stepSizes, coupling },
        // midpoint, coupled, is among both
        series: [...own, ...others.slice(1)].map(({ name, method, errors, nominal, order }) => ({
          ...{ name, solver: method.name, coupling: method.coupling, errors, nominal, order },
        })),
      },
    };
  },
};

async function errorsOf(runtime: Runtime, method: Method): Promise<Errors> {
  const errors = [];
  for (const stepSize of stepSizes) {
    const ode = neuralOde({ field: growth, method, stepSize });
    const y0 = tensor("float64", [1, 1], [1]);
    const { ys } = await solve(ode, { runtime, y0, t0: 0, saveAt: [duration] });
    errors.push(Math.abs(Number(ys.data[0]) - Math.exp(duration / 2)));
  }
  // the finest steps, where the leading term of the error dominates
  return { errors, nominal: method.order, order: logLogSlope(stepSizes.slice(2), errors.slice(2)) };
}

/** Curves over guides of their orders. */
function curvesOf(series: readonly Measured[]): Layer[] {
  const orders = [...new Set(series.map(({ nominal }) => nominal))];
  return [
    ...orders.map((order) =>
      guide(
        order,
        series.filter(({ nominal }) => nominal === order),
      ),
    ),
    ...series.flatMap(({ name, color, dashed, errors }) =>
      marked({ kind: "line", name, color, dashed, x: stepSizes, y: errors }),
    ),
  ];
}
