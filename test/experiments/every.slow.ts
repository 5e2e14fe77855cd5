import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { Random } from "../../src/core/random.js";
import { castTensor, isFloat, numbers, scalar, type Tensor, tensor } from "../../src/core/tensor.js";
import { type Branch, byPath, mapTree } from "../../src/core/tree.js";
import type { PreparedTask, TaskExperiment, TaskProtocol } from "../../src/experiments/task-experiment.js";
import { taskExperiments } from "../../src/experiments/tasks.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value, ValueType } from "../../src/graph/graph.js";
import { pick, upload } from "../../src/integrate/solve.js";
import { takeSamples } from "../../src/models/dataset.js";
import { changingOf } from "../../src/models/fit.js";
import type { AnyTask } from "../../src/models/task.js";
import { lossInTraining, taskObjective } from "../../src/models/task-objective.js";
import { initialValues } from "../../src/models/values.js";
import { randomKey } from "../../src/ops/random.js";
import { countType } from "../../src/programs/updates.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { tensorsDistance } from "../support/distance.js";
import { runGraph } from "../support/evaluate.js";
import { prepared } from "./prepared.js";
import { tinyOf } from "./tiny.js";

const runtime = jit();
const dtype = "float64";

/** The task of an experiment at its smallest, differentiated by some gradient. */
function tiny(experiment: TaskExperiment, own: Partial<TaskProtocol> = {}): Promise<PreparedTask> {
  const { protocol, files } = tinyOf(experiment);
  return prepared(experiment, { ...protocol, dtype, ...own }, files);
}

/** Loss and gradients of an update of two samples, as a graph with all that it takes. */
function updateOf({ task: given, training }: PreparedTask, wantsGradients: boolean) {
  const task = given as AnyTask;
  const objective = taskObjective(task, { dtype, batchSize: 2 });
  const b = new Builder();
  const types = { ...objective.trained, ...objective.buffers, ...objective.data, ...objective.setup };
  const inputs = mapTree({ ...types, count: countType(objective) } as Branch, (leaf, path) => {
    const { dtype: own, shape } = leaf as ValueType;
    return b.input(path, own, shape);
  }) as Record<string, never>;
  const parts = {
    trained: inputs,
    buffers: inputs,
    data: inputs,
    setup: inputs,
    batch: inputs.count,
  } as never;
  const outputs: Record<string, Value> = wantsGradients
    ? byPath<Value>(objective.descent(b, parts).gradients)
    : { loss: lossInTraining(b, task, parts, { dtype, batchSize: 2 }).loss };
  const { trained, buffers } = changingOf(initialValues(task.model, { dtype, seed: 3, given: moved(task) }));
  const data = Object.entries(takeSamples(training, [0, 1])).map(
    ([name, value]) => [name, isFloat(value.dtype) ? castTensor(value, dtype) : value] as const,
  );
  const values = byPath<Tensor>({
    ...{ ...trained, ...buffers, data: Object.fromEntries(data) },
    ...{ key: scalar("int64", randomKey(1)), count: scalar("int64", 1) },
  });
  return { graph: withoutRegions(b.graph(prefixed(outputs), "update")), values };
}

/** Parameters near their first values, where no shift is 0 and so nothing lies at the corner of a ReLU. */
function moved({ model }: AnyTask): Record<string, Tensor> {
  const random = Random.seeded(5);
  const { parameters } = initialValues(model, { dtype, seed: 3, given: {} });
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, ...value }]) => {
      const near = numbers({ shape, ...value } as Tensor).map((x) => x + 0.05 * random.normal());
      return [name, tensor(dtype, shape, near)];
    }),
  );
}

/** Outputs apart from inputs of the same names. */
const prefixed = (outputs: Readonly<Record<string, Value>>) =>
  Object.fromEntries(Object.entries(outputs).map(([name, value]) => [`out/${name}`, value]));

async function gradientsOf(task: PreparedTask): Promise<Record<string, Tensor>> {
  const { graph, values } = updateOf(task, true);
  return runGraph(runtime, graph, values);
}

/** (L(θ + ε d) − L(θ − ε d)) / 2 ε along a direction d. */
async function difference(
  task: PreparedTask,
  direction: Readonly<Record<string, number[]>>,
  epsilon: number,
) {
  const { graph, values } = updateOf(task, false);
  const executable = await runtime.compile(graph);
  const at = async (by: number) => {
    const moved = Object.entries(values).map(([name, value]) => {
      const along = direction[name];
      const data = along && numbers(value).map((x, i) => x + by * along[i]!);
      return [name, data ? tensor(dtype, value.shape, data) : value] as const;
    });
    const results = await executable.run(pick(upload(runtime, Object.fromEntries(moved)), executable.inputs));
    return numbers(await runtime.download(results["out/loss"]!))[0]!;
  };
  const slope = ((await at(epsilon)) - (await at(-epsilon))) / (2 * epsilon);
  await executable.release();
  return slope;
}

describe("every experiment with a task, at a small size", function () {
  this.timeout(600_000);

  for (const experiment of taskExperiments) {
    const { name, protocol, unused = [] } = experiment;
    const own = { ...protocol, ...tinyOf(experiment).protocol };
    // to O(h⁶), and not to rounding
    const isUndoneToOrder = own.solver === "ees25";

    it(`has gradients that are those of differences: ${name}`, async () => {
      const task = await tiny(experiment, unused.includes("gradient") ? {} : { gradient: "direct" });
      const gradients = await gradientsOf(task);
      const random = Random.seeded(7);
      const direction = Object.fromEntries(
        Object.entries(gradients).map(([path, value]) => [
          path.replace("out/", ""),
          numbers(value).map(() => random.normal()),
        ]),
      );
      const along = Object.entries(gradients).reduce(
        (sum, [path, value]) =>
          numbers(value).reduce((s, g, i) => s + g * direction[path.replace("out/", "")]![i]!, sum),
        0,
      );
      // rounding, 1e−16 / ε of losses of 1 to 100; ε is so small that corners of a ReLU are hardly ever crossed
      expect((await difference(task, direction, 1e-7)) / along).to.be.closeTo(1, 1e-5);
    });

    if (unused.includes("gradient")) continue;
    it(`has by undoing steps the gradients of stored ones: ${name}`, async () => {
      const [undone, stored] = [
        await gradientsOf(await tiny(experiment, { gradient: own.gradient })),
        await gradientsOf(await tiny(experiment, { gradient: "direct" })),
      ];
      expect(own.gradient).to.match(/^reversible/);
      expect(Object.keys(undone).length).to.be.above(0);
      expect(tensorsDistance(undone, stored)).to.be.below(isUndoneToOrder ? 1e-6 : 1e-10);
    });
  }
});
