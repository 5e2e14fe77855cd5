import { expect } from "chai";
import { alf, DampingError } from "../../src/methods/alf.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { countEvaluations, decayed, expectGradients, lostByUndoing, turning } from "./problems.js";

describe("the asynchronous leapfrog", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  for (const damping of [1, 0.8, 0.3]) {
    const method = alf({ damping });

    it(`is undone to rounding, with η = ${damping}`, async () => {
      // two steps, of which each amplifies rounding by 1 / |1 − 2 η| ≤ 2.5
      expect(await lostByUndoing(runtime, method, turning)).to.be.below(1e-14);
    });
  }

  for (const damping of [1, 0.8]) {
    // undoing 22 steps with η = 0.8 amplifies rounding by 1 / 0.6²² = 8e4, to 1e-11
    it(`has the same gradient by reconstruction, by stored steps and by differences, with η = ${damping}`, () =>
      expectGradients(runtime, alf({ damping }), turning));
  }

  it("takes one evaluation forwards and one backwards", () => {
    const method = alf();
    expect(countEvaluations(method)).to.deep.equal({
      step: method.evaluations,
      back: method.backEvaluations,
    });
  });

  it("knows that it blows up on a decaying problem, and that damping mends it", async () => {
    expect(Math.abs(await decayed(runtime, alf()))).to.be.above(1);
    expect(Math.abs(await decayed(runtime, alf({ damping: 0.9 })))).to.be.below(1e-6);
  });

  it("refuses a damping outside (0, 1], and one half, at which nothing can be undone", () => {
    for (const damping of [0, -1, 1.1, 0.5, Number.NaN]) {
      expect(() => alf({ damping }), String(damping)).to.throw(DampingError, String(damping));
    }
  });
});
