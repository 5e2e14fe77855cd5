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
import type { Method } from "../methods/method.js";
import { midpoint } from "../methods/tableaux.js";
import type { Layer } from "../plot/chart.js";
import { gridThrough } from "../programs/grid.js";
import type { Runtime } from "../runtime/runtime.js";
import { type Figure, logLogSlope, marked, median } from "./figure.js";
import { processorTime } from "./processor-time.js";
import { methodOf, reversibleSchemes } from "./schemes.js";

const field = mlp({ dim: 1, hidden: [10], time: false });
const stepSize = 0.01;
const counts = [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000];
/** Fastest of so many rounds, in which all take turns: what else a machine does only ever adds to a time, and adds to all alike. */
const repeats = 40;
/** A time is that of so many gradients in a row that it can be told from what a clock and a run cost. */
const shortest = 0.005;

/** A gradient, and what it is the gradient of. */
interface Contestant {
  readonly name: string;
  readonly method: Method;
  readonly gradient: GradientSpec;
  /** log-log slope of time in the talk, where it is there */
  readonly published: number | null;
}

/** The schemes whose steps are undone, and checkpoints of the midpoint rule itself. */
function contestantsOf(coupling: number): readonly Contestant[] {
  const slopes = { "checkpoint:2": 1.9, "checkpoint:4": 1.43, "checkpoint:8": 1.02 } as const;
  return [
    ...reversibleSchemes({ coupling, rates: "-1" }).map(
      (scheme, i): Contestant => ({
        ...{ name: scheme.name, method: methodOf(scheme), gradient: "reversible" },
        published: i === 0 ? 0.8 : null,
      }),
    ),
    ...Object.entries(slopes).map(
      ([gradient, published]): Contestant => ({
        ...{
          name: gradient,
          method: explicit(midpoint),
          gradient: gradient as keyof typeof slopes,
          published,
        },
      }),
    ),
  ];
}

interface Series {
  readonly name: string;
  readonly solver: string;
  readonly gradient: GradientSpec;
  readonly seconds: readonly number[];
  readonly evaluations: readonly number[];
  readonly storedStates: number;
  /** time over that of the first, the median over the numbers of steps */
  readonly relativeTime: number;
  readonly slope: {
    readonly seconds: number;
    readonly evaluations: number;
    readonly published: number | null;
  };
}

/** Time and field evaluations of one gradient over the number of steps. */
export const complexity: Figure = {
  name: "complexity",
  about:
    "cost of a gradient over the number of steps: reversible schemes, and 2, 4, 8 checkpoints (McCallum & Foster 2024)",
  async make({ runtime, progress, ...given }) {
    const contestants = contestantsOf(given.coupling ?? 0.999);
    const points: Point[] = [];
    const total = contestants.length * counts.length + repeats;
    for (const { method, gradient } of contestants) {
      for (const steps of counts) {
        points.push(await pointOf(runtime, gradient, method, steps));
        progress(points.length, total);
      }
    }
    const least = points.map(() => Number.POSITIVE_INFINITY);
    for (let round = 0; round < repeats; round++) {
      for (const [i, { time }] of points.entries()) least[i] = Math.min(least[i]!, await time());
      progress(points.length + round + 1, total);
    }
    for (const { release } of points) await release();
    const series = contestants.map(({ name, method, gradient, published }, k): Series => {
      const own = counts.map((_, i) => k * counts.length + i);
      const seconds = own.map((i) => least[i]!);
      const evaluations = own.map((i) => points[i]!.evaluations);
      return {
        ...{ name, solver: method.name, gradient, seconds, evaluations },
        storedStates: points[own.at(-1)!]!.storedStates,
        relativeTime: median(seconds.map((time, i) => time / least[i]!)),
        slope: {
          seconds: logLogSlope(counts, seconds),
          evaluations: logLogSlope(counts, evaluations),
          published,
        },
      };
    });
    const layers = (values: "seconds" | "evaluations"): Layer[] =>
      series.flatMap((one) => marked({ kind: "line", name: one.name, x: counts, y: one[values] }));
    const x = { title: "steps", scale: "log" } as const;
    return {
      chart: {
        title: "Cost of a gradient over the number of steps",
        subtitle: `h = ${stepSize}, field 1 → 10 tanh → 1, ${runtime.name}`,
        panels: [
          {
            title: "processor time",
            x,
            y: { title: "processor time", unit: "s", scale: "log" },
            layers: layers("seconds"),
          },
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

/** A gradient of Σ y(T)², compiled and warm. */
interface Point {
  readonly evaluations: number;
  readonly storedStates: number;
  /** processor time of one, in seconds */
  readonly time: () => Promise<number>;
  readonly release: () => Promise<void>;
}

async function pointOf(
  runtime: Runtime,
  gradient: GradientSpec,
  method: Method,
  steps: number,
): Promise<Point> {
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
  const trained = { parameters: upload(runtime, initialParameters(field, Random.seeded(0), "float64")) };
  const fixed = compiled.fixed(fit);
  const timed = async (count: number): Promise<number> => {
    const started = processorTime();
    for (let i = 0; i < count; i++) await compiled.run(trained, fixed);
    return processorTime() - started;
  };
  // the engine optimises what runs often
  let count = 1;
  while ((await timed(count)) < 10 * shortest) count *= 2;
  count = Math.max(1, Math.round(count / 10));
  return {
    ...compiled.cost,
    time: async () => (await timed(count)) / count,
    release: () => compiled.release(),
  };
}
