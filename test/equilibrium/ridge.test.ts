import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import { ridgeSolution } from "../../src/equilibrium/ridge.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { evaluate } from "../support/evaluate.js";

describe("least squares with a ridge", () => {
  it("are solved where they can be, and made solvable where they are singular, each sample by itself", async () => {
    const systems = [
      // [[4, 2], [2, 3]] γ = [2, 5]
      { A: [4, 2, 2, 3], r: [2, 5], γ: [-0.5, 2] },
      // the rows are one: the least of all solutions
      { A: [1, 1, 1, 1], r: [1, 1], γ: [0.5, 0.5] },
      // the same in very different units
      { A: [1e-12, 1e-2, 1e-2, 1e8], r: [1e-6, 1e4], γ: [0.5e6, 0.5e-4] },
      // nothing is remembered yet in one row, or in both
      { A: [0, 0, 0, 2], r: [0, 3], γ: [0, 1.5] },
      { A: [0, 0, 0, 0], r: [0, 0], γ: [0, 0] },
      // no ridge helps
      { A: [Number.NaN, 1, 1, 1], r: [1, 1], γ: [0, 0] },
    ];
    for (const runtime of [jit(), await ortNode()]) {
      const { found } = await evaluate(
        runtime,
        {
          A: tensor(
            "float64",
            [systems.length, 2, 2],
            systems.flatMap(({ A }) => A),
          ),
          r: tensor(
            "float64",
            [systems.length, 2],
            systems.flatMap(({ r }) => r),
          ),
        },
        (b, { A, r }) => ({ found: ridgeSolution(b, A!, r!, 1e-18) }),
      );
      for (const [i, { γ }] of systems.entries()) {
        // a ridge of 1e-14 of the diagonal is the first that a singular system is solved with
        for (const [j, value] of γ.entries())
          expect(numbers(found)[2 * i + j]! / (Math.abs(value) || 1), `${i}`).to.be.closeTo(
            Math.sign(value),
            2e-2,
          );
      }
      expect(numbers(found)[0]).to.be.closeTo(-0.5, 1e-14);
    }
  });
});
