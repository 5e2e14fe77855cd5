import { Random } from "../core/random.js";
import { tensor } from "../core/tensor.js";
import { initialParameters } from "../fields/field.js";
import { mlp } from "../fields/mlp.js";
import { differentiator } from "../gradients/evaluate.js";
import type { GradientSpec } from "../gradients/method.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { upload } from "../integrate/solve.js";
import { mse } from "../learning/losses.js";
import { explicit } from "../methods/explicit.js";
import { reversible } from "../methods/reversible.js";
import { midpoint } from "../methods/tableaux.js";
import type { Layer } from "../plot/chart.js";
import { gridThrough } from "../programs/grid.js";
import type { Runtime } from "../runtime/runtime.js";
import { type Figure, logLogSlope, marked } from "./figure.js";

const field = mlp({ dim: 1, hidden: [10], time: false });
const stepSize = 0.01;
const counts = [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000];
/** Fastest of so many, for what else a machine does only ever adds to a time. */
const repeats = 15;
/** A time is that of so many gradients in a row that it can be told from what a clock and a run cost. */
const shortest = 0.02;

/** A gradient method with the scheme that it is used on in the talk. */
const contestants: readonly { gradient: GradientSpec; coupled: boolean; published: number }[] = [
  { gradient: "reversible", coupled: true, published: 0.8 },
  { gradient: "checkpoint:2", coupled: false, published: 1.9 },
  { gradient: "checkpoint:4", coupled: false, published: 1.43 },
  { gradient: "checkpoint:8", coupled: false, published: 1.02 },
];

interface Series {
  readonly gradient: GradientSpec;
  readonly seconds: readonly number[];
  readonly evaluations: readonly number[];
  readonly storedStates: number;
  readonly slope: { readonly seconds: number; readonly evaluations: number; readonly published: number };
}

/** Time and field evaluations of one gradient over the number of steps. */
export const complexity: Figure = {
  name: "complexity",
  about:
    "cost of a gradient over the number of steps: reversible, and 2, 4, 8 checkpoints (McCallum & Foster 2024)",
  async make({ runtime, progress }) {
    const series: Series[] = [];
    for (const { gradient, coupled, published } of contestants) {
      const points = [];
      for (const steps of counts) {
        points.push(await cost(runtime, gradient, coupled, steps));
        progress(series.length * counts.length + points.length, contestants.length * counts.length);
      }
      const seconds = points.map((point) => point.seconds);
      const evaluations = points.map((point) => point.evaluations);
      series.push({
        gradient,
        seconds,
        evaluations,
        storedStates: points.at(-1)!.storedStates,
        slope: {
          seconds: logLogSlope(counts, seconds),
          evaluations: logLogSlope(counts, evaluations),
          published,
        },
      });
    }
    const layers = (values: "seconds" | "evaluations"): Layer[] =>
      series.flatMap((one) =>
        marked({ kind: "line", name: String(one.gradient), x: counts, y: one[values] }),
      );
    const x = { title: "steps", scale: "log" } as const;
    return {
      chart: {
        title: "Cost of a gradient over the number of steps",
        subtitle: `midpoint, field 1 → 10 tanh → 1, ${runtime.name}`,
        panels: [
          { title: "time", x, y: { title: "time", unit: "s", scale: "log" }, layers: layers("seconds") },
          {
            title: "evaluations of the field",
            x,
            y: { title: "evaluations", scale: "log" },
            layers: layers("evaluations"),
          },
        ],
      },
      data: { runtime: runtime.name, steps: counts, repeats, series },
    };
  },
};

/** The least time of a gradient of Σ y(T)², compiled and warm, and its counted cost. */
async function cost(runtime: Runtime, gradient: GradientSpec, coupled: boolean, steps: number) {
  const method = coupled ? reversible(midpoint) : explicit(midpoint);
  const one = (shape: number[], value: number) => tensor("float64", shape, [value]);
  const fit = {
    grid: gridThrough(0, [steps * stepSize], stepSize),
    y0: one([1, 1], 1),
    target: one([1, 1, 1], 0),
    weight: null,
  };
  const compiled = await differentiator(neuralOde({ field, method, stepSize }), {
    runtime,
    loss: mse(),
    gradient,
    fit,
  });
  try {
    const trained = { parameters: upload(runtime, initialParameters(field, Random.seeded(0), "float64")) };
    const fixed = compiled.fixed(fit);
    const timed = async (count: number): Promise<number> => {
      const started = performance.now();
      for (let i = 0; i < count; i++) await compiled.run(trained, fixed);
      return (performance.now() - started) / 1000;
    };
    // the engine optimises what runs often
    let count = 1;
    while ((await timed(count)) < shortest) count *= 2;
    let seconds = Number.POSITIVE_INFINITY;
    for (let i = 0; i < repeats; i++) seconds = Math.min(seconds, (await timed(count)) / count);
    return { seconds, ...compiled.cost };
  } finally {
    await compiled.release();
  }
}
