import { tensor } from "../core/tensor.js";
import { sumOf } from "../fields/combine.js";
import { mlp } from "../fields/mlp.js";
import { lotkaVolterra } from "../fields/physical.js";
import { rescaled } from "../fields/rescaled.js";
import { mse } from "../learning/losses.js";
import { adamw } from "../learning/optimisers.js";
import { cosine } from "../learning/schedules.js";
import type { Experiment } from "./experiment.js";

/** Pelts of hares and lynx bought by the Hudson's Bay Company, thousands, 1900–1920. */
export const hares = [
  30, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22, 25.4, 27.1, 40.3, 57, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6,
  16.2, 24.7,
] as const;
export const lynx = [
  4, 6.1, 9.8, 35.2, 59.4, 41.7, 19, 13, 8.3, 9.1, 7.4, 8, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6,
] as const;

/**
 * Hares and lynx as a universal differential equation: Lotka and Volterra's equations and a small perceptron for what
 * they leave unexplained.
 *
 * @see Rackauckas et al. 2020, arXiv:2001.04385
 */
export const hareLynx: Experiment = {
  name: "hare-lynx",
  about: "hare and lynx pelts, Hudson's Bay Company, 1900–1920: Lotka–Volterra plus a neural residual",
  needs: null,
  time: { name: "time", unit: "years since 1900" },
  unit: "thousands of pelts",
  protocol: {
    solver: "rk4",
    coupling: 0.999,
    gradient: "reversible",
    stepSize: 0.1,
    dtype: "float64",
    steps: 1000,
    loss: (chosen = mse()) => chosen,
    // β and δ are small: at the full rate the first updates would overshoot them
    schedule: (steps) => cosine({ steps, warmup: 100 }),
    optimiser: ({ learningRate = 1e-2, weightDecay = 1e-4 }) => adamw({ learningRate, weightDecay }),
  },
  field: () =>
    sumOf(
      {
        mechanism: lotkaVolterra({ alpha: 0.48, beta: 0.025, delta: 0.024, gamma: 0.93 }),
        residual: rescaled(mlp({ dim: 2, hidden: [8], time: false }), {
          shift: [34, 20],
          scale: [20, 16],
          rate: 0.1,
        }),
      },
      "hare-lynx",
    ),
  data: () => ({
    t0: 0,
    times: hares.map((_, year) => year),
    y0: tensor("float64", [1, 2], [hares[0], lynx[0]]),
    observations: tensor(
      "float64",
      [hares.length, 1, 2],
      hares.flatMap((hare, year) => [hare, lynx[year]!]),
    ),
  }),
};
