import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import type { AdjointSpec } from "../../src/chains/adjoints.js";
import { tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { neuralSde } from "../../src/integrate/neural-sde.js";
import { sdeSolve } from "../../src/models/sde-solve.js";
import { mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { sin } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { defineSde } from "../../src/systems/sde.js";
import { runGraph } from "../support/evaluate.js";

const { Memory } = WebAssembly;
const paths = 4096;

const sde = defineSde({
  ...{ name: "swinging", dim: 2, calculus: "stratonovich", noise: "diagonal" },
  drift: (b, _theta, _t, y) => sin(b, y),
  diffusion: (b, _theta, _t, y) => mul(b, y, 0.1),
});

/** The largest memory that one gradient of a solve asks for, in states of all paths. */
async function statesOf(gradient: AdjointSpec, steps: number): Promise<number> {
  const b = new Builder();
  const y0 = b.input("y0", "float64", [paths, 2]);
  const equation = neuralSde({ sde, stepSize: 1 / steps });
  const ys = sdeSolve(b, equation, { theta: {}, y0, t0: 0, times: [1], key: b.scalar("int64", 1), gradient });
  const [dy] = pullback(b, [reduceSum(b, ys)], [b.scalar("float64", 1)], [y0]);
  const given = { y0: tensor("float64", [paths, 2], new Float64Array(2 * paths).fill(0.5)) };
  let most = 0;
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      most = Math.max(most, descriptor.initial * 65536);
    }
  };
  try {
    await runGraph(jit(), withoutRegions(b.graph({ dy: dy! })), given);
  } finally {
    WebAssembly.Memory = Memory;
  }
  return most / (8 * 2 * paths);
}

describe("memory of the gradient of a stochastic solve", () => {
  it("holds neither states nor noise of the steps, where these are undone", async () => {
    const few = await statesOf("reversible", 2);
    const many = await statesOf("reversible", 100);
    const stored = await statesOf("direct", 100);
    // memory comes in pages, each of the size of a state; times of 100 steps take less than one
    expect(many - few, "reversible").to.be.within(0, 1);
    // a state of reversible Heun is y and ŷ
    expect(stored - many, "direct").to.be.within(150, 260);
  });
});
