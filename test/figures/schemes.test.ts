import { expect } from "chai";
import { convergence } from "../../src/figures/convergence.js";
import { memoryOfOne } from "../../src/figures/memory.js";
import { methodOf, reversibleSchemes, type Scheme } from "../../src/figures/schemes.js";
import { jit } from "../../src/runtimes/jit/jit.js";

const schemes = reversibleSchemes({ coupling: 0.99, rates: "-1" });

describe("reversible schemes in figures", () => {
  it("are the coupled one, ALF, reversible Heun, EES25, EES27 and Rex, each of order 2", () => {
    const names = ["midpoint", "alf", "reversible-heun", "ees25", "ees27", "lawson:midpoint:-1"];
    expect(schemes.map((scheme) => methodOf(scheme).name)).to.deep.equal(names);
    for (const scheme of schemes) expect(methodOf(scheme).order, scheme.name).to.equal(2);
  });

  it("show the order that they have, against the exact solution of y' = y/2", async () => {
    const { data } = await convergence.make({ runtime: jit(), coupling: null, progress: () => {} });
    const { series } = data as { series: readonly { name: string; nominal: number; order: number }[] };
    expect(series.map(({ name }) => name)).to.include.members(schemes.map(({ name }) => name));
    // steps of 0.03 to 0.18, where the next term of the error is a tenth of the leading one
    for (const { name, nominal, order } of series) expect(order, name).to.be.closeTo(nominal, 0.1);
  });

  it("store one state, of the arrays that they carry, where backprop stores each state of a solve", async function () {
    this.timeout(60_000);
    const sizes = { T: 1, stepSize: 0.25, samples: 3 };
    const found = async (gradient: "reversible" | "direct", { solver, coupling }: Scheme) => {
      const { storedStates, width } = await memoryOfOne(gradient, { solver, coupling }, sizes);
      return { storedStates, width };
    };
    const [coupled, , , ees25, , rex] = schemes as readonly Scheme[];
    expect(await found("reversible", ees25!)).to.deep.equal({ storedStates: 1, width: 1 });
    expect(await found("reversible", rex!)).to.deep.equal({ storedStates: 1, width: 2 });
    // the start, and after each of four steps
    expect(await found("direct", coupled!)).to.deep.equal({ storedStates: 5, width: 2 });
  });
});
