import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { runChain } from "../../src/chains/run-chain.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { odeSolve } from "../../src/models/ode-solve.js";
import { div, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { loop } from "../../src/ops/control.js";
import { gather } from "../../src/ops/slicing.js";
import { jit } from "../../src/runtimes/jit/jit.js";

/** d(sum of what is built) / dx at ones */
async function gradient(build: (b: Builder, x: Value) => Value): Promise<number[]> {
  const b = new Builder();
  const x = b.input("x", "float64", [1, 2]);
  const [pulled] = pullback(b, [reduceSum(b, build(b, x))], [b.scalar("float64", 1)], [x]);
  const runtime = jit();
  const executable = await runtime.compile(withoutRegions(b.graph({ gradient: pulled! })));
  const found = await executable.run({ x: runtime.upload(tensor("float64", [1, 2], [1, 1])) });
  const values = numbers(await runtime.download(found.gradient!));
  await executable.release();
  return values;
}

describe("states that undoing does not give back", () => {
  it("make a gradient that is not a number, rather than a wrong one, where nobody watches", async () => {
    const along = (off: number) =>
      gradient((b, x) => {
        const chain = {
          name: "halving",
          step: (inner: Builder, _: unknown, y: Value) => mul(inner, y, 0.5),
          undo: (inner: Builder, _: unknown, y: Value) => div(inner, y, 0.5 + off),
        };
        return runChain(b, chain, { start: x, shared: null, rows: null, steps: 4 }, { adjoint: "reversible" })
          .end;
      });
    expect(await along(0)).to.deep.equal([1 / 16, 1 / 16]);
    // relative to the start, 4 · 2 · 1e-9 and 4 · 2 · 1e-5; the limit is 1e-6
    expect(await along(1e-9)).to.deep.equal([1 / 16, 1 / 16]);
    expect(await along(1e-5)).to.deep.equal([Number.NaN, Number.NaN]);
  });

  it("do so within the loop of a model, too, whose solves no training sees", async () => {
    // y' = −a y: undoing a step of a pair magnifies rounding by e^(a h) / λ, which the field alone knows
    const looped = (a: number) =>
      gradient((b, x) => {
        const field: VectorField = {
          ...{ name: "decay", state: ["batch", 2], parameters: {} },
          apply: (_b, _theta, _t, y) => mul(_b, y, -a),
        };
        const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.01 });
        const { carried } = loop(b, { trips: 2, carried: [x] }, (inner, _i, [y]) => {
          const options = { theta: {}, y0: y!, t0: 0, times: [4], gradient: "reversible" } as const;
          return { carried: [gather(inner, odeSolve(inner, ode, options), 0)] };
        });
        return carried[0]!;
      });
    expect((await looped(0.01)).every(Number.isFinite)).to.equal(true);
    expect(await looped(10)).to.deep.equal([Number.NaN, Number.NaN]);
  });
});
