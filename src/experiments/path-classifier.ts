import { Random } from "../core/random.js";
import { type FloatDType, numbers, tensor } from "../core/tensor.js";
import { encodePrediction } from "../deploy/model-file.js";
import type { GradientRequest } from "../gradients/method.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { accuracy, crossEntropy } from "../learning/likelihoods.js";
import type { Method } from "../methods/method.js";
import { cdeSolve } from "../models/cde-solve.js";
import { type Dataset, takeSamples } from "../models/dataset.js";
import { predict } from "../models/measuring.js";
import { defineModel } from "../models/model.js";
import { defineTask } from "../models/task.js";
import { activation, parametersOf, partOf } from "../nn/layer.js";
import { linear } from "../nn/linear.js";
import { sequential } from "../nn/sequential.js";
import { relu } from "../ops/activation.js";
import { div, neg, sub } from "../ops/arithmetic.js";
import { expandTo } from "../ops/broadcast.js";
import { reduceMean } from "../ops/reduce.js";
import { squeeze, unsqueeze } from "../ops/reshape.js";
import { gatherElements } from "../ops/scatter.js";
import { slice } from "../ops/slice.js";
import { concat, gather } from "../ops/slicing.js";
import { softmax } from "../ops/softmax.js";
import { tanh } from "../ops/trigonometry.js";
import { DataError } from "../storage/data-error.js";
import type { LabelledSeries } from "../storage/labelled-series.js";
import type { ControlledField } from "../systems/cde.js";
import { pathCoefficients } from "../systems/path-in-graph.js";
import { confusionChart, confusionOf } from "./confusion.js";
import { oncePerModel } from "./once-per-model.js";
import type { DataFile, PreparedTask } from "./task-experiment.js";

/** What is learnt of a series: −(mean probability of its class), as the talk has it, or the cross-entropy. */
export type ClassLoss = "probability" | "cross-entropy";

export interface PathClassifierOptions {
  readonly name: string;
  readonly hidden: number;
  readonly method: Method;
  readonly stepSize: number;
  readonly gradient: GradientRequest;
  readonly dtype: FloatDType;
  readonly loss: ClassLoss;
  /** the classes by their numbers */
  readonly classes: readonly string[];
  /** observations of each series */
  readonly length: number;
  /** time included */
  readonly channels: number;
  /** mean and standard deviation of each channel but time, which series are brought to 0 and 1 by */
  readonly scale?: Scale;
}

type Scale = readonly (readonly [mean: number, deviation: number])[];

/** Series as arrays: x [samples, times, channels], time the first channel; label [samples]. */
export interface SeriesData {
  readonly classes: readonly string[];
  readonly length: number;
  readonly channels: number;
  readonly data: Dataset;
}

/**
 * Series of one length, with time from 0 to 1 as the first channel.
 *
 * @param pad  what comes after the end of a shorter series: zeros, or its last values
 */
export function seriesData(
  series: readonly LabelledSeries[],
  dtype: FloatDType,
  {
    pad,
    classes = classesOf(series),
    length = longest(series),
    scale,
  }: {
    readonly pad: "zero" | "last";
    readonly classes?: readonly string[];
    readonly length?: number;
    readonly scale?: Scale;
  },
): SeriesData {
  const own = series[0]!.values[0]!.length;
  const rows = series.flatMap(({ values }) => {
    // before anything was observed, a channel is at its mean
    const latest = Array.from({ length: own }, (_, channel) => scale?.[channel]?.[0] ?? 0);
    return Array.from({ length }, (_, k) => {
      const row = latest.map((before, channel) => {
        const value = values[k]?.[channel] ?? (pad === "zero" && k >= values.length ? 0 : Number.NaN);
        // what was not observed goes on as it was
        latest[channel] = Number.isNaN(value) ? before : value;
        const [mean, deviation] = scale?.[channel] ?? [0, 1];
        return (latest[channel]! - mean) / deviation;
      });
      return [length === 1 ? 0 : k / (length - 1), ...row];
    });
  });
  const labels = series.map(({ label }) => classes.indexOf(label));
  return {
    ...{ classes, length, channels: own + 1 },
    data: {
      x: tensor(dtype, [series.length, length, own + 1], rows.flat()),
      label: tensor("int64", [series.length], labels.map(BigInt)),
    },
  };
}

export const classesOf = (series: readonly LabelledSeries[]): string[] =>
  [...new Set(series.map(({ label }) => label))].sort();
export const longest = (series: readonly LabelledSeries[]): number =>
  Math.max(...series.map(({ values }) => values.length));

/** Mean and standard deviation of each channel, over all series and times. */
export function scaleOf(series: readonly LabelledSeries[]): [mean: number, deviation: number][] {
  return series[0]!.values[0]!.map((_, channel) => {
    const all = series
      .flatMap(({ values }) => values.map((row) => row[channel]!))
      .filter((x) => !Number.isNaN(x));
    const mean = all.reduce((sum, x) => sum + x, 0) / Math.max(1, all.length);
    const variance = all.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, all.length);
    return [mean, Math.sqrt(variance) || 1];
  });
}

/**
 * Series that classes can be learnt of.
 *
 * @throws {DataError} for a single time or class, or a channel that is observed in none of them
 */
export function checkLearnable(series: readonly LabelledSeries[], source: string): void {
  const wrong = (why: string) => new DataError({ source }, why);
  if (longest(series) < 2) {
    throw wrong("its series have one time each, but a path goes through two or more");
  }
  const [only, ...others] = classesOf(series);
  if (others.length === 0)
    throw wrong(`all its series are of the class ${only}, so there is nothing to tell apart`);
  const channels = series[0]!.values[0]!.length;
  const isSeen = (channel: number) =>
    series.some(({ values }) => values.some((row) => !Number.isNaN(row[channel]!)));
  const unseen = Array.from({ length: channels }, (_, channel) => channel).find(
    (channel) => !isSeen(channel),
  );
  if (unseen !== undefined) {
    throw wrong(`channel ${unseen + 1} of ${channels} has no value in any series; leave it out`);
  }
}

/**
 * Splits samples, each class in the same shares, in an order drawn from a seed.
 *
 * @throws {DataError} naming the source where a part would have none
 */
export function stratified(
  { data, classes }: SeriesData,
  shares: readonly number[],
  { seed, source }: { readonly seed: number; readonly source: string },
): Dataset[] {
  const labels = numbers(data.label!);
  const parts = shares.map(() => [] as number[]);
  const random = Random.seeded(seed);
  for (const [c] of classes.entries()) {
    const own = labels.flatMap((label, i) => (label === c ? [i] : []));
    for (let i = own.length - 1; i > 0; i--) {
      const j = Math.floor(random.uniform() * (i + 1));
      [own[i], own[j]] = [own[j]!, own[i]!];
    }
    let [from, share] = [0, 0];
    for (const [p, part] of shares.entries()) {
      share += part;
      const to = p === shares.length - 1 ? own.length : Math.round(share * own.length);
      parts[p]!.push(...own.slice(from, to));
      from = to;
    }
  }
  if (parts.some((part) => part.length === 0)) {
    // the first number of which each part has some
    const enough = [...Array(100).keys()].find((n) => {
      const ends = shares.map((_, p) =>
        Math.round(n * shares.slice(0, p + 1).reduce((sum, x) => sum + x, 0)),
      );
      return ends.every((end, p) => end > (ends[p - 1] ?? 0));
    });
    throw new DataError(
      { source },
      `its ${labels.length} series are too few to set some of them apart; give ${enough} or more of a class`,
    );
  }
  return parts.map((which) => takeSamples(data, which));
}

/** A perceptron on the hidden state, with as many outputs as F(z) has entries: relu within, tanh at the end. */
function pathField(hidden: number, channels: number): ControlledField {
  const widths = [hidden, hidden, hidden, hidden, hidden, hidden * channels];
  const layers = widths
    .slice(1)
    .flatMap((width, i) => [...(i === 0 ? [] : [activation(relu)]), linear(widths[i]!, width)]);
  const body = sequential(...layers);
  return {
    ...{
      name: `mlp(${widths.slice(1, -1).join("-")}, relu, tanh)`,
      hidden,
      channels,
      parameters: body.parameters,
    },
    apply: (b, theta, z) => tanh(b, body.apply(b, theta, z)),
  };
}

/** The classifier: z0 from the first observation, a neural CDE along the Hermite path, the class from its last state. */
export function pathClassifier(options: PathClassifierOptions) {
  const { name, hidden, method, stepSize, gradient, dtype, classes, length, channels } = options;
  const field = pathField(hidden, channels);
  const parts = { initial: linear(channels, hidden), field, readout: linear(hidden, classes.length) };
  const times = timesOf(length);
  const model = defineModel({
    name,
    ...parametersOf(parts),
    inputs: { x: { shape: [length, channels] } },
    apply(b, theta, { x }, training) {
      const first = squeeze(b, slice(b, x, 1, 0, 1), [1]);
      const z0 = parts.initial.apply(b, partOf(theta, "initial"), first);
      const zs = cdeSolve(
        b,
        { field, method, stepSize, dtype },
        {
          ...{ theta: partOf(theta, "field"), z0, ...pathCoefficients(b, times, x), gradient, training },
        },
      );
      return { logits: parts.readout.apply(b, partOf(theta, "readout"), gather(b, zs, 0)) };
    },
  });
  const compared =
    (of: (b: Builder, logits: Value, label: Value) => Value) =>
    (
      b: Builder,
      {
        outputs,
        targets,
      }: { readonly outputs: { readonly logits: Value }; readonly targets: { readonly label: Value } },
    ) =>
      of(b, outputs.logits, targets.label);
  const losses = { probability: negativeProbability, "cross-entropy": crossEntropy } as const;
  const task = defineTask({
    model,
    targets: { label: { shape: [], type: "int64" } },
    loss: compared(losses[options.loss]),
    metrics: { accuracy: compared(accuracy) },
  });
  return { model, task };
}

/** −(1/n) Σ softmax(z)_c */
function negativeProbability(b: Builder, logits: Value, labels: Value): Value {
  const own = gatherElements(b, softmax(b, logits, -1), unsqueeze(b, labels, [-1]), -1);
  return neg(b, reduceMean(b, own));
}

/**
 * The classifier of series as they are in the data, [batch, times, channels] without time, in their units. A shorter series
 * is padded as in training: with zeros, or its last values.
 */
function deployed(model: ReturnType<typeof pathClassifier>["model"], options: PathClassifierOptions) {
  const { length, channels, dtype, scale } = options;
  const own = channels - 1;
  const column = (k: 0 | 1, otherwise: number) =>
    tensor(
      dtype,
      [own],
      Array.from({ length: own }, (_, c) => scale?.[c]?.[k] ?? otherwise),
    );
  const times = tensor(dtype, [1, length, 1], timesOf(length));
  return defineModel({
    name: model.name,
    parameters: model.parameters,
    inputs: { series: { shape: [length, own] } },
    apply(b, theta, { series }) {
      const scaled = div(b, sub(b, series, b.constant(column(0, 0))), b.constant(column(1, 1)));
      const time = expandTo(b, b.constant(times), slice(b, series, 2, 0, 1));
      return model.apply(b, theta, { x: concat(b, [time, scaled], 2) }, null);
    },
  });
}

/** From 0 to 1. */
function timesOf(length: number): number[] {
  return Array.from({ length }, (_, k) => (length === 1 ? 0 : k / (length - 1)));
}

/** Series that a classifier was not trained on. @throws {DataError} for a class, a length or channels that it does not know */
function newSeries(
  source: string,
  { series, pad }: { series: readonly LabelledSeries[]; pad: "zero" | "last" },
  { classes, length, channels, dtype, scale }: PathClassifierOptions,
): Dataset {
  const unknown = series.find(({ label }) => !classes.includes(label));
  if (unknown !== undefined) {
    throw new DataError(
      { source },
      `the class ${unknown.label} is none of those that were learnt: ${classes.join(", ")}`,
    );
  }
  const own = series[0]!.values[0]!.length + 1;
  if (longest(series) > length || own !== channels) {
    throw new DataError(
      { source },
      `its series have up to ${longest(series)} times of ${own - 1} channels, but the run takes up to ${length} of ${channels - 1}`,
    );
  }
  return seriesData(series, dtype, { pad, classes, length, ...(scale === undefined ? {} : { scale }) }).data;
}

/** The task with its data, its exported model and the confusion matrix of its test data. */
export function preparedClassifier(
  options: PathClassifierOptions,
  {
    training,
    validation,
    test,
    warnings,
    read,
  }: {
    readonly training: Dataset;
    readonly validation: Dataset;
    readonly test: Dataset;
    readonly warnings?: PreparedTask["warnings"];
    /** the series of a file */
    readonly read: (file: DataFile) => { series: readonly LabelledSeries[]; pad: "zero" | "last" };
  },
): PreparedTask {
  const { model, task } = pathClassifier(options);
  const confusion = oncePerModel(async ({ runtime, dtype, parameters }) => {
    const { logits } = await predict(model, { x: test.x! }, { runtime, dtype, parameters });
    return confusionOf(test.label!, logits);
  });
  return {
    ...{ task, training, validation, test, ...(warnings && { warnings }) },
    newData: (file) => newSeries(file.name, read(file), options),
    files: ({ parameters, dtype }) => ({
      "predict.onnx": encodePrediction(deployed(model, options), { parameters, dtype }),
    }),
    findings: async (trained) => ({ classes: options.classes, confusion: await confusion(trained) }),
    charts: async (trained) => ({
      confusion: confusionChart(options.classes, { test: await confusion(trained) }, test.label!.shape[0]!),
    }),
  };
}
