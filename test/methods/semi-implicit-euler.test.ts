import { expect } from "chai";
import { ShapeError } from "../../src/core/tensor.js";
import { ReconstructionError } from "../../src/gradients/reconstruction-limit.js";
import { Builder } from "../../src/graph/builder.js";
import { semiImplicitEuler } from "../../src/methods/semi-implicit-euler.js";
import { systemIn } from "../../src/programs/inputs.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import {
  countEvaluations,
  decay,
  evaluate,
  expectGradients,
  gradientsOf,
  lostByUndoing,
  separable,
  turning,
} from "./problems.js";

describe("the semi-implicit Euler method", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });
  const method = semiImplicitEuler();

  it("moves q with the old p, and p with the new q", async () => {
    const [t0, h, a, q, p] = [0.4, 0.2, 1.1, 0.3, -0.7];
    const { next } = await evaluate(runtime, { t0, t1: t0 + h, h, a, y: [q, p] }, (b, v) => ({
      next: method.step(systemIn(b, separable.field, { a: v.a! }), { t0: v.t0!, t1: v.t1!, h: v.h! }, [
        v.y!,
      ])[0],
    }));
    const q1 = q + h * (a * p + p ** 2 - Math.cos(t0) ** 2);
    const p1 = p + h * (Math.sin(t0) ** 2 - a * q1 - q1 ** 2);
    // a few roundings of numbers of size 1
    expect(distance(next!, [q1, p1])).to.be.below(1e-15);
  });

  it("is undone to rounding on a separable system", async () => {
    expect(await lostByUndoing(runtime, method, separable)).to.be.below(1e-14);
  });

  it("has the same gradient by reconstruction, by stored steps and by differences on a separable system", () =>
    expectGradients(runtime, method, separable));

  it("refuses a reversible gradient on a system that is not separable, which its steps do not undo", async () => {
    const error = await failure(gradientsOf(runtime, method, turning), ReconstructionError);
    // wrong by O(h), with h = 0.05
    expect(error.message).to.match(/lost within a single step of "semi-implicit-euler": .* error of 0\.0\d+/);
    const { direct, differences } = await gradientsOf(runtime, method, turning, ["direct"]);
    expect(distance(direct, differences)).to.be.below(1e-8);
  });

  it("takes two evaluations forwards and two backwards", () => {
    expect(countEvaluations(method)).to.deep.equal({
      step: method.evaluations,
      back: method.backEvaluations,
    });
  });

  it("refuses a state that has no halves", () => {
    const b = new Builder();
    const start = () =>
      method.start(systemIn(b, decay, {}), b.input("t", "float64", []), b.input("y", "float64", [1, 3]));
    expect(start).to.throw(ShapeError, "float64[1, 3]");
  });
});
