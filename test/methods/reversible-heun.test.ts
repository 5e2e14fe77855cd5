import { expect } from "chai";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { reversibleHeun } from "../../src/methods/reversible-heun.js";
import { rk4 } from "../../src/methods/tableaux.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { countEvaluations, decayed, expectGradients, lostByUndoing, turning } from "./problems.js";

describe("the reversible Heun method", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });
  const method = reversibleHeun();

  it("is undone to rounding", async () => {
    // two steps with states of size 1
    expect(await lostByUndoing(runtime, method, turning)).to.be.below(1e-14);
  });

  it("has the same gradient by reconstruction, by stored steps and by differences", () =>
    expectGradients(runtime, method, turning));

  it("takes one evaluation forwards and two backwards", () => {
    expect(countEvaluations(method)).to.deep.equal({
      step: method.evaluations,
      back: method.backEvaluations,
    });
  });

  it("blows up on y' = −y, where the plain method does not (known failure)", async () => {
    // four digits, as published measurements of the formulas have them
    expect(await decayed(runtime, method)).to.be.closeTo(-2904, 0.5);
    expect(await decayed(runtime, explicit(rk4))).to.be.closeTo(2.06e-9, 1e-11);
  });

  it("shares that failure with coupled methods whose λ is too near 1 (known failure)", async () => {
    // stable while h ≤ −ln λ, which for h = 0.1 is 0.9 and not 0.999
    expect(await decayed(runtime, reversible(rk4, { coupling: 0.999 }))).to.be.closeTo(13.1, 0.05);
    expect(await decayed(runtime, reversible(rk4, { coupling: 0.9 }))).to.be.closeTo(-7.9e-10, 5e-12);
  });
});
