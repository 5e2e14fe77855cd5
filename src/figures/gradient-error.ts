import { Random } from "../core/random.js";
import { numbers, tensor } from "../core/tensor.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { mlp } from "../fields/mlp.js";
import { gradientOf } from "../gradients/evaluate.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { mse } from "../learning/losses.js";
import { explicit } from "../methods/explicit.js";
import type { Method } from "../methods/method.js";
import { midpoint } from "../methods/tableaux.js";
import type { Layer } from "../plot/chart.js";
import { gridThrough } from "../programs/grid.js";
import type { Runtime } from "../runtime/runtime.js";
import { type Figure, marked, median } from "./figure.js";
import { methodOf, reversibleSchemes } from "./schemes.js";

const field = mlp({ dim: 1, hidden: [50], time: false });
const stepSize = 0.01;
const durations = [1, 2, 3, 4, 5];
const samples = 1000;
const seeds = 10;

/** Of what is solved exactly after Lawson's change of variables, as a field that damps would have it. */
const rates = "-1";

/** What is drawn: a gradient, and the backpropagation that it is held against. */
interface Comparison {
  readonly name: string;
  readonly of: Method;
  readonly by: "reversible" | "continuous";
  readonly against: Method;
}

function comparisonsOf(coupling: number): readonly Comparison[] {
  const base = explicit(midpoint);
  const schemes = reversibleSchemes({ coupling, rates }).map((scheme) => ({
    ...{ name: scheme.name, of: methodOf(scheme) },
  }));
  return [
    {
      name: "continuous adjoint, against backprop through the same steps",
      ...{ of: base, by: "continuous", against: base },
    },
    {
      name: `${schemes[0]!.name}, against backprop through steps of midpoint itself (published)`,
      ...{ of: schemes[0]!.of, by: "reversible", against: base },
    },
    ...schemes.map(
      ({ name, of }): Comparison => ({
        ...{ name: `${name}, against backprop through the same steps`, of, by: "reversible", against: of },
      }),
    ),
  ];
}

/** Means of 10 seeds at T = 1 and 5, both against backpropagation through steps of midpoint itself. */
const published = { at: [1, 5], reversible: [5.6e-8, 9.0e-7], continuous: [5.1e-5, 2.7e-4] };

/**
 * How far gradients lie from backpropagation, over the time solved for. Held against backpropagation through its own
 * steps, a reversible gradient errs by rounding; the published reference is that of the base method, which solves
 * another equation of differences, so that what is published is the difference of two discretisations.
 */
export const gradientError: Figure = {
  name: "gradient-error",
  about: "error of reversible and continuous gradients over T, fitting y = x³ + x (McCallum & Foster 2024)",
  async make({ runtime, progress, ...given }) {
    const coupling = given.coupling ?? 0.99;
    const comparisons = comparisonsOf(coupling);
    const found = comparisons.map(() => durations.map((): number[] => []));
    const sizes = durations.map((): number[] => []);
    for (const [i, T] of durations.entries()) {
      for (let seed = 0; seed < seeds; seed++) {
        const parameters = initialParameters(field, Random.seeded(seed), "float64");
        const taken = new Map<string, Promise<number[]>>();
        const take = (method: Method, gradient: "reversible" | "continuous" | "direct") => {
          const key = `${method.name} ${method.coupling} ${gradient}`;
          if (!taken.has(key)) taken.set(key, gradientAt(runtime, T, parameters, method, gradient));
          return taken.get(key)!;
        };
        for (const [k, { of, by, against }] of comparisons.entries()) {
          const [own, reference] = [await take(of, by), await take(against, "direct")];
          found[k]![i]!.push(own.reduce((sum, g, j) => sum + Math.abs(g - reference[j]!), 0));
        }
        const reference = await take(explicit(midpoint), "direct");
        sizes[i]!.push(reference.reduce((sum, g) => sum + Math.abs(g), 0));
        progress(i * seeds + seed + 1, durations.length * seeds);
      }
    }
    const series = comparisons.map(({ name }, k) => ({
      name,
      errors: found[k]!,
      means: found[k]!.map((values) => values.reduce((sum, value) => sum + value, 0) / seeds),
      medians: found[k]!.map(median),
    }));
    return {
      chart: {
        title: "Error of the gradient over the time solved for",
        subtitle: `Σ|g − g_ref|, median and range of ${seeds} seeds; h = ${stepSize}, λ = ${coupling}`,
        panels: [
          {
            x: { title: "T" },
            y: { title: "error", scale: "log" },
            layers: [
              ...comparisons.flatMap(({ name }, k): Layer[] => [
                {
                  kind: "band",
                  name,
                  x: durations,
                  low: found[k]!.map((values) => Math.min(...values)),
                  high: found[k]!.map((values) => Math.max(...values)),
                },
                ...marked({ kind: "line", name, x: durations, y: series[k]!.medians }),
              ]),
              {
                kind: "points",
                name: "published means: continuous adjoint, and reversible against midpoint itself",
                color: "black",
                x: [1, 5, 1, 5],
                y: [...published.continuous, ...published.reversible],
              },
            ],
          },
        ],
      },
      data: {
        durations,
        seeds,
        coupling,
        gradientSizes: sizes.map(median),
        series,
        published,
      },
    };
  },
};

async function gradientAt(
  runtime: Runtime,
  T: number,
  parameters: Tensors,
  method: Method,
  gradient: "reversible" | "continuous" | "direct",
): Promise<number[]> {
  const x = Array.from({ length: samples }, (_, i) => -2 + (4 * i) / (samples - 1));
  const target = x.map((value) => value ** 3 + value);
  const found = await gradientOf(neuralOde({ field, method, stepSize }), {
    ...{ runtime, loss: mse(), gradient, parameters },
    // it is the reconstruction as it is that is looked at, for any λ
    guarded: false,
    fit: {
      grid: gridThrough(0, [T], stepSize),
      y0: tensor("float64", [samples, 1], x),
      target: tensor("float64", [1, samples, 1], target),
      weight: null,
    },
  });
  return Object.values(found.parameters).flatMap(numbers);
}
