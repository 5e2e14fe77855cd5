import { withoutRegions } from "../autodiff/region.js";
import { pullback } from "../autodiff/vjp.js";
import { type FloatDType, sizeOf } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import type { Graph, Shape, Value } from "../graph/graph.js";
import type { Observed, Training } from "../nn/layer.js";
import { add, mul } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { maximum } from "../ops/extrema.js";
import { zerosLike } from "../ops/generate.js";
import { zeros } from "../ops/linalg.js";
import { countersFrom, randomNormal, randomUniform } from "../ops/random.js";
import { cast, unsqueeze } from "../ops/reshape.js";
import { scatterND } from "../ops/scatter.js";
import { gather } from "../ops/slicing.js";
import {
  batchesName,
  dataName,
  parameterName,
  perUpdateNames,
  updateCountName,
  updatesName,
} from "../programs/names.js";
import { memoryInputs, nextOutputs, type UpdateSetting, update } from "../programs/update.js";
import { applied, checkScalar, type Named, type SampleTypes, sampleInputs } from "./model.js";
import type { Task } from "./task.js";

/** A buffer of a model, as program names have it. */
export const bufferName = (name: string): string => `buffers/${name}`;
/** The key of a run's random numbers. */
export const keyName = "key";

// biome-ignore lint/suspicious/noExplicitAny: programs work on tasks of any names
export type AnyTask = Task<any, any, any>;

export interface TaskSetting extends UpdateSetting {
  readonly task: AnyTask;
  /** samples per update */
  readonly batchSize: number;
  /** how many there are */
  readonly samples: number;
}

/** Shapes of the parameters, and of the buffers, under program names. */
export function shapesOf({ model }: Pick<AnyTask, "model">): {
  readonly trained: Readonly<Record<string, Shape>>;
  readonly buffers: Readonly<Record<string, Shape>>;
} {
  const named = (name: (own: string) => string, record: AnyTask["model"]["parameters"] = {}) =>
    Object.fromEntries(Object.entries(record).map(([own, { shape }]) => [name(own), shape]));
  return {
    trained: named(parameterName, model.parameters),
    buffers: named(bufferName, model.buffers),
  };
}

/**
 * Updates in a loop, as many as are asked for, `capacity` at most. All samples go in once, and an update takes those that
 * its row of indices names; losses, norms and what solves observe of themselves come out, one number for each update.
 */
export function taskUpdatesProgram(setting: TaskSetting, capacity: number): Graph {
  const { task, dtype, batchSize, samples } = setting;
  const b = new Builder();
  const shapes = shapesOf(task);
  const declare = (record: Readonly<Record<string, Shape>>): Values =>
    Object.fromEntries(Object.entries(record).map(([name, shape]) => [name, b.input(name, dtype, shape)]));
  const before = { trained: declare(shapes.trained), buffers: declare(shapes.buffers) };
  const memory = memoryInputs(b, setting, shapes.trained);
  const trips = b.input(updatesName, "int64", []);
  const rates = b.input(perUpdateNames.learningRates, dtype, [capacity]);
  const count = b.input(updateCountName, "int64", []);
  const key = b.input(keyName, "int64", []);
  const batches = b.input(batchesName, "int64", [capacity, batchSize]);
  const data = inputsOf(b, setting, samples);

  const groups = [before.trained, before.buffers, memory].map((group) => Object.keys(group));
  const pack = (values: readonly Values[]) =>
    values.flatMap((group, g) => groups[g]!.map((name) => group[name]!));
  const unpack = (values: readonly Value[]): Values[] => {
    let from = 0;
    return groups.map((names) => {
      const own = Object.fromEntries(names.map((name, i) => [name, values[from + i]!]));
      from += names.length;
      return own;
    });
  };
  const nothing = zeros(b, dtype, [capacity]);
  const reports = Object.keys(reportNames) as (keyof typeof reportNames)[];
  const width = groups.reduce((sum, names) => sum + names.length, 0);
  const carried = [...pack([before.trained, before.buffers, memory]), ...reports.map(() => nothing)];
  const { carried: after } = loop(b, { trips, carried, length: "updates" }, (inner, i, values) => {
    const [trained, buffers, remembered] = unpack(values.slice(0, width)) as [Values, Values, Values];
    const which = gather(inner, batches, i);
    const number = add(inner, count, i);
    const taken = Object.fromEntries(
      Object.entries(data).map(([name, value]) => [name, gather(inner, value, which)]),
    );
    const { next, ...found } = oneUpdate(inner, setting, {
      ...{ trained, buffers, memory: remembered, data: taken },
      ...{ learningRate: gather(inner, rates, i), number, key },
    });
    const put = (list: Value, value: Value) =>
      scatterND(inner, list, unsqueeze(inner, i, [0, 1]), unsqueeze(inner, value, [0]));
    return {
      carried: [...pack(next), ...reports.map((name, k) => put(values[width + k]!, found[name]))],
    };
  });
  const [trained, buffers, remembered] = unpack(after.slice(0, width)) as [Values, Values, Values];
  return withoutRegions(
    b.graph(
      {
        ...nextOutputs({ trained: { ...trained, ...buffers }, memory: remembered }),
        ...Object.fromEntries(reports.map((name, k) => [reportNames[name], after[width + k]!])),
      },
      "updates",
    ),
  );
}

/** What each update reports, and under which name. */
export const reportNames = {
  loss: perUpdateNames.losses,
  norm: perUpdateNames.gradientNorms,
  /** how far undoing steps was off, at most, relative to y; 0 where nothing is undone */
  error: "reconstructionErrors",
  /** how far companions were off, at most, relative to y; 0 where there are none */
  drift: "drifts",
} as const;

/** Declares data of so many samples: inputs of the model, and targets. */
function inputsOf(
  b: Builder,
  { task, dtype }: Pick<TaskSetting, "task" | "dtype">,
  samples: number | string,
): Values {
  const types = { ...task.model.inputs, ...task.targets } as SampleTypes;
  return sampleInputs(b, types, dtype, samples, dataName) as Values;
}

interface UpdateGiven {
  readonly trained: Values;
  readonly buffers: Values;
  readonly memory: Values;
  /** of the samples of this update */
  readonly data: Values;
  readonly learningRate: Value;
  /** from 1; int64 */
  readonly number: Value;
  readonly key: Value;
}

/** One update: the loss in training, its gradient, and what the optimiser makes of it. */
function oneUpdate(b: Builder, setting: TaskSetting, given: UpdateGiven) {
  const { task, dtype } = setting;
  const { trained, buffers, data, number, key } = given;
  const kept: Record<string, Value> = {};
  const observed: Observed[] = [];
  let drawn = 0;
  // each update has 2³² numbers of its own
  const countersOf = (scope: Builder, numbers: number) => {
    const own = mul(scope, number, scope.scalar("int64", 2n ** 32n));
    const first = add(scope, own, scope.scalar("int64", drawn));
    drawn += numbers;
    return first;
  };
  const training: Training = {
    uniform: (scope, shape) =>
      randomUniform(scope, key, countersFrom(scope, countersOf(scope, sizeOf(shape)), shape), dtype),
    normal(scope, shape) {
      const size = sizeOf(shape);
      const counters = countersFrom(scope, countersOf(scope, 2 * size), shape);
      return randomNormal(scope, key, counters, size, dtype);
    },
    keep(name, value) {
      kept[bufferName(name)] = value;
    },
    observe(scope, seen) {
      // what is inside a loop of the model is not seen from here
      if (scope === b) observed.push(seen);
    },
  };
  const { loss } = measured(b, task, thetaOf(task, { ...trained, ...buffers }), data, training);
  const names = Object.keys(trained);
  const wrt = Object.values(trained);
  const pulled = pullback(b, [loss], [b.scalar(dtype, 1)], wrt);
  const gradients = Object.fromEntries(names.map((name, i) => [name, pulled[i] ?? zerosLike(b, wrt[i]!)]));
  const { learningRate, memory } = given;
  const next = update(b, setting, {
    trained,
    memory,
    gradients,
    learningRate,
    count: cast(b, number, dtype),
  });
  const largest = (of: keyof Observed) =>
    observed.flatMap((seen) => seen[of] ?? []).reduce((x, y) => maximum(b, x, y), b.scalar(dtype, 0));
  return {
    next: [next.trained, { ...buffers, ...kept }, next.memory],
    ...{ loss, norm: next.norm, error: largest("error"), drift: largest("drift") },
  };
}

/** A loss and metrics at given parameters. */
function measured(b: Builder, task: AnyTask, theta: Values, data: Values, training: Training | null) {
  const part = (types: SampleTypes): Values =>
    Object.fromEntries(Object.keys(types).map((name) => [name, data[name]!]));
  const inputs = part(task.model.inputs) as Named<SampleTypes>;
  const outputs = applied(b, task.model, theta, inputs, training);
  const compared = { outputs, inputs, targets: part(task.targets) as Named<SampleTypes>, theta };
  const loss = task.loss(b, compared, training);
  checkScalar(`The loss of a task with the model "${task.model.name}"`, loss);
  const metrics: Record<string, Value> = {};
  if (training === null) {
    for (const [name, metric] of Object.entries(task.metrics ?? {}) as [string, AnyTask["loss"]][]) {
      metrics[name] = metric(b, compared, null);
      checkScalar(`The metric "${name}"`, metrics[name]!);
    }
  }
  return { loss, metrics };
}

/** Parameters and buffers by the names that the model has for them. */
function thetaOf({ model }: Pick<AnyTask, "model">, values: Values): Values {
  return Object.fromEntries([
    ...Object.keys(model.parameters).map((name) => [name, values[parameterName(name)]!] as const),
    ...Object.keys(model.buffers ?? {}).map((name) => [name, values[bufferName(name)]!] as const),
  ]);
}

/** The graph that maps parameters, buffers and inputs of so many samples to the outputs of a model, as after training. */
export function predictionProgram(
  { model, dtype }: { readonly model: AnyTask["model"]; readonly dtype: FloatDType },
  samples: number,
): Graph {
  const b = new Builder();
  const { trained, buffers } = shapesOf({ model });
  const values = Object.fromEntries(
    Object.entries({ ...trained, ...buffers }).map(([name, shape]) => [name, b.input(name, dtype, shape)]),
  );
  const inputs = sampleInputs(b, model.inputs as SampleTypes, dtype, samples, dataName);
  return withoutRegions(b.graph(applied(b, model, thetaOf({ model }, values), inputs, null), model.name));
}

/** The graph that maps parameters, buffers and so many samples to loss and metrics, as after training. */
export function taskMeasuresProgram(setting: Pick<TaskSetting, "task" | "dtype">, samples: number): Graph {
  const { task, dtype } = setting;
  const b = new Builder();
  const { trained, buffers } = shapesOf(task);
  const values = Object.fromEntries(
    Object.entries({ ...trained, ...buffers }).map(([name, shape]) => [name, b.input(name, dtype, shape)]),
  );
  const { loss, metrics } = measured(b, task, thetaOf(task, values), inputsOf(b, setting, samples), null);
  return withoutRegions(
    b.graph(
      {
        loss,
        ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`metrics/${name}`, value])),
      },
      "measures",
    ),
  );
}
