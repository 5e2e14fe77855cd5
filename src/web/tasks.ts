import { encodeCheckpoint } from "../deploy/checkpoint-file.js";
import { taskLossChart } from "../experiments/task-chart.js";
import type { PreparedTask, TaskExperiment, TrainedTask } from "../experiments/task-experiment.js";
import { taskScheduleOf } from "../experiments/task-schedule.js";
import { taskExperiments } from "../experiments/tasks.js";
import type { GradientRequest } from "../gradients/method.js";
import { type Optimiser, optimisers } from "../learning/optimisers.js";
import { fit } from "../models/fit.js";
import { namesIn } from "../models/values.js";
import type { Runtime } from "../runtime/runtime.js";
import { encodeSafetensors } from "../storage/safetensors.js";
import type { Checkpoint } from "../train/checkpoint.js";
import type { TrainRequest } from "./messages.js";
import { showTime } from "./shown.js";
import type { Subject } from "./subject.js";

/** Experiments with tasks that need no files of their own. */
export const ownTasks: readonly TaskExperiment[] = taskExperiments.filter(
  ({ data }) => data?.needed !== true,
);

function optimiserOf({ protocol }: TaskExperiment): Optimiser {
  const { optimiser, learningRate, weightDecay } = protocol;
  const make = optimisers[optimiser as keyof typeof optimisers];
  return make({ learningRate, ...("weightDecay" in make().settings ? { weightDecay } : {}) });
}

/**
 * A model that is more than a field, trained for a task.
 *
 * @param beside  draws the charts
 */
export async function taskSubject(
  experiment: TaskExperiment,
  request: TrainRequest,
  runtime: Runtime,
  beside: Runtime,
): Promise<Subject> {
  const { solver, coupling, dtype, seed } = request;
  const gradient = request.gradient as GradientRequest & string;
  const protocol = { ...experiment.protocol, solver, coupling, dtype, gradient, steps: request.steps };
  const prepared = await experiment.prepare({ protocol, seed, files: [] });
  const { task, training, validation, optimiser = (chosen: Optimiser) => chosen } = prepared;
  const schedule = taskScheduleOf(prepared, protocol);
  const samples = Object.values(training)[0]!.shape[0]!;
  const { clip, validateEvery } = protocol;
  return {
    about: experiment.about,
    kept: null,
    async train({ steps, resume, signal, onUpdate, onNote }) {
      const result = await fit(task, training, {
        ...{ runtime, steps, dtype, seed, signal, onUpdate },
        batchSize: Math.min(protocol.batchSize ?? samples, samples),
        optimiser: optimiser(optimiserOf(experiment)),
        onNote: ({ message }) => onNote(message),
        ...(clip === null ? {} : { clip }),
        ...(schedule === undefined ? {} : { schedule: schedule(steps) }),
        ...(validation === null ? {} : { validation }),
        ...(validation === null || validateEvery === null ? {} : { validateEvery }),
        ...(resume === null ? {} : { resume }),
      });
      const { losses, checkpoint, seconds } = result;
      return {
        stopped: result.stopped === "aborted",
        checkpoint,
        kept: null,
        warnings: [],
        findings: [
          ["loss before the first update", losses[0]?.toPrecision(6) ?? "–"],
          ["loss before the last update", losses.at(-1)?.toPrecision(6) ?? "–"],
          ["time per update", showTime(seconds / Math.max(1, losses.length))],
        ],
      };
    },
    async charts(checkpoint) {
      const own = (await prepared.charts?.(trainedAt(checkpoint, request, beside))) ?? {};
      return [
        ...Object.values(own),
        taskLossChart({
          ...checkpoint,
          experiment: experiment.name,
          validations: checkpoint.validations ?? [],
        }),
      ];
    },
    files: (checkpoint) => filesOf(prepared, checkpoint, trainedAt(checkpoint, request, runtime)),
  };
}

function trainedAt(checkpoint: Checkpoint, { dtype }: TrainRequest, runtime: Runtime): TrainedTask {
  return { runtime, dtype, ...namesIn(checkpoint) };
}

function filesOf(prepared: PreparedTask, checkpoint: Checkpoint, trained: TrainedTask) {
  return {
    ...prepared.files(trained),
    "parameters.safetensors": encodeSafetensors(trained.parameters),
    "checkpoint.safetensors": encodeCheckpoint(checkpoint),
  };
}
