import { expect } from "chai";
import { Random } from "../../../src/core/random.js";
import { numbers, tensor } from "../../../src/core/tensor.js";
import { initialParameters, type Tensors } from "../../../src/fields/field.js";
import { mlp } from "../../../src/fields/mlp.js";
import { whiteDwarf } from "../../../src/fields/physical.js";
import { type Gradients, gradientOf } from "../../../src/gradients/evaluate.js";
import { neuralOde } from "../../../src/integrate/neural-ode.js";
import { solve } from "../../../src/integrate/solve.js";
import { mse } from "../../../src/learning/losses.js";
import type { Method } from "../../../src/methods/method.js";
import { reversible } from "../../../src/methods/reversible.js";
import { euler, midpoint, ralston3, rk4 } from "../../../src/methods/tableaux.js";
import type { ExactGraphGradient } from "../../../src/programs/adjoints.js";
import { gridThrough } from "../../../src/programs/grid.js";
import type { Runtime } from "../../../src/runtime/runtime.js";
import { jit } from "../../../src/runtimes/jit/jit.js";
import { ortNode } from "../../../src/runtimes/ort-node.js";
import { distance, tensorsDistance } from "../../support/distance.js";
import { itWithShared } from "../../support/shared-files.js";
import { readReference, referencePath } from "../../support/white-dwarf.js";

const field = mlp({ dim: 2, hidden: [10] });
const times = Array.from({ length: 1000 }, (_, i) => ((i + 1) * 5) / 1000);
const y0 = tensor("float64", [1, 2], [1, 0]);

/** Loss and gradients of the white-dwarf experiment before the first update. */
async function gradient(
  runtime: Runtime,
  method: Method,
  kind: ExactGraphGradient,
  parameters: Tensors,
): Promise<Gradients> {
  const truth = neuralOde({ field: whiteDwarf(), method, stepSize: 0.005, dtype: "float64" });
  const { ys } = await solve(truth, { runtime, y0, t0: 0, saveAt: times });
  const ode = neuralOde({ field, method, stepSize: 0.005, dtype: "float64" });
  const fit = { grid: gridThrough(0, times, 0.005), y0, target: ys, weight: null };
  return gradientOf(ode, { runtime, loss: mse(), gradient: kind, parameters, fit });
}

describe("the white-dwarf gradient, compiled", () => {
  const parameters = initialParameters(field, Random.seeded(4), "float64");

  for (const tableau of [euler, midpoint, ralston3, rk4]) {
    for (const kind of ["reversible", "direct"] as const) {
      it(`is that of ONNX Runtime with ${tableau.name}, ${kind}`, async () => {
        const own = await gradient(jit(), reversible(tableau), kind, parameters);
        const other = await gradient(await ortNode(), reversible(tableau), kind, parameters);
        // 1000 steps there and back: the roundings of tanh and of sums differ, and the reconstruction amplifies them
        const tolerance = kind === "direct" ? 1e-13 : 1e-12;
        expect(distance([own.loss], [other.loss])).to.be.below(1e-13);
        expect(tensorsDistance(own.parameters, other.parameters)).to.be.below(tolerance);
        expect(distance(numbers(own.y0), numbers(other.y0))).to.be.below(tolerance);
      });
    }
  }

  itWithShared(referencePath, "is the published one, for all solvers", async (text) => {
    const reference = readReference(text);
    for (const { name, method, gradient: kind, loss, gradients } of reference.runs) {
      const own = await gradient(jit(), method, kind, reference.parameters);
      expect(distance([own.loss], [loss]), name).to.be.below(1e-12);
      expect(tensorsDistance(own.parameters, gradients), name).to.be.below(1e-12);
    }
  });
});
