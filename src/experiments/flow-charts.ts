import { largestOf } from "../core/largest.js";
import { Random } from "../core/random.js";
import { numbers, tensor } from "../core/tensor.js";
import { solve } from "../integrate/solve.js";
import { type Flow, normalisingFlow } from "../models/flow.js";
import { predict } from "../models/measuring.js";
import { defineModel } from "../models/model.js";
import type { Axis, Chart, Panel } from "../plot/chart.js";
import type { TrainedTask } from "./task-experiment.js";

// What a flow in the plane makes of its base distribution, as densities and as points.

export type Points = readonly (readonly number[])[];

/** What points are brought to mean 0 and standard deviation 1 by: one of each for both coordinates. */
export interface Scale {
  readonly mean: number;
  readonly deviation: number;
}

/** From the base distribution to that of the data. */
const drawnTimes = [0, 0.25, 0.5, 0.75, 1];

/** What is drawn of a coordinate: three standard deviations of the base distribution, and all of the data. */
function axisOf(k: number, data: Points, { mean, deviation }: Scale) {
  const own = data.map((point) => point[k]!);
  const [low, high] = [mean - 3 * deviation, mean + 3 * deviation];
  const [least, greatest] = [-largestOf(own.map((x) => -x)), largestOf(own)];
  return { title: "xy"[k]!, domain: [Math.min(low, least), Math.max(high, greatest)] as const };
}

/** The density at some times, from that of the base distribution to that of the data, all in the units of the data. */
export async function drawDensity(
  { ode }: Flow,
  data: Points,
  { mean, deviation }: Scale,
  { runtime, dtype, parameters }: TrainedTask,
): Promise<Chart> {
  const count = 64;
  const axes = [0, 1].map((k) => axisOf(k, data, { mean, deviation }));
  const [xs, ys] = axes.map(({ domain: [low, high] }) =>
    Array.from({ length: count + 1 }, (_, i) => low + ((high - low) * i) / count),
  ) as [number[], number[]];
  const centres = (edges: readonly number[]) => edges.slice(1).map((edge, i) => (edge + edges[i]!) / 2);
  const points = centres(ys).flatMap((y) => centres(xs).map((x) => [x, y]));
  const x = tensor(
    dtype,
    [points.length, 2],
    points.flat().map((value) => (value - mean) / deviation),
  );
  const at = async (t: number) => {
    // at t = 0 there is nothing to solve
    if (t === 0)
      return points.map(
        ([a, b]) => Math.exp(-((a! - mean) ** 2 + (b! - mean) ** 2) / (2 * deviation ** 2)) / (2 * Math.PI),
      );
    const flow = normalisingFlow({ ode, t1: t });
    const model = defineModel({
      ...{ name: "density", parameters: ode.field.parameters, inputs: { x: { shape: [2] } } },
      apply: (b, theta, inputs) => ({ logDensity: flow.logDensity(b, { theta, x: inputs.x }).logDensity }),
    });
    const { logDensity } = await predict(model, { x }, { runtime, parameters, dtype });
    return numbers(logDensity).map(Math.exp);
  };
  const densities: number[][] = [];
  for (const t of drawnTimes) densities.push((await at(t)).map((density) => density / deviation ** 2));
  // from far away a flow may have no density that is a number: such places are left blank
  const range = [0, Math.max(0, ...densities.flat().filter(Number.isFinite))] as const;
  const panels = drawnTimes.map(
    (t, k): Panel => ({
      ...{ title: `t = ${t}`, x: axes[0]!, y: axes[1]!, width: 256, height: 256 },
      layers: [{ kind: "cells", name: "density", x: xs, y: ys, values: densities[k]!, range }],
    }),
  );
  return {
    title: "The density on its way from the base distribution to the data",
    columns: 3,
    panels: [...panels, cloud("data", data, axes)],
  };
}

/** Points in a panel. */
function cloud(
  title: string,
  points: Points,
  axes: readonly Axis[],
  color: "blue" | "vermillion" = "vermillion",
): Panel {
  return {
    ...{ title, x: axes[0]!, y: axes[1]!, width: 256, height: 256 },
    layers: [{ kind: "points", color, x: points.map(([x]) => x!), y: points.map(([, y]) => y!) }],
  };
}

/** Points of the base distribution on their way to the data, beside those, all in the units of the data. */
export async function drawSamples(
  { ode }: Flow,
  data: Points,
  { mean, deviation }: Scale,
  { runtime, dtype, parameters }: TrainedTask,
): Promise<Chart> {
  const count = 1000;
  const random = Random.seeded(0);
  const draws = Array.from({ length: 2 * count }, () => random.normal());
  const y0 = tensor(dtype, [count, 2], draws);
  const { ys } = await solve(ode, { runtime, parameters, y0, t0: 0, saveAt: drawnTimes });
  const axes = [0, 1].map((k) => axisOf(k, data, { mean, deviation }));
  const moved = numbers(ys).map((x) => mean + x * deviation);
  const at = (k: number) =>
    Array.from({ length: count }, (_, i) => moved.slice(2 * (k * count + i), 2 * (k * count + i + 1)));
  return {
    title: "Samples of the base distribution on their way, and the data",
    columns: 3,
    panels: [...drawnTimes.map((t, k) => cloud(`t = ${t}`, at(k), axes, "blue")), cloud("data", data, axes)],
  };
}
