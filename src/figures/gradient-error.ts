import { Random } from "../core/random.js";
import { numbers, tensor } from "../core/tensor.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { mlp } from "../fields/mlp.js";
import { gradientOf } from "../gradients/evaluate.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { mse } from "../learning/losses.js";
import { explicit } from "../methods/explicit.js";
import { reversible } from "../methods/reversible.js";
import { midpoint } from "../methods/tableaux.js";
import { gridThrough } from "../programs/grid.js";
import type { Figure } from "./figure.js";

const field = mlp({ dim: 1, hidden: [50], time: false });
const stepSize = 0.01;
const durations = [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5];
const samples = 1000;
const seeds = 3;

/** How far gradients lie from those of backpropagation through plain steps, over the time solved for. */
export const gradientError: Figure = {
  name: "gradient-error",
  about: "error of reversible and continuous gradients over T, fitting y = x³ + x (McCallum & Foster 2024)",
  async make({ runtime, progress, ...given }) {
    const coupling = given.coupling ?? 0.99;
    // each on its own scheme, against backpropagation through plain steps
    const contestants = [
      { name: "reversible", gradient: "reversible", method: reversible(midpoint, { coupling }) },
      { name: "continuous", gradient: "continuous", method: explicit(midpoint) },
    ] as const;
    const x = Array.from({ length: samples }, (_, i) => -2 + (4 * i) / (samples - 1));
    const gradient = async (
      T: number,
      parameters: Tensors,
      which: { gradient: "reversible" | "continuous" | "direct"; method: ReturnType<typeof explicit> },
    ) => {
      const found = await gradientOf(neuralOde({ field, method: which.method, stepSize }), {
        runtime,
        loss: mse(),
        gradient: which.gradient,
        parameters,
        fit: {
          grid: gridThrough(0, [T], stepSize),
          y0: tensor("float64", [samples, 1], x),
          target: tensor(
            "float64",
            [1, samples, 1],
            x.map((value) => value ** 3 + value),
          ),
          weight: null,
        },
      });
      return Object.values(found.parameters).flatMap(numbers);
    };
    const errors: Record<string, number[][]> = Object.fromEntries(contestants.map(({ name }) => [name, []]));
    for (const [i, T] of durations.entries()) {
      for (const { name } of contestants) errors[name]!.push([]);
      for (let seed = 0; seed < seeds; seed++) {
        const parameters = initialParameters(field, Random.seeded(seed), "float64");
        const reference = await gradient(T, parameters, { gradient: "direct", method: explicit(midpoint) });
        for (const contestant of contestants) {
          const found = await gradient(T, parameters, contestant);
          errors[contestant.name]![i]!.push(
            found.reduce((sum, g, k) => sum + Math.abs(g - reference[k]!), 0),
          );
        }
        progress(i * seeds + seed + 1, durations.length * seeds);
      }
    }
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const means = Object.fromEntries(
      Object.entries(errors).map(([name, values]) => [name, values.map(mean)]),
    );
    return {
      chart: {
        title: "Error of the gradient over the time solved for",
        subtitle: `Σ|g − g_ref|, mean of ${seeds} seeds; midpoint, h = ${stepSize}, λ = ${coupling}`,
        panels: [
          {
            x: { title: "T" },
            y: { title: "error", scale: "log" },
            layers: contestants.map(({ name }) => ({ kind: "line", name, x: durations, y: means[name]! })),
          },
        ],
      },
      data: {
        durations,
        seeds,
        coupling,
        errors,
        means,
        published: { reversible: [5.6e-8, 9.0e-7], continuous: [5.1e-5, 2.7e-4], at: [1, 5] },
      },
    };
  },
};
