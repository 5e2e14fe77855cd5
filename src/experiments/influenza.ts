import { tensor } from "../core/tensor.js";
import { sir } from "../fields/physical.js";
import { mse } from "../learning/losses.js";
import { adamw } from "../learning/optimisers.js";
import { cosine } from "../learning/schedules.js";
import type { Experiment } from "./experiment.js";

/** Boys confined to bed, daily from 22 January to 4 February 1978 (BMJ 1978;1:587). */
export const confinedToBed = [3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4] as const;

/** Boys at the school. */
export const population = 763;

/**
 * Influenza in an English boarding school, 1978: b and k of the SIR model from 14 counts.
 *
 * As in Murray's fit, one boy is infected on the day before the first count; only the infected are observed.
 */
export const influenza: Experiment = {
  name: "influenza",
  about: "SIR model of influenza in a boarding school, 1978 (BMJ 1978;1:587); 14 daily counts of 763 boys",
  needs: null,
  time: { name: "time", unit: "days since 21 January 1978" },
  unit: "boys",
  protocol: {
    solver: "midpoint",
    coupling: 0.999,
    gradient: "reversible",
    stepSize: 0.05,
    dtype: "float64",
    steps: 300,
    loss: (chosen = mse()) => chosen,
    schedule: (steps) => cosine({ steps }),
    optimiser: ({ learningRate = 0.05, weightDecay = 0 }) => adamw({ learningRate, weightDecay }),
  },
  field: () => sir({ population, b: 1, k: 0.5 }),
  data: () => ({
    t0: 0,
    times: confinedToBed.map((_, day) => day + 1),
    y0: tensor("float64", [1, 3], [population - 1, 1, 0]),
    observations: tensor(
      "float64",
      [confinedToBed.length, 1, 3],
      confinedToBed.flatMap((infected) => [Number.NaN, infected, Number.NaN]),
    ),
  }),
  assumesStart: true,
  published: {
    b: { value: 1.66, source: "Murray, Mathematical Biology" },
    k: { value: 0.44, source: "Murray, Mathematical Biology" },
  },
};
