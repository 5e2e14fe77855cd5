import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import type { Chain } from "../../src/chains/chain.js";
import { runChain } from "../../src/chains/run-chain.js";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { type Graph, nodesOf, subgraphsOf, type Value } from "../../src/graph/graph.js";
import { mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { conv } from "../../src/ops/convolution.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { runGraph } from "../support/evaluate.js";

/** y ← tanh(w ∗ tanh(v ∗ y)): as many multiplications to a number as there are channels, times 9. */
const layers: Chain<Value, { readonly w: Value; readonly v: Value }> = {
  name: "layers",
  step: (b, { shared: { w, v } }, y) =>
    tanh(b, conv(b, tanh(b, conv(b, y, v, null, { pads })), w, null, { pads })),
};
const pads = [1, 1, 1, 1];

interface Setting {
  readonly batch?: number | string;
  readonly size?: number;
  /** only the loss, or the gradient of Σ dy² as well */
  readonly order?: 0 | 1 | 2;
}

/** The gradient of Σ y² at the end by stored steps. */
function gradientGraph(
  channels: number,
  steps: number,
  { batch = 2, size = 2, order = 1 }: Setting = {},
): Graph {
  const b = new Builder();
  const y = b.input("y", "float64", [batch, channels, size, size]);
  const [w, v] = ["w", "v"].map((name) => b.input(name, "float64", [channels, channels, 3, 3])) as [
    Value,
    Value,
  ];
  const inputs = { start: y, shared: { w, v }, rows: null, steps };
  const { end } = runChain(b, layers, inputs, { adjoint: "direct" });
  const loss = reduceSum(b, mul(b, end, end));
  if (order === 0) return withoutRegions(b.graph({ loss }));
  const one = b.scalar("float64", 1);
  const [dy, dw, dv] = pullback(b, [loss], [one], [y, w, v]) as [Value, Value, Value];
  if (order === 1) return withoutRegions(b.graph({ loss, dy, dw, dv }));
  const square = reduceSum(b, mul(b, dy, dy));
  const [ddw] = pullback(b, [square], [one], [w]);
  return withoutRegions(b.graph({ loss: square, dw: ddw! }));
}

/** How many convolutions of the step itself each loop has: those whose filters look at three places of an axis. */
function convolutionsByLoop(graph: Graph): number[] {
  const own = nodesOf(graph).filter(({ op, inputs }) => op.type === "Conv" && inputs[1]!.shape.at(-1) === 3);
  const inside = nodesOf(graph).flatMap(({ attributes }) =>
    subgraphsOf(attributes).flatMap(convolutionsByLoop),
  );
  return [...(own.length > 0 ? [own.length] : []), ...inside];
}

describe("stored steps", () => {
  it("keep the results of large products, and compute those of small ones again", () => {
    // 2 on the way there, and on the way back none where 32 channels make 288 multiplications, 2 again where 16 make 144
    expect(convolutionsByLoop(gradientGraph(32, 5))).to.deep.equal([2]);
    expect(convolutionsByLoop(gradientGraph(16, 5))).to.deep.equal([2, 2]);
  });

  it("compute them again where it is not known, or too much, what they would take", () => {
    expect(convolutionsByLoop(gradientGraph(32, 5, { batch: "batch" }))).to.deep.equal([2, 2]);
    // 2 results of 2 · 32 · 64² numbers of 8 bytes in each step, 4 MiB
    expect(convolutionsByLoop(gradientGraph(32, 16, { size: 64 }))).to.deep.equal([2]);
    expect(convolutionsByLoop(gradientGraph(32, 17, { size: 64 }))).to.deep.equal([2, 2]);
  });

  it("keep nothing where nothing is differentiated", () => {
    const [loop] = nodesOf(gradientGraph(32, 5, { order: 0 })).filter(({ op }) => op.type === "Loop");
    expect(loop!.outputs).to.have.length(1);
  });

  const drawn = (random: Random, scale: number, ...shape: number[]) =>
    tensor(
      "float64",
      shape,
      Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => scale * random.normal()),
    );
  for (const [order, names] of [
    [1, ["y", "w", "v"]],
    [2, ["w"]],
  ] as const) {
    it(`have the derivatives of order ${order} that differences show`, async () => {
      const graph = gradientGraph(32, 3, { order });
      const random = Random.seeded(5);
      const at = {
        ...{ y: drawn(random, 1, 2, 32, 2, 2), w: drawn(random, 0.1, 32, 32, 3, 3) },
        v: drawn(random, 0.1, 32, 32, 3, 3),
      };
      const found = await runGraph(jit(), graph, at);
      for (const name of names) {
        const direction = numbers(drawn(random, 1, ...at[name].shape));
        const lossAt = async (by: number) => {
          const moved = numbers(at[name]).map((x, i) => x + by * direction[i]!);
          const given: Record<string, Tensor> = { ...at, [name]: tensor("float64", at[name].shape, moved) };
          return numbers((await runGraph(jit(), graph, given)).loss!)[0]!;
        };
        const slope = ((await lossAt(1e-5)) - (await lossAt(-1e-5))) / 2e-5;
        const expected = numbers(found[`d${name}`]!).reduce((sum, g, i) => sum + g * direction[i]!, 0);
        // differences of the second order are off by h² f‴/6, some 1e-10 times what steps of tanh make of it, and rounding
        expect(slope, name).to.be.closeTo(expected, 1e-5 * Math.abs(expected));
      }
    });
  }
});
