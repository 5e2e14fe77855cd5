import { mlp } from "../fields/mlp.js";
import { mse } from "../learning/losses.js";
import { adamw } from "../learning/optimisers.js";
import { DataError } from "../storage/data-error.js";
import { parseWhitespaceTable } from "../storage/whitespace-table.js";
import type { Experiment } from "./experiment.js";
import { measuredSeries } from "./measured-series.js";

const points = 500;
const duration = 3;

/**
 * Two coupled oscillators, measured (Schmidt & Lipson, Science 2009): columns trial, t, x1, x2, v1, v2. Interpolated
 * linearly onto 500 times in [0, 3] and divided by 100, as in McCallum & Foster 2024.
 */
export const coupledOscillator: Experiment = {
  name: "coupled-oscillator",
  about: "two coupled oscillators, measured (Schmidt & Lipson 2009); needs --data real_double_linear_h_1.txt",
  needs: "the file real_double_linear_h_1.txt of Schmidt & Lipson's supplement",
  time: { name: "time", unit: "s" },
  unit: "hundredths of the file's units",
  protocol: {
    solver: "midpoint",
    coupling: 0.999,
    gradient: "reversible",
    stepSize: duration / (points - 1),
    dtype: "float64",
    steps: 10_000,
    loss: (chosen = mse()) => chosen,
    optimiser: ({ learningRate = 1e-2, weightDecay = 1e-5 }) => adamw({ learningRate, weightDecay }),
  },
  field: () =>
    mlp({
      ...{ dim: 4, hidden: [10], time: false },
      ...{ components: ["x1", "x2", "v1", "v2"], name: "coupled-oscillator-mlp" },
    }),
  data({ file }) {
    const { rows } = parseWhitespaceTable(file!.text, { source: file!.name });
    if (rows.length < 2 || rows.some((row) => row.length !== 6)) {
      throw new DataError(
        { source: file!.name },
        `six columns were expected (trial, t, x1, x2, v1, v2), but there are ${rows[0]?.length ?? 0}; ` +
          "give Schmidt & Lipson's real_double_linear_h_1.txt",
      );
    }
    return measuredSeries(rows, { columns: [2, 3, 4, 5], points, duration, scale: 100 });
  },
};
