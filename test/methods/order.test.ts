import { expect } from "chai";
import { alf } from "../../src/methods/alf.js";
import { effectivelySymmetric } from "../../src/methods/effectively-symmetric.js";
import { explicit } from "../../src/methods/explicit.js";
import { leapfrogMidpoint } from "../../src/methods/leapfrog-midpoint.js";
import type { Method } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { reversibleHeun } from "../../src/methods/reversible-heun.js";
import { semiImplicitEuler } from "../../src/methods/semi-implicit-euler.js";
import { dopri8, symmetricTableaux, tableaux } from "../../src/methods/tableaux.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { measuredOrder, type Problem, separable, turning } from "./problems.js";

describe("order of convergence", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  const has = (what: string, method: Method, problem: Problem) =>
    it(`${what} has order ${method.order}`, async () => {
      expect(await measuredOrder(runtime, method, problem)).to.be.closeTo(method.order, 0.15);
    });

  for (const tableau of tableaux) {
    // an order of 8 shows in few steps or not at all; on `separable` that is before the leading term dominates
    const problem = tableau.name === dopri8.name ? turning : separable;
    has(tableau.name, explicit(tableau), problem);
    // with λ near 1 the distance of y and z takes 1 / (1 − λ) steps to settle, and the order shows only thereafter
    has(`${tableau.name}, coupled,`, reversible(tableau, { coupling: 0.5 }), problem);
  }

  for (const tableau of symmetricTableaux) {
    has(tableau.name, effectivelySymmetric(tableau), separable);
    has(`${tableau.name}, coupled,`, reversible(tableau, { coupling: 0.5 }), separable);
  }
  has("ALF", alf(), separable);
  has("damped ALF", alf({ damping: 0.8 }), separable);
  has("reversible Heun", reversibleHeun(), separable);
  has("leapfrog/midpoint", leapfrogMidpoint(), separable);
  has("semi-implicit Euler", semiImplicitEuler(), separable);
});
