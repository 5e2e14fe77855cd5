import type { FloatDType } from "../../core/tensor.js";
import { numbers, type Tensor } from "../../core/tensor.js";
import { encodeFitSteps, fitStart } from "../../deploy/model-file.js";
import type { PreparedTask, TaskExperiment } from "../../experiments/task-experiment.js";
import { takeSamples } from "../../models/dataset.js";
import { type Subject, SubjectError } from "./subject.js";
import type { RunInput } from "./workload.js";

/** An update of an experiment: its gradient and AdamW. What is compared is the optimiser's mean of gradients. */
export async function updateOf(experiment: TaskExperiment): Promise<Subject> {
  const { name, data } = experiment;
  if (data?.needed === true) {
    throw new SubjectError(`${name} needs data. Train it, and give the predict.onnx of its run.`);
  }
  const protocol = { ...experiment.protocol, ...(experiment.protocol.samples ? { samples: 512 } : {}) };
  const prepared = await experiment.prepare({ protocol, seed: 0, files: [] });
  const count = Object.values(prepared.training)[0]!.shape[0]!;
  return {
    ...{ name, works: ["run"], batched: true, dtype: protocol.dtype },
    about: `A run is an update of ${name}: the gradient of ${experiment.protocol.gradient}, and AdamW; its error is that of the gradient.`,
    job({ batch, dtype }) {
      if (batch > count) {
        throw new SubjectError(`${name} has ${count} samples to train on, fewer than a batch of ${batch}.`);
      }
      // written in the type that it is solved in, and read in any
      return { ...updateIn(prepared, batch, protocol.dtype), compared: "next/memory/m/", dtype };
    },
  };
}

/** The file of an update of so many samples, and what it takes. */
function updateIn({ task, training }: PreparedTask, batch: number, dtype: FloatDType) {
  const first = Array.from({ length: batch }, (_, i) => i);
  const samples = takeSamples(training as Readonly<Record<string, Tensor>>, first);
  const options = { dtype, batchSize: batch };
  const inputs = Object.entries(fitStart(task, samples, options)).map(([name, value]): [string, RunInput] => [
    name,
    { dtype: value.dtype, shape: value.shape, values: numbers(value) },
  ]);
  return {
    file: Buffer.from(encodeFitSteps(task, samples, options)).toString("base64"),
    inputs: Object.fromEntries(inputs),
  };
}
