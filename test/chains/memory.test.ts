import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import type { AdjointSpec } from "../../src/chains/adjoints.js";
import type { Chain } from "../../src/chains/chain.js";
import { runChain } from "../../src/chains/run-chain.js";
import { tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { endOfSequence, lstmCell } from "../../src/nn.js";
import { add, mul, sub } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { zeros } from "../../src/ops/linalg.js";
import { sin } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { runGraph } from "../support/evaluate.js";

const { Memory } = WebAssembly;

/** The largest memory that the compiled runtime asks for while something runs, in bytes. */
async function memoryOf(run: () => Promise<unknown>): Promise<number> {
  let most = 0;
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      most = Math.max(most, descriptor.initial * 65536);
    }
  };
  try {
    await run();
  } finally {
    WebAssembly.Memory = Memory;
  }
  return most;
}

/** y ← y + 0.01 sin z,  z ← z + 0.01 sin y */
const halves: Chain<readonly [Value, Value]> = {
  name: "halves",
  step: (b, _, [y, z]) => {
    const next = add(b, y, mul(b, sin(b, z), 0.01));
    return [next, add(b, z, mul(b, sin(b, next), 0.01))];
  },
  undo: (b, _, [y, z]) => {
    const before = sub(b, z, mul(b, sin(b, y), 0.01));
    return [sub(b, y, mul(b, sin(b, before), 0.01)), before];
  },
};

const width = 8192;

/** The memory of one gradient of the sum of a state at the end, in states: of two arrays of so many float64 numbers. */
async function statesOf(adjoint: AdjointSpec, steps: number): Promise<number> {
  const b = new Builder();
  const y = b.input("y", "float64", [width]);
  const { end } = runChain(b, halves, { start: [y, y], shared: null, rows: null, steps }, { adjoint });
  const [dy] = pullback(b, [reduceSum(b, end[0])], [b.scalar("float64", 1)], [y]);
  const graph = withoutRegions(b.graph({ dy: dy! }));
  const given = { y: tensor("float64", [width], new Float64Array(width).fill(0.5)) };
  return (await memoryOf(() => runGraph(jit(), graph, given))) / (2 * 8 * width);
}

describe("memory of the gradient of a chain", () => {
  it("is that of what its adjoint stores: all of 200 states, 8 of them, or none", async () => {
    const few = await statesOf("reversible", 2);
    const [none, some, all] = [
      await statesOf("reversible", 200),
      await statesOf("checkpoint:8", 200),
      await statesOf("direct", 200),
    ];
    expect(none).to.equal(few);
    // 8 in slots; those of the stretch that is gone through, and these with the last of them, in room for 16 each
    expect(some - none).to.be.within(8, 48);
    expect(all - none).to.be.within(194, 206);
  });

  it("is that of a few states of a recurrent network, by checkpoints, whatever the length of the sequence", async () => {
    const cell = lstmCell(1, 64);
    const memoryAt = (adjoint: AdjointSpec, times: number) => {
      const b = new Builder();
      const theta = Object.fromEntries(
        Object.entries(cell.parameters).map(([name, { shape }]) => [name, zeros(b, "float64", shape)]),
      );
      const h = b.input("h", "float64", [64, 64]);
      const xs = zeros(b, "float64", [64, times, 1]);
      const [end] = endOfSequence(b, cell, theta, xs, [h, h], { adjoint });
      const [dh] = pullback(b, [reduceSum(b, end)], [b.scalar("float64", 1)], [h]);
      const given = { h: tensor("float64", [64, 64], new Float64Array(64 * 64)) };
      const graph = withoutRegions(b.graph({ dh: dh! }));
      return memoryOf(() => runGraph(jit(), graph, given));
    };
    const state = 2 * 8 * 64 * 64;
    const grown = async (adjoint: AdjointSpec) =>
      ((await memoryAt(adjoint, 120)) - (await memoryAt(adjoint, 40))) / state;
    expect(await grown("direct")).to.be.within(79, 82);
    // the number of slots stays, and so does the room of a stretch; the sequence itself is in it a few times
    expect(await grown("checkpoint:4")).to.be.below(5);
  });
});
