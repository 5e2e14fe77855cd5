import { expect } from "chai";
import type { Tensor } from "../../src/core/tensor.js";
import { byPath } from "../../src/core/tree.js";
import { mlp } from "../../src/fields/mlp.js";
import { gridInputs, lossSetting } from "../../src/gradients/differentiator.js";
import type { GradientMethod } from "../../src/gradients/method.js";
import { graphGradientOf } from "../../src/gradients/method.js";
import { costsOf } from "../../src/gradients/one-graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { gradientProgram } from "../../src/programs/training.js";
import { workOf } from "../../src/runtimes/cost.js";
import { randomTask } from "../support/gradients.js";

describe("the estimated work of a gradient", () => {
  const field = mlp({ dim: 2, hidden: [8] });
  const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.01 });
  const { fit } = randomTask({ field, stepSize: 0.01, saves: [1] });

  /** Multiplications of matrices, by the sizes of what goes in. */
  const multiplications = (method: GradientMethod): number => {
    const { graph } = gradientProgram(lossSetting(ode, { loss: mse(), fit }), graphGradientOf(method));
    const tensors = byPath<Tensor>(gridInputs(ode, fit.grid, { times: false, method }));
    const sizes = new Map<string, number>();
    for (const { name, shape } of graph.inputs) {
      shape.forEach((dim, axis) => {
        if (typeof dim === "string") sizes.set(dim, tensors[name!]!.shape[axis]!);
      });
    }
    return workOf(graph, sizes).products.float64;
  };

  const methods: GradientMethod[] = [
    { kind: "checkpoint" },
    { kind: "checkpoint", states: 4 },
    { kind: "reversible", refresh: 10 },
    { kind: "reversible", refresh: 7 },
  ];
  for (const method of methods) {
    it(`has the steps in it that are taken again: ${JSON.stringify(method)}`, () => {
      const simple: GradientMethod = { kind: method.kind === "checkpoint" ? "direct" : "reversible" };
      const [own, other] = [costsOf(ode, method, fit.grid), costsOf(ode, simple, fit.grid)];
      // an evaluation multiplies as often as it does going forward in the other
      const each = multiplications(simple) / (other.cost.evaluations + 2 * other.work.forward);
      const wanted = multiplications(simple) + each * own.work.recomputed;
      // each stretch counts for as many states as there are slots, though later ones are shorter
      expect(multiplications(method) / wanted).to.be.within(0.9, 1.5);
    });
  }
});
