import { readFileSync } from "node:fs";
import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { anderson } from "../../src/equilibrium/anderson.js";
import { broyden } from "../../src/equilibrium/broyden.js";
import { implicitGradient, phantomGradient } from "../../src/equilibrium/gradient.js";
import { activations, affineCell, apart, found } from "./cells.js";

interface Run {
  readonly evaluations: number;
  readonly z?: readonly number[];
}
interface Peers {
  readonly dim: number;
  readonly tolerance: number;
  readonly cells: readonly {
    readonly about: string;
    readonly activation: string;
    readonly W: readonly number[];
    readonly x: readonly number[];
    readonly torchdeq: Readonly<Record<"anderson" | "anderson, lam 1e-12" | "broyden", Run>>;
    readonly scipy: Readonly<Record<"anderson" | "broyden1", Run>>;
  }[];
  readonly gradients: Readonly<
    Record<"implicit" | "phantom", { readonly W: readonly number[]; readonly x: readonly number[] }>
  >;
}

const { dim, tolerance, cells, gradients } = JSON.parse(
  readFileSync(new URL("peers.json", import.meta.url), "utf8"),
) as Peers;
const inputs = ({ W, x }: Pick<Peers["cells"][number], "W" | "x">) => ({
  W: tensor("float64", [dim, dim], W),
  x: tensor("float64", [1, dim], x),
  z0: tensor("float64", [1, dim], new Float64Array(dim)),
});
// torchdeq's: ‖z − f‖ / (‖f‖ + 1e−9) < tolerance
const stop = { rtol: tolerance, atol: 1e-9 * tolerance, maxSteps: 200 };

describe("solvers beside those of torchdeq and SciPy", () => {
  for (const cell of cells) {
    const f = affineCell(activations[cell.activation]);
    // five differences are six iterates, as torchdeq counts them; one evaluation comes before the first step
    for (const [name, solver, others] of [
      ["anderson", anderson({ memory: 5 }), ["anderson", "anderson, lam 1e-12"]],
      ["broyden", broyden(), ["broyden"]],
    ] as const) {
      it(`takes no more evaluations than torchdeq: ${name}, ${cell.about}`, async () => {
        const { steps, converged } = await found(f, inputs(cell), { solver, stop });
        expect(converged).to.deep.equal([1]);
        for (const other of others)
          expect(steps[0]! + 1, other).to.be.at.most(cell.torchdeq[other].evaluations);
      });
    }

    it(`finds what SciPy finds: ${cell.about}`, async () => {
      for (const solver of [anderson(), broyden()]) {
        const { z } = await found(f, inputs(cell), { solver, stop: { atol: 1e-12, maxSteps: 400 } });
        // both stop at a residual of 1e-12, and (I − J)⁻¹ is at most 20 here
        for (const { z: other } of Object.values(cell.scipy)) expect(apart(z, other!)).to.be.below(5e-11);
      }
    });
  }

  for (const [name, gradient] of [
    ["implicit", implicitGradient({ stop: { rtol: 1e-14, maxSteps: 100 } })],
    ["phantom", phantomGradient({ steps: 5, relaxation: 0.5 })],
  ] as const) {
    it(`has torchdeq's ${name} gradient`, async () => {
      const given = { ...inputs(cells[0]!), z0: tensor("float64", [1, dim], new Float64Array(dim)) };
      const options = { solver: broyden(), stop: { rtol: 1e-14, maxSteps: 100 }, gradient };
      const { gradients: own } = await found(affineCell(), given, options);
      // torchdeq's phantom gradient is that of z after the steps, which differs by rounding at a fixed point
      for (const key of ["W", "x"] as const)
        expect(apart(own[key]!, gradients[name][key]), key).to.be.below(1e-12);
    });
  }
});
