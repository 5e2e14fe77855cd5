import { parseSeriesJson } from "../storage/labelled-series.js";
import { checkLearnable, classesOf, preparedClassifier, seriesData, stratified } from "./path-classifier.js";
import { methodOf } from "./protocol-solver.js";
import type { DataFile, PreparedTask, TaskContext, TaskExperiment } from "./task-experiment.js";

/** Which letter a pen wrote, by a neural CDE along its velocity. */
export const characterTrajectories: TaskExperiment = {
  name: "character-trajectories",
  about: "which letter a pen wrote, by a neural controlled differential equation (UCI CharacterTrajectories)",
  data: { what: 'series as JSON, [{ "label": "a", "x": [[…], …] }, …]', files: 1, needed: true },
  protocol: {
    ...{ solver: "midpoint", coupling: 0.999, gradient: "reversible", stepSize: 0.01, dtype: "float32" },
    ...{ steps: 1000, batchSize: null, optimiser: "adamw", learningRate: 1e-3, weightDecay: 1e-4 },
    ...{ clip: null, validateEvery: 1 },
  },
  full: {},
  published: {
    "test accuracy": {
      value: 0.7845,
      source: "McCallum & Foster 2024, midpoint, all 2858 series, the best of 1000 test accuracies",
    },
  },
  prepare,
};

const read = ({ name, bytes }: DataFile) =>
  parseSeriesJson(new TextDecoder().decode(bytes), { source: name });

function prepare({ protocol, files: [file], seed }: TaskContext): PreparedTask {
  const method = methodOf(protocol);
  const { stepSize, gradient, dtype } = protocol;
  const series = read(file!);
  checkLearnable(series, file!.name);
  const all = seriesData(series, dtype, { pad: "zero", classes: classesOf(series) });
  const [training, validation, test] = stratified(all, [0.64, 0.14, 0.22], { seed, source: file!.name });
  const { classes, length, channels } = all;
  const name = "character-trajectories";
  return preparedClassifier(
    {
      ...{ name, hidden: 32, method, stepSize, gradient, dtype, loss: "probability" },
      classes,
      length,
      channels,
    },
    {
      training: training!,
      validation: validation!,
      test: test!,
      read: (given) => ({ series: read(given), pad: "zero" }),
    },
  );
}
