/**
 * How many operators does a step of a gradient take on ONNX Runtime, which pays for each, and how many does `fuse` save?
 * Counted in the graphs, before and after; nothing is timed.
 *
 *   npx tsx benchmarks/operators.ts [--json] [--save]
 */
import { tensor } from "../src/core/tensor.js";
import { lossSetting } from "../src/gradients/differentiator.js";
import { type Graph, nodesOf, subgraphsOf } from "../src/graph/graph.js";
import { decompose } from "../src/graph/passes.js";
import { mse } from "../src/learning/losses.js";
import { euler, midpoint, ralston3, rk4, type Tableau } from "../src/methods/tableaux.js";
import type { ExactGraphGradient } from "../src/programs/adjoints.js";
import { gridThrough } from "../src/programs/grid.js";
import { gradientProgram, lossProgram } from "../src/programs/training.js";
import { fuse } from "../src/runtime/fuse.js";
import { hasOrtKernel } from "../src/runtime/kernels.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { conclude, readOptions } from "./conclude.js";
import { batchedTask, type GradientTask, whiteDwarfTask } from "./gradient-task.js";
import { provenance, table } from "./measure.js";

const options = readOptions({});
const runtime = await ortNode();

/**
 * Operators that a run applies, those in loops once for each iteration. A loop of which the graph does not say how often
 * it runs is one over all steps, as there are in programs that save every step.
 */
function operatorsRun(graph: Graph, steps: number): number {
  return nodesOf(graph).reduce((sum, { op, inputs, attributes }) => {
    const given = inputs[0]?.constant;
    const inside = subgraphsOf(attributes).map((body) => {
      const { trips } = body;
      const known = given ? Number(given.data[0]) : typeof trips === "number" ? trips : steps;
      return operatorsRun(body, steps) * (op.type === "Loop" ? known : 1);
    });
    return sum + 1 + inside.reduce((total, count) => total + count, 0);
  }, 0);
}

type Case = (coupled: boolean, tableau: Tableau, steps: number) => Pick<GradientTask, "ode" | "fit">;

const cases: Readonly<Record<string, Case>> = {
  "1 × 2, 3-10-2": whiteDwarfTask,
  "512 × 2, 2-64-64-2": (coupled, tableau, steps) => {
    const task = batchedTask({ batch: 512, width: 64, steps, dtype: "float32" }, coupled, tableau);
    const times = Array.from({ length: steps }, (_, i) => (i + 1) / steps);
    const target = tensor("float32", [steps, 512, 2], new Float32Array(steps * 1024));
    return { ...task, fit: { ...task.fit, grid: gridThrough(0, times, 1 / steps), target } };
  },
};

/** Operators of one more step: of the solve and the loss, and of all that the gradient takes besides. */
function perStep(make: (steps: number) => ReturnType<Case>, gradient: ExactGraphGradient, pass: Pass) {
  // sums over more than 65 536 numbers take operators of their own, which are not those of a step
  const [few, many] = [16, 32].map((steps) => {
    const { ode, fit } = make(steps);
    const setting = lossSetting(ode, { loss: mse(), fit });
    const count = (graph: Graph) => operatorsRun(pass(decompose(graph, hasOrtKernel)), steps);
    return {
      forward: count(lossProgram(setting).graph),
      all: count(gradientProgram(setting, gradient).graph),
    };
  }) as [{ forward: number; all: number }, { forward: number; all: number }];
  const forward = (many.forward - few.forward) / 16;
  return { forward, backward: (many.all - few.all) / 16 - forward };
}

type Pass = (graph: Graph) => Graph;
const same: Pass = (graph) => graph;

const rows = [];
for (const [field, make] of Object.entries(cases)) {
  for (const tableau of [euler, midpoint, ralston3, rk4]) {
    for (const gradient of ["reversible", "direct"] as const) {
      const coupled = gradient === "reversible";
      const task = (steps: number) => make(coupled, tableau, steps);
      const [before, after] = [perStep(task, gradient, same), perStep(task, gradient, fuse)];
      rows.push({
        ...{ field, tableau: tableau.name, scheme: coupled ? "coupled" : "plain", gradient },
        evaluations: task(1).ode.method.evaluations,
        ...{ forward: before.forward, forwardFused: after.forward },
        ...{ backward: before.backward, backwardFused: after.backward },
      });
    }
  }
}
await conclude(
  {
    ...{ benchmark: "operators", ...provenance([runtime]), settings: { activation: "tanh" } },
    ...{ rows, failures: [], targets: [] },
  },
  options,
  {
    text: `Operators per step on ONNX Runtime, fields with tanh\n\n${table(
      ["field", "tableau", "scheme", "gradient", "evaluations", "forward", "fused", "backward", "fused"],
      rows.map((row) => [
        ...[row.field, row.tableau, row.scheme, row.gradient],
        ...[row.evaluations, row.forward, row.forwardFused, row.backward, row.backwardFused].map(String),
      ]),
    )}`,
  },
);
