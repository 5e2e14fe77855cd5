import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { chooseGradient, MemoryBudgetError } from "../../src/gradients/choice.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { showGradientMethod } from "../../src/gradients/method.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { explicit } from "../../src/methods/explicit.js";
import type { Method } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { reversibleHeun } from "../../src/methods/reversible-heun.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { train } from "../../src/train/train.js";
import { tensorsDistance } from "../support/distance.js";
import { randomTask } from "../support/gradients.js";

const field = mlp({ dim: 2, hidden: [4] });
const equation = (method: Method) => neuralOde({ field, method, stepSize: 0.1 });
const state = [10, 2];

describe("the gradient that is chosen", () => {
  const chosenFor = (method: Method, steps: number | null, memoryBudget?: number) => {
    const { gradient, notes } = chooseGradient(equation(method), "auto", { state, steps, memoryBudget });
    return { gradient: showGradientMethod(gradient), notes: notes.join(" ") };
  };

  it("goes through stored steps of a plain method where they fit the budget, and says what they take", () => {
    const { gradient, notes } = chosenFor(explicit(midpoint), 999);
    expect(gradient).to.equal("direct");
    // 1000 states of 20 numbers of 8 bytes, and y once more
    expect(notes).to.include('1000 states of "midpoint"').and.include("320 kB of the memory budget, 1 GB");
  });

  it("goes by checkpoints where they do not, by as many as fit", () => {
    expect(chosenFor(explicit(midpoint), 999, 320_000).gradient).to.equal("direct");
    // enough to take each step again at most once: √(2 · 999) of them
    const fits = chosenFor(explicit(midpoint), 999, 319_000);
    expect(fits.gradient).to.equal("checkpoint:44");
    expect(fits.notes).to.include("320 kB, more than the memory budget, 319 kB");
    // two of 160 bytes a state: in its slot, and on the way
    expect(chosenFor(explicit(midpoint), 999, 3200).gradient).to.equal("checkpoint:10");
    expect(chosenFor(explicit(midpoint), 999, 1).gradient).to.equal("checkpoint:1");
  });

  it("counts on as many steps as there may be where they are chosen by their error", () => {
    expect(chosenFor(explicit(midpoint), null).gradient).to.equal("direct");
    expect(chosenFor(explicit(midpoint), null, 1e6).gradient).to.equal("checkpoint");
  });

  it("undoes steps where the method was made to be undone, from stored states where it must", () => {
    expect(chosenFor(reversible(midpoint), 999).gradient).to.equal("reversible");
    expect(chosenFor(reversibleHeun(), 999).gradient).to.equal("reversible");
    const { gradient, notes } = chosenFor(reversible(midpoint, { coupling: 0.9 }), 999);
    expect(gradient).to.equal("reversible:167");
    expect(notes).to.include("coupled with λ = 0.9").and.include("a state is stored every 167 steps");
  });

  it("is a choice of the request: what was asked for is not chosen", () => {
    const { gradient, notes } = chooseGradient(equation(explicit(midpoint)), "checkpoint:3", {
      state,
      steps: 9,
    });
    expect(gradient).to.deep.equal({ kind: "checkpoint", states: 3 });
    expect(notes).to.deep.equal([]);
  });

  it("is refused a budget that is none", () => {
    for (const memoryBudget of [0, -1, Number.NaN]) {
      expect(() => chosenFor(explicit(midpoint), 9, memoryBudget)).to.throw(MemoryBudgetError, "positive");
    }
  });

  it("is exact whatever is chosen, and the same for a gradient, a differentiator and training", async () => {
    const task = randomTask({ field, stepSize: 0.1, saves: [0.5, 2], batch: 3 });
    const options = { runtime: jit(), loss: mse(), ...task };
    const exact = await gradientOf(equation(explicit(midpoint)), { ...options, gradient: "direct" });
    for (const [memoryBudget, used] of [
      [undefined, { kind: "direct" }],
      [500, { kind: "checkpoint", states: 5 }],
    ] as const) {
      const found = await gradientOf(equation(explicit(midpoint)), {
        ...{ ...options, gradient: "auto" },
        ...(memoryBudget === undefined ? {} : { memoryBudget }),
      });
      expect(found.gradient).to.deep.equal(used);
      expect(found.notes).to.have.length(1);
      // the same sums in another order
      expect(tensorsDistance(found.parameters, exact.parameters)).to.be.below(1e-13);
      const { gradient, notes } = await train(
        equation(explicit(midpoint)),
        {
          t0: 0,
          times: [0.5, 2],
          y0: task.fit.y0,
          observations: tensor("float64", [2, 3, 2], new Array(12).fill(0)),
        },
        {
          ...{ runtime: jit(), steps: 1, gradient: "auto", check: false },
          ...(memoryBudget === undefined ? {} : { memoryBudget }),
        },
      );
      expect(gradient).to.equal(showGradientMethod(used));
      expect(notes.map(({ code, step }) => [code, step])).to.deep.equal([["gradient", 0]]);
    }
  });
});
