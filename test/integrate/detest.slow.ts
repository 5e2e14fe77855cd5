import { expect } from "chai";
import { type PidOptions, pid } from "../../src/control/control.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { SolveError } from "../../src/integrate/failures.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import type { Method } from "../../src/methods/method.js";
import { methodNamed } from "../../src/methods/named.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { type DetestProblem, detest } from "./detest.js";

const fine = { rtol: 1e-8, atol: 1e-10 };
const coarse = { rtol: 1e-6, atol: 1e-8 };

describe("the non-stiff problems of DETEST, from 0 to 20", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  const solved = (method: Method, { field, y0 }: DetestProblem, options: PidOptions, maxSteps = 20_000) =>
    solve(neuralOde({ field, method }), {
      ...{ runtime, y0: tensor("float64", [1, y0.length], y0), t0: 0, t1: 20 },
      ...{ control: pid(options), maxSteps },
    });

  /** The largest error, relative to the largest component or 1. */
  const errorOf = (ys: readonly number[], { y20 }: DetestProblem) =>
    Math.max(...ys.map((y, i) => Math.abs(y - y20[i]!))) / Math.max(1, ...y20.map(Math.abs));

  // what such problems make of local errors of 1e-8 and 1e-6 over thousands of steps (the orbits D most)
  const bounds = (order: number) =>
    order >= 4 ? { bound: 4e-5, options: fine } : { bound: 1e-3, options: coarse };

  for (const name of ["dopri5", "tsit5", "dopri8", "fehlberg45", "cash-karp", "bosh3", "ssprk3"]) {
    it(`are solved by ${name}`, async () => {
      const method = methodNamed(name);
      const { bound, options } = bounds(method.order);
      for (const problem of detest) {
        const { ys } = await solved(method, problem, options);
        expect(errorOf(numbers(ys), problem), problem.name).to.be.below(bound);
      }
    }).timeout(120_000);
  }

  for (const name of ["dopri5", "tsit5", "bosh3"]) {
    it(`are solved by ${name}, coupled with λ = 0.9, without a warning`, async () => {
      const method = methodNamed(name, { coupling: 0.9 });
      const { bound, options } = bounds(method.order);
      for (const problem of detest) {
        const { ys, warnings } = await solved(method, problem, options);
        expect(errorOf(numbers(ys), problem), problem.name).to.be.below(bound);
        expect(warnings, problem.name).to.deep.equal([]);
      }
    }).timeout(120_000);
  }

  // few steps are allowed, so that those that drift come to that limit soon; what is solved must be right
  const others: (readonly [string, Method, PidOptions, bound: number])[] = [
    ["dopri5 with λ = 0.999", methodNamed("dopri5", { coupling: 0.999 }), fine, 4e-5],
    ["the reversible Heun method", methodNamed("reversible-heun"), { rtol: 1e-5, atol: 1e-7 }, 1e-3],
    ["the asynchronous leapfrog", methodNamed("alf"), { rtol: 1e-5, atol: 1e-7 }, 1e-3],
    ["an effectively symmetric method", methodNamed("ees25"), { rtol: 1e-5, atol: 1e-7 }, 1e-3],
    ["the leapfrog/midpoint method", methodNamed("leapfrog-midpoint"), { rtol: 1e-5, atol: 1e-7 }, 1e-3],
  ];
  for (const [name, method, options, bound] of others) {
    it(`are solved by ${name}, or the failure is reported: never a silent wrong answer`, async () => {
      let reported = 0;
      for (const problem of detest) {
        let solution: Awaited<ReturnType<typeof solved>>;
        try {
          solution = await solved(method, problem, options, 1500);
        } catch (error) {
          expect(error).to.be.instanceOf(SolveError);
          reported++;
          continue;
        }
        if (solution.warnings.length > 0) reported++;
        else expect(errorOf(numbers(solution.ys), problem), problem.name).to.be.below(bound);
      }
      expect(reported).to.be.within(1, detest.length - 1);
    }).timeout(120_000);
  }
});
