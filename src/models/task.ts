import { checkOptions, OptionError, showValue } from "../core/options.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Training } from "../nn/layer.js";
import { checkFunction, checkSampleTypes } from "./check-definition.js";
import { type Model, ModelDefinitionError, type Named, type SampleTypes } from "./model.js";

/** What a loss or a metric is taken of: the outputs of a model, and the data of the same samples. */
export interface Compared<Inputs, Targets, Outputs> {
  readonly outputs: Outputs;
  readonly inputs: Named<Inputs>;
  readonly targets: Named<Targets>;
  readonly theta: Values;
}

export type Measure<Inputs, Targets, Outputs> = (
  b: Builder,
  compared: Compared<Inputs, Targets, Outputs>,
  training: Training | null,
) => Value;

/** What a model is trained for: a loss of its outputs against data, and what else is to be known of them. */
export interface Task<
  Inputs extends SampleTypes = SampleTypes,
  Targets extends SampleTypes = SampleTypes,
  Outputs extends Readonly<Record<string, Value>> = Readonly<Record<string, Value>>,
> {
  readonly model: Model<Inputs, Outputs>;
  /** arrays of each sample that the loss takes beside the inputs of the model */
  readonly targets: Targets;
  /**
   * other samples made of those of a batch, at random: mirrored, turned, with noise. It is done in training alone, inside the
   * graph, and draws from what training gives it, so that a run can be done again.
   */
  readonly augment?: (
    b: Builder,
    data: Named<Inputs & Targets>,
    training: Training,
  ) => Named<Inputs & Targets>;
  /** what is lowered: one number, a mean over the samples */
  readonly loss: Measure<Inputs, Targets, Outputs>;
  /**
   * what the loss is a mean over, where that is not the number of samples: the sum of a mask, say. A batch in parts, and
   * data that are measured in parts, are averaged by it. A loss that is no such mean is seen to be none, and not taken in parts.
   */
  readonly weigh?: (b: Builder, data: Named<Inputs & Targets>) => Value;
  /** other numbers of the same kind */
  readonly metrics?: Readonly<Record<string, Measure<Inputs, Targets, Outputs>>>;
}

// biome-ignore lint/suspicious/noExplicitAny: what is trained is of any names
export type AnyTask = Task<any, any, any>;

const partNames = {
  ...{ model: true, targets: true, augment: true, loss: true, weigh: true, metrics: true },
} satisfies Record<keyof AnyTask, true>;

const elsewhere = {
  ...{ inputs: "they belong to the model, defineModel({ name, parameters, inputs, apply })" },
  ...{ optimiser: "it is given to fit", weight: "say weigh", mask: "say weigh", metric: "say metrics" },
};

/**
 * The task itself; for its types.
 *
 * @throws {OptionError} for a part that there is not, that is missing, or that is something else
 * @throws {ModelDefinitionError} for an array that is both an input and a target
 */
export function defineTask<
  const Inputs extends SampleTypes,
  const Targets extends SampleTypes,
  Outputs extends Readonly<Record<string, Value>>,
>(task: Task<Inputs, Targets, Outputs>): Task<Inputs, Targets, Outputs> {
  checkOptions("defineTask", task, partNames, elsewhere);
  if (typeof task.model !== "object" || task.model === null || typeof task.model.apply !== "function") {
    throw new OptionError(
      `A task needs a model, defineModel({ … })${task.model === undefined ? "" : `, but ${showValue(task.model)} was given`}.`,
    );
  }
  const of = `The task with the model "${task.model.name}"`;
  checkSampleTypes(of, "targets", task.targets);
  checkFunction(of, "loss", task.loss, "(b, { outputs, targets }) => reduceMean(b, …)");
  for (const [name, metric] of Object.entries(task.metrics ?? {})) {
    checkFunction(of, `the metric "${name}"`, metric, "(b, { outputs, targets }) => reduceMean(b, …)");
  }
  const twice = Object.keys(task.targets).find((name) => Object.hasOwn(task.model.inputs, name));
  if (twice === undefined) return task;
  throw new ModelDefinitionError(
    `"${twice}" is an input of the model "${task.model.name}" already. A loss can take it from the inputs; name targets otherwise.`,
  );
}
