import type { Values } from "../fields/field.js";
import { mlp as perceptron } from "../fields/mlp.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { neuralOde } from "../integrate/neural-ode.js";
import type { Normal } from "../learning/likelihoods.js";
import { normalFrom, reparametrised } from "../models/latent.js";
import { odeRnnCell } from "../models/ode-rnn.js";
import { gapCell, gruDCell } from "../nn/gap-cells.js";
import { type Parametrised, parametersOf, partOf, type Training } from "../nn/layer.js";
import { linear, mlp } from "../nn/linear.js";
import { alongObservations, type ObservedCell, type ObservedSeries } from "../nn/observed-cell.js";
import { gruCell, overSequence } from "../nn/recurrent.js";
import { sub } from "../ops/arithmetic.js";
import { zerosLike } from "../ops/generate.js";
import { unsqueeze } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { concat } from "../ops/slicing.js";
import { tanh } from "../ops/trigonometry.js";
import { type LatentOde, latentOde } from "./latent-ode.js";
import { methodOf } from "./protocol-solver.js";
import type { TaskProtocol } from "./task-experiment.js";

/** What the models of irregular series are given: all places with what is seen of them, and those that are seen alone. */
export interface PartlySeen {
  readonly all: ObservedSeries;
  readonly seen: ObservedSeries;
}

/** What a model makes of a series: what it expects at all places, and, where it has one, its latent variable. */
export interface Expected {
  readonly expected: Value;
  readonly posterior?: Normal;
}

export interface IrregularModel extends Required<Parametrised> {
  readonly apply: (b: Builder, theta: Values, series: PartlySeen, training: Training | null) => Expected;
}

/** Widths of the states. */
const [hidden, latent] = [20, 6];

/** Expects each observation from those before it, by what a cell knows of them. */
function predicting(cell: ObservedCell): IrregularModel {
  const parts = { cell, readout: mlp([cell.readWidth, 20, cell.channels]) };
  return {
    ...parametersOf(parts),
    apply(b, theta, { all }, training) {
      const { before } = alongObservations(b, cell, partOf(theta, "cell"), all, { training });
      return { expected: parts.readout.apply(b, partOf(theta, "readout"), before) };
    },
  };
}

/** Explains all that is seen by a latent variable, and reads it off at all places. */
function explaining({ posterior, decoded, ...parametrised }: LatentOde): IrregularModel {
  return {
    ...parametrised,
    apply(b, theta, { all, seen }, training) {
      const found = posterior(b, theta, seen, training);
      const z0 = reparametrised(b, found, training);
      return { expected: decoded(b, theta, z0, all.times, training), posterior: found };
    },
  };
}

/** A latent variable that starts a GRU, which is told the times between places and nothing else. */
function rnnVae(channels: number): LatentOde {
  const encoder = gapCell(channels, hidden) as unknown as ObservedCell;
  const parts = {
    ...{ encoder, toLatent: linear(hidden, 2 * latent), start: linear(latent, hidden) },
    ...{ decoder: gruCell(1, hidden), readout: linear(hidden, channels) },
  };
  return {
    ...parametersOf(parts),
    posterior(b, theta, series) {
      const { end } = alongObservations(b, encoder, partOf(theta, "encoder"), series, {
        direction: "backward",
      });
      return normalFrom(b, parts.toLatent.apply(b, partOf(theta, "toLatent"), end[0]!));
    },
    decoded(b, theta, z0, times) {
      const places = times.shape[1] as number;
      const first = zerosLike(b, slice(b, times, 1, 0, 1));
      const before = concat(b, [first, slice(b, times, 1, 0, places - 1)], 1);
      const gaps = unsqueeze(b, sub(b, times, before), [2]);
      const h0 = tanh(b, parts.start.apply(b, partOf(theta, "start"), z0));
      const { outputs } = overSequence(b, parts.decoder, partOf(theta, "decoder"), gaps, [h0]);
      return parts.readout.apply(b, partOf(theta, "readout"), outputs);
    },
  };
}

/**
 * The models that are compared on irregular series. ODE-RNN, GRU-D and the RNN with time gaps see what comes before a place;
 * the latent ODE and the RNN with a latent variable see what comes after it, too.
 *
 * @see Rubanova, Chen & Duvenaud 2019, arXiv:1907.03907
 */
export function irregularModels(
  channels: number,
  protocol: TaskProtocol,
): Readonly<Record<"latentOde" | "rnnVae" | "odeRnn" | "gruD" | "rnnGaps", IrregularModel>> {
  const { stepSize, gradient, dtype } = protocol;
  const method = methodOf(protocol);
  const odeOf = (dim: number) =>
    neuralOde({ field: perceptron({ dim, hidden: [32], time: false }), method, stepSize, dtype });
  const cell = () => odeRnnCell(odeOf(hidden), channels, { gradient }) as unknown as ObservedCell;
  const decoder = mlp([latent, 20, channels]);
  return {
    latentOde: explaining(latentOde({ encoder: cell(), ode: odeOf(latent), decoder, gradient })),
    rnnVae: explaining(rnnVae(channels)),
    odeRnn: predicting(cell()),
    gruD: predicting(gruDCell(channels, hidden) as unknown as ObservedCell),
    rnnGaps: predicting(gapCell(channels, hidden) as unknown as ObservedCell),
  };
}
