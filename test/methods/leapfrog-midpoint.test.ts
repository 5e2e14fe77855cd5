import { expect } from "chai";
import { leapfrogMidpoint } from "../../src/methods/leapfrog-midpoint.js";
import { systemIn } from "../../src/programs/inputs.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import {
  countEvaluations,
  decayed,
  evaluate,
  expectGradients,
  lostByUndoing,
  separable,
  turning,
} from "./problems.js";

describe("the leapfrog/midpoint method", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });
  const method = leapfrogMidpoint();

  it("is y(n+1) = y(n−1) + 2 h f(tₙ, yₙ) after a step of Euler's method", async () => {
    const h = 0.25;
    const y0 = [0.3, -0.7];
    const given = { t0: 0, t1: h, t2: 2 * h, t3: 3 * h, h, a: 1.1, y0 };
    const { y1, y2, y3, f0, f1, f2 } = (await evaluate(runtime, given, (b, v) => {
      const system = systemIn(b, separable.field, { a: v.a! });
      const times = [v.t0!, v.t1!, v.t2!, v.t3!];
      const states = [method.start(system, v.t0!, v.y0!)];
      for (let n = 0; n < 3; n++) {
        states.push(method.step(system, { t0: times[n]!, t1: times[n + 1]!, h: v.h! }, states[n]!));
      }
      return Object.fromEntries(
        [1, 2, 3].flatMap((n) => [
          [`y${n}`, states[n]![0]],
          [`f${n - 1}`, system.f(times[n - 1]!, states[n - 1]![0])],
        ]),
      );
    })) as Record<string, [number, number]>;
    for (const i of [0, 1]) {
      // a few roundings of numbers of size 1
      expect(y1![i]!).to.be.closeTo(y0[i]! + h * f0![i]!, 1e-15);
      expect(y2![i]!).to.be.closeTo(y0[i]! + 2 * h * f1![i]!, 1e-15);
      expect(y3![i]!).to.be.closeTo(y1![i]! + 2 * h * f2![i]!, 1e-15);
    }
  });

  it("is undone to rounding, for steps of different sizes too", async () => {
    expect(await lostByUndoing(runtime, method, turning)).to.be.below(1e-14);
  });

  it("has the same gradient by reconstruction, by stored steps and by differences", () =>
    expectGradients(runtime, method, turning));

  it("takes one evaluation forwards and one backwards", () => {
    expect(countEvaluations(method)).to.deep.equal({
      step: method.evaluations,
      back: method.backEvaluations,
    });
  });

  it("blows up on a decaying problem (known failure)", async () => {
    expect(Math.abs(await decayed(runtime, method))).to.be.above(100);
  });
});
