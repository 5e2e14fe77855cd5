import { Random } from "../../src/core/random.js";
import { type FloatDType, scalar, type Tensor, tensor } from "../../src/core/tensor.js";
import { taskExperiments } from "../../src/experiments/tasks.js";
import { languageModel } from "../../src/language/language-model.js";
import { adamw } from "../../src/learning/optimisers.js";
import { checkDataset, type Dataset, takeSamples } from "../../src/models/dataset.js";
import { changingOf } from "../../src/models/fit.js";
import type { AnyTask } from "../../src/models/task.js";
import { taskObjective } from "../../src/models/task-objective.js";
import { initialValues } from "../../src/models/values.js";
import { uploadTree } from "../../src/runtime/compile-program.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { graphUpdater } from "../../src/train/graph-updater.js";
import { startOf } from "../../src/train/start.js";
import type { Standing } from "../../src/train/updater.js";

/** Updates in one run: `train` does as many as take some 75 ms. */
export const updates = 4;

/** Updates of a task, several in a run as `train` does them: convolutions, attention, products of some size. */
export interface TaskUpdates {
  readonly model: string;
  readonly batch: number;
  readonly dtype: FloatDType;
  readonly compile: (runtime: Runtime) => Promise<{ run(): Promise<unknown>; release(): Promise<void> }>;
}

/** Heat on a line, patterns on a grid, ODE-Nets on images, and a block of a transformer. */
export async function taskUpdates(): Promise<TaskUpdates[]> {
  return [
    ...(await ofExperiment("heat", [1, 8])),
    ...(await ofExperiment("gray-scott", [1, 8])),
    ...(await ofExperiment("mnist-ode", [4, 32], "small")),
    ...(await ofExperiment("mnist-ode", [4], "published")),
    ...[32, 64, 128].flatMap((width) => [1, 8].map((batch) => ofTransformer(width, batch))),
  ];
}

async function ofExperiment(
  name: string,
  batches: readonly number[],
  network?: string,
): Promise<TaskUpdates[]> {
  const experiment = taskExperiments.find((one) => one.name === name)!;
  const protocol = { ...experiment.protocol, samples: 64, ...(network === undefined ? {} : { network }) };
  const { dtype } = protocol;
  const { task, training } = await experiment.prepare({ protocol, seed: 0, files: [] });
  const model = network === undefined ? name : `${name}, ${network}`;
  return batches.map((batch) => updatesOf({ model, batch, dtype }, task, training));
}

/** A block of a transformer on half as many positions as it is wide, each one of 96 tokens. */
function ofTransformer(width: number, batch: number): TaskUpdates {
  const { task } = languageModel("transformer", {
    ...{ vocabulary: 96, length: width / 2, width, heads: 4, hidden: [4 * width], cell: "block", layers: 1 },
    ...{ tied: false, finalNorm: "applied", dropout: 0 },
    equilibrium: { relaxation: 0.5, steps: 1, tolerance: 0 },
  });
  const random = Random.seeded(1);
  const data = Object.entries({ ...task.model.inputs, ...task.targets } as Record<
    string,
    { shape: number[] }
  >).map(([name, { shape }]): [string, Tensor] => {
    const size = [batch, ...shape].reduce((product, dim) => product * dim, 1);
    const tokens = Array.from({ length: size }, () => random.integer(96));
    return [name, tensor("int64", [batch, ...shape], tokens)];
  });
  const about = { model: `transformer, ${width} wide`, batch, dtype: "float32" } as const;
  return updatesOf(about, task as unknown as AnyTask, Object.fromEntries(data));
}

function updatesOf(about: Omit<TaskUpdates, "compile">, task: AnyTask, dataset: Dataset): TaskUpdates {
  const { batch, dtype } = about;
  const { data } = checkDataset("The data", dataset, { ...task.model.inputs, ...task.targets }, dtype);
  const first = Array.from({ length: batch }, (_, i) => i);
  const samples = takeSamples(data, first);
  const optimiser = adamw();
  const setup = { key: scalar("int64", 1) };
  const objectiveOf = (batchSize: number) => taskObjective(task, { dtype, batchSize }) as never;
  const start = startOf(
    { ...changingOf(initialValues(task.model, { dtype, seed: 0 })), resume: undefined },
    { optimiser, dtype, keepsBest: false },
  );
  const plan = Array.from({ length: updates }, (_, i) => ({
    which: first,
    count: i + 1,
    learningRate: 1e-4,
  }));
  return {
    ...about,
    async compile(runtime) {
      const updater = await graphUpdater({
        ...{ runtime, helpers: [], objectiveOf, setup, batchSize: batch, parts: 1, threads: null, updates },
        ...{ resident: { samples: { data: samples }, count: batch }, isMean: () => false },
        ...{ optimiser, clip: null, keepsBest: false, dtype },
      });
      const { resume: _, ...all } = start;
      const standing = uploadTree(runtime, all) as unknown as Standing;
      return {
        run: () => updater.run(standing, Number.POSITIVE_INFINITY, plan),
        release: () => updater.release(),
      };
    },
  };
}
