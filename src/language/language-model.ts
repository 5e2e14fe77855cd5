import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { crossEntropy } from "../learning/likelihoods.js";
import { defineModel, type Model } from "../models/model.js";
import { defineTask, type Task } from "../models/task.js";
import { embedding } from "../nn/embedding.js";
import { scaledNormal } from "../nn/initial.js";
import { parametersOf, partOf } from "../nn/layer.js";
import { linear } from "../nn/linear.js";
import { layerNorm } from "../nn/normalisation.js";
import { add } from "../ops/arithmetic.js";
import { gemm } from "../ops/linalg.js";
import { reduceMean } from "../ops/reduce.js";
import { cast, reshape } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import { type Attend, causal } from "./attention.js";
import { type Body, transformerBody } from "./body.js";
import { cells } from "./cell.js";
import { checkConfiguration, type LanguageConfiguration, type LanguageKind } from "./configuration.js";
import { implicitBody, reversibleBody } from "./equilibrium-body.js";

/** Windows of tokens, and the tokens after each of theirs. */
export const windowTypes = (length: number) => ({
  inputs: { tokens: { shape: [length], type: "int64" as const } },
  targets: { next: { shape: [length], type: "int64" as const } },
});

/** A language model: what it is made of, and the task of telling the next token at each place. */
export interface LanguageModel {
  readonly kind: LanguageKind;
  readonly configuration: LanguageConfiguration;
  /** tokens int64 [batch, length] to logits [batch, length, vocabulary] */
  readonly model: Model;
  readonly task: Task;
  /** as `unrolled` of {@link Body}: the states before the head, node by node */
  readonly statesOf: (b: Builder, theta: Values, at: Places, attend: Attend) => Value;
  /** rows [n, width] of states to logits [n, vocabulary] */
  readonly logitsOf: (b: Builder, theta: Values, states: Value) => Value;
  /** attentions whose keys and values are kept in generation */
  readonly attentions: number;
}

/** Tokens of one sequence, and where they are in it. */
export interface Places {
  /** int64 [n] */
  readonly tokens: Value;
  /** int64 [n] */
  readonly places: Value;
}

const bodies: Readonly<Record<LanguageKind, (configuration: LanguageConfiguration) => Body>> = {
  revdeq: reversibleBody,
  deq: implicitBody,
  transformer: transformerBody,
};

/**
 * A language model with learnt embeddings of tokens and places,
 *
 *   h = body(E[token] + P[place]),   logits = LN(h) Wᵀ
 *
 * where the body is a transformer, or the fixed point of one cell z = f(z, E[token] + P[place]).
 *
 * @throws {ConfigurationError} for sizes that do not fit
 */
export function languageModel(kind: LanguageKind, configuration: LanguageConfiguration): LanguageModel {
  checkConfiguration(configuration);
  const { vocabulary, length, width, tied, finalNorm } = configuration;
  const body = bodies[kind](configuration);
  const parts = {
    // what also is a head must not make large logits of normalised states
    tokens: tied
      ? { parameters: { weight: scaledNormal([vocabulary, width], 0.02) } }
      : embedding(vocabulary, width),
    places: tied ? { parameters: { weight: scaledNormal([length, width], 0.02) } } : embedding(length, width),
    body,
    norm: layerNorm(width),
    ...(tied ? {} : { head: linear(width, vocabulary, { bias: false }) }),
  };
  const embedded = (b: Builder, theta: Values, { tokens, places }: Places) =>
    add(b, gather(b, theta["tokens.weight"]!, tokens), gather(b, theta["places.weight"]!, places));
  const logitsOf = (b: Builder, theta: Values, states: Value) => {
    const read = finalNorm === "applied" ? parts.norm.apply(b, partOf(theta, "norm"), states) : states;
    return gemm(b, read, theta[tied ? "tokens.weight" : "head.weight"]!, null, { transB: 1 });
  };
  const { inputs, targets } = windowTypes(length);
  const model = defineModel({
    name: `${kind} language model`,
    ...parametersOf(parts),
    inputs,
    apply(b, theta, { tokens }, training) {
      const places = b.ints(Array.from({ length }, (_, i) => i));
      const x = reshape(b, embedded(b, theta, { tokens, places }), [-1, width]);
      const { states, solve } = body.apply(b, partOf(theta, "body"), x, training);
      const logits = reshape(b, logitsOf(b, theta, states), [-1, length, vocabulary]);
      if (solve === null || training !== null) return { logits };
      return { logits, residual: solve.residual, steps: solve.steps };
    },
  });
  const task = defineTask({
    model,
    targets,
    loss: (b, { outputs, targets: { next } }) =>
      crossEntropy(b, reshape(b, outputs.logits!, [-1, vocabulary]), reshape(b, next, [-1])),
    metrics:
      kind === "transformer"
        ? {}
        : {
            residual: (b, { outputs }) => reduceMean(b, outputs.residual!),
            iterations: (b, { outputs }) => reduceMean(b, cast(b, outputs.steps!, outputs.logits!.dtype)),
          },
  });
  return {
    ...{ kind, configuration, model: model as unknown as Model, task: task as unknown as Task },
    statesOf(b, theta, at, attend) {
      const x = embedded(b, theta, at);
      return body.unrolled(b, partOf(theta, "body"), x, x.shape[0] as number, attend);
    },
    logitsOf,
    attentions: body.attentions,
  };
}

/** How many numbers are trained. */
export function parameterCount({ model }: Pick<LanguageModel, "model">): number {
  return Object.values(model.parameters).reduce(
    (sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1),
    0,
  );
}

/**
 * The cell of a deep-equilibrium model as a model of its own, f(z, x): both [batch, length, width]. Its parameters are those of
 * the whole model that begin with `body.`, without that.
 */
export function cellModel(configuration: LanguageConfiguration): Model {
  checkConfiguration(configuration);
  const { length, width } = configuration;
  const cell = cells[configuration.cell](configuration);
  const shape = [length, width];
  return defineModel({
    name: `${configuration.cell} cell`,
    parameters: cell.parameters,
    inputs: { z: { shape }, x: { shape } },
    apply(b, theta, { z, x }) {
      const rows = (value: Value) => reshape(b, value, [-1, width]);
      const within = { length, attend: causal, drop: (_: Builder, value: Value) => value };
      return { f: reshape(b, cell.apply(b, theta, rows(z), rows(x), within), [-1, ...shape]) };
    },
  }) as unknown as Model;
}
