import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Training } from "../nn/layer.js";
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
   * data that are measured in parts, are averaged by it.
   */
  readonly weigh?: (b: Builder, data: Named<Inputs & Targets>) => Value;
  /** other numbers of the same kind */
  readonly metrics?: Readonly<Record<string, Measure<Inputs, Targets, Outputs>>>;
}

// biome-ignore lint/suspicious/noExplicitAny: what is trained is of any names
export type AnyTask = Task<any, any, any>;

/**
 * The task itself; for its types.
 *
 * @throws {ModelDefinitionError} for an array that is both an input and a target
 */
export function defineTask<
  const Inputs extends SampleTypes,
  const Targets extends SampleTypes,
  Outputs extends Readonly<Record<string, Value>>,
>(task: Task<Inputs, Targets, Outputs>): Task<Inputs, Targets, Outputs> {
  const twice = Object.keys(task.targets).find((name) => Object.hasOwn(task.model.inputs, name));
  if (twice === undefined) return task;
  throw new ModelDefinitionError(
    `"${twice}" is an input of the model "${task.model.name}" already. A loss can take it from the inputs; name targets otherwise.`,
  );
}
