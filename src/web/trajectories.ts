import { bytesIn, castTensor } from "../core/tensor.js";
import { encodeCheckpoint } from "../deploy/checkpoint-file.js";
import { encodeField } from "../deploy/field-file.js";
import { experiments } from "../experiments/all.js";
import type { Experiment } from "../experiments/experiment.js";
import { fitChart, lossChart, solutionToDraw } from "../experiments/fit-chart.js";
import { metadataOf } from "../experiments/metadata.js";
import { ownData } from "../experiments/own-data.js";
import { chooseGradient } from "../gradients/choice.js";
import { type GradientRequest, showGradientMethod } from "../gradients/method.js";
import { costsOf } from "../gradients/one-graph.js";
import { type NeuralOde, neuralOde } from "../integrate/neural-ode.js";
import { constant } from "../learning/schedules.js";
import { methodNamed } from "../methods/named.js";
import { stepsOf } from "../programs/grid.js";
import { y0Name } from "../programs/names.js";
import type { Runtime } from "../runtime/runtime.js";
import { parseTimeSeries } from "../storage/csv.js";
import { encodeSafetensors } from "../storage/safetensors.js";
import type { Checkpoint } from "../train/checkpoint.js";
import type { Trajectories } from "../train/data.js";
import { checkFit, type FitCheck } from "../train/fit-check.js";
import { gradientTask, gridOf } from "../train/gradient-task.js";
import { parametersOf, type TrainResult, train } from "../train/train.js";
import type { Kept, TrainRequest } from "./messages.js";
import { showTime } from "./shown.js";
import type { Subject } from "./subject.js";

/** The experiment that is asked for, or one made of the visitor's own data. @throws {DataError} */
function experimentOf({ subject, data }: TrainRequest): Experiment & { readonly trainY0?: boolean } {
  if (data !== null) {
    const { name, text, missing } = data;
    return ownData(name, parseTimeSeries(text, { source: name, missing }));
  }
  return experiments.find(({ name }) => name === subject)!;
}

/**
 * A field that is fitted to trajectories.
 *
 * @param beside  does what is no update: data, charts and the check at the end, which are many small solves
 */
export async function trajectorySubject(
  request: TrainRequest,
  runtime: Runtime,
  beside: Runtime,
): Promise<Subject> {
  const experiment = experimentOf(request);
  const { protocol } = experiment;
  const { solver, coupling, dtype } = request;
  const ode = neuralOde({
    field: experiment.field(),
    method: methodNamed(solver, coupling === null ? {} : { coupling }),
    stepSize: protocol.stepSize,
    dtype,
  });
  const data = await experiment.data({ ode, runtime: beside, file: null });
  const gradient = request.gradient as GradientRequest;
  const loss = protocol.loss();
  return {
    about: experiment.about,
    kept: keptAtFirst(ode, data, gradient),
    async train({ steps, resume, signal, onUpdate, onNote }) {
      const result = await train(ode, data, {
        ...{ runtime, steps, gradient, signal, onUpdate },
        ...{ seed: request.seed, trainY0: experiment.trainY0 ?? false, check: false },
        loss,
        optimiser: protocol.optimiser({}),
        schedule: protocol.schedule?.(Math.max(1, steps)) ?? constant(),
        onNote: ({ message }) => onNote(message),
        ...(resume === null ? {} : { resume }),
      });
      const { stopped, checkpoint, warnings, parameters, y0 } = result;
      const check =
        stopped === "aborted" ? null : await checkFit(ode, data, { runtime: beside, loss, parameters, y0 });
      return {
        stopped: stopped === "aborted",
        checkpoint,
        kept: keptBy(ode, data, result.gradient, result.storedStates),
        warnings: [
          ...(experiment.warnings ?? []).map(({ message }) =>
            message.replace(/, or say --missing .*$/, ", or name it above as missing, and train again."),
          ),
          ...warnings.map(({ message }) => message),
          ...(check?.warning ? [check.warning] : []),
        ],
        findings: findingsOf(experiment, result, check),
      };
    },
    async charts({ trained, losses }) {
      const y0 = trained[y0Name] ?? castTensor(data.y0, dtype);
      const parameters = parametersOf(trained);
      const fit = await solutionToDraw({ ode, data, runtime: beside, parameters, y0 });
      return [
        fitChart(experiment, { field: ode.field, data, fit, independent: null }),
        lossChart(experiment, losses),
      ];
    },
    files: (checkpoint) => filesOf(ode, experiment, checkpoint),
  };
}

function filesOf(ode: NeuralOde, experiment: Experiment, checkpoint: Checkpoint) {
  const parameters = parametersOf(checkpoint.trained);
  return {
    "field.onnx": encodeField(ode, parameters, metadataOf(experiment)),
    "parameters.safetensors": encodeSafetensors(parameters),
    "checkpoint.safetensors": encodeCheckpoint(checkpoint),
  };
}

/** What the gradient is going to keep of the solve, unless it finds that more is needed. */
function keptAtFirst(ode: NeuralOde, data: Trajectories, asked: GradientRequest): Kept {
  const { gradient } = chooseGradient(ode, asked, gradientTask(ode, data, {}));
  const { cost } = costsOf(ode, gradient, gridOf(ode, data, undefined));
  return keptBy(ode, data, showGradientMethod(gradient), cost.storedStates);
}

/** So many states, beside all that the solve has. */
function keptBy(ode: NeuralOde, data: Trajectories, gradient: string, states: number): Kept {
  // as in the choice of a gradient: all arrays of each state, and y once more, where it is put together with the last one
  const each = (ode.method.width + 1) * bytesIn({ dtype: ode.dtype, shape: data.y0.shape });
  const bytes = (count: number) => count * each;
  const all = stepsOf(gridOf(ode, data, undefined)) + 1;
  return { gradient, states, bytes: bytes(states), all: { states: all, bytes: bytes(all) } };
}

function findingsOf(
  experiment: Experiment,
  result: TrainResult,
  check: FitCheck | null,
): (readonly [string, string])[] {
  const { losses, seconds, parameters } = result;
  const digits = (loss: number | null | undefined) => loss?.toPrecision(6) ?? "–";
  const lowest = losses.reduce((least, loss) => Math.min(least, loss), Number.POSITIVE_INFINITY);
  const scalars = Object.entries(parameters).filter(([, { shape }]) => shape.length === 0);
  return [
    ["loss before the first update", digits(losses[0])],
    ["lowest loss", digits(losses.length === 0 ? null : lowest)],
    ...(check === null
      ? []
      : ([
          ["loss of the trained field, by the solver of the training", digits(check.trainedLoss)],
          ["the same, solved accurately", digits(check.loss)],
        ] as const)),
    ["time per update", showTime(seconds / Math.max(1, losses.length))],
    ["evaluations of the field per update", String(result.evaluations)],
    ...scalars.map(([name, { data }]) => {
      const known = experiment.published?.[name];
      const published = known === undefined ? "" : ` (published ${known.value}, ${known.source})`;
      return [name, `${Number(data[0]).toPrecision(6)}${published}`] as const;
    }),
  ];
}
