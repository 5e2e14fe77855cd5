import { tensor } from "../core/tensor.js";
import { mlp } from "../fields/mlp.js";
import { whiteDwarf as whiteDwarfField } from "../fields/physical.js";
import { solve } from "../integrate/solve.js";
import { mse } from "../learning/losses.js";
import { adamw } from "../learning/optimisers.js";
import type { Experiment } from "./experiment.js";

/**
 * The white-dwarf equation learnt by a neural ODE (McCallum & Foster 2024): data made by the same solver and coupling
 * as the model, compared at each of 1000 steps.
 */
export const whiteDwarf: Experiment = {
  name: "white-dwarf",
  about: "Chandrasekhar's white-dwarf equation, learnt from 1000 states (McCallum & Foster 2024)",
  needs: null,
  time: { name: "radius", unit: "dimensionless" },
  unit: "dimensionless",
  protocol: {
    solver: "midpoint",
    coupling: 0.999,
    gradient: "reversible",
    stepSize: 0.005,
    dtype: "float64",
    steps: 1000,
    loss: (chosen = mse()) => chosen,
    optimiser: ({ learningRate = 1e-2, weightDecay = 1e-5 }) => adamw({ learningRate, weightDecay }),
  },
  field: () => mlp({ dim: 2, hidden: [10], components: ["φ", "φ'"], name: "white-dwarf-mlp" }),
  async data({ ode, runtime }) {
    const times = Array.from({ length: 1000 }, (_, i) => ((i + 1) * 5) / 1000);
    const y0 = tensor(ode.dtype, [1, 2], [1, 0]);
    const { ys } = await solve({ ...ode, field: whiteDwarfField() }, { runtime, y0, t0: 0, saveAt: times });
    return { t0: 0, times, y0, observations: ys };
  },
};
