import { DataError } from "../storage/data-error.js";
import { type LabelledSeries, parseUea } from "../storage/labelled-series.js";
import { sentinelsIn } from "../storage/missing-values.js";
import {
  checkLearnable,
  classesOf,
  longest,
  preparedClassifier,
  scaleOf,
  seriesData,
  stratified,
} from "./path-classifier.js";
import { methodOf } from "./protocol-solver.js";
import type { PreparedTask, TaskContext, TaskExperiment } from "./task-experiment.js";

/**
 * A classification problem of the UEA archive, by a neural CDE. The step size is in observations: a step over several of them
 * would see slopes of the path at some places, not how far it goes.
 */
export const uea: TaskExperiment = {
  name: "uea",
  about:
    "a classification problem of the UEA archive, by a neural controlled differential equation; --step-size is in observations",
  data: { what: "the archive's files of a problem, X_TRAIN.ts,X_TEST.ts", files: 2, needed: true },
  protocol: {
    ...{ solver: "midpoint", coupling: 0.999, gradient: "reversible", stepSize: 1, dtype: "float32" },
    ...{ steps: 600, batchSize: 32, optimiser: "adamw", learningRate: 3e-3, weightDecay: 1e-4 },
    ...{ clip: 10, validateEvery: 50 },
  },
  full: { stepSize: 0.5, steps: 5000, learningRate: 1e-3, validateEvery: 100 },
  prepare,
};

function prepare({ protocol, files, seed }: TaskContext): PreparedTask {
  const method = methodOf(protocol);
  const { stepSize, gradient, dtype } = protocol;
  const [training, test] = files.map(({ name, bytes }) =>
    parseUea(new TextDecoder().decode(bytes), { source: name }),
  );
  checkLearnable(training!, files[0]!.name);
  const classes = classesOf(training!);
  const unknown = test!.find(({ label }) => !classes.includes(label));
  if (unknown !== undefined) {
    throw new DataError(
      { source: files[1]!.name },
      `the class ${unknown.label} is in none of the training series`,
    );
  }
  const [own, others] = [training!, test!].map((series) => series[0]!.values[0]!.length);
  if (own !== others) {
    throw new DataError(
      { source: files[1]!.name },
      `its series have ${others} channels, but those to train on have ${own}`,
    );
  }
  const shared = {
    pad: "last",
    classes,
    length: longest([...training!, ...test!]),
    scale: scaleOf(training!),
  } as const;
  const all = seriesData(training!, dtype, shared);
  const [learnt, validation] = stratified(all, [0.85, 0.15], { seed, source: files[0]!.name });
  const { length, channels } = all;
  const name = files[0]!.name.replace(/_TRAIN.*$/i, "");
  return preparedClassifier(
    {
      ...{ name, hidden: 32, method, gradient, dtype, loss: "cross-entropy", scale: shared.scale },
      // of the time from 0 to 1 that all of a series takes
      stepSize: stepSize / Math.max(1, length - 1),
      classes,
      length,
      channels,
    },
    {
      ...{ training: learnt!, validation: validation!, test: seriesData(test!, dtype, shared).data },
      warnings: sentinelsInSeries(training!),
      read: (file) => ({
        series: parseUea(new TextDecoder().decode(file.bytes), { source: file.name }),
        pad: "last",
      }),
    },
  );
}

function sentinelsInSeries(series: readonly LabelledSeries[]) {
  const channels = series[0]!.values[0]!.map((_, j) => `channel ${j + 1}`);
  return sentinelsIn(
    channels,
    (j) => series.flatMap(({ values }) => values.map((row) => row[j]!)),
    () => "write ? in its place",
  );
}
