import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, sizeOf, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { type Cell, gruCell, lstmCell, overSequence } from "../../src/nn/recurrent.js";
import { concat, gru, lstm, split, transpose, unsqueeze, zeros } from "../../src/ops.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { evaluate } from "../support/evaluate.js";

const [times, batch, inputs, hidden] = [4, 2, 3, 2];
/** the same sums in another order */
const tolerance = 1e-14;

/** Where ONNX has PyTorch's gates. */
const orders = { gru: [1, 0, 2], lstm: [0, 3, 1, 2] } as const;

describe("recurrent operators", () => {
  for (const [name, cell] of [
    ["gru", gruCell(inputs, hidden)],
    ["lstm", lstmCell(inputs, hidden)],
  ] as const) {
    it(`${name} is its cell, walked along the sequence, with the gates in ONNX's order`, async () => {
      const random = Random.seeded(4);
      const b = new Builder();
      const feeds: Record<string, Tensor> = {};
      const input = (of: string, shape: readonly number[]) => {
        const data = Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1));
        feeds[of] = tensor("float64", shape, data);
        return b.input(of, "float64", shape);
      };
      const order = orders[name];
      const theta = {
        weight_ih: input("weight_ih", [order.length * hidden, inputs]),
        weight_hh: input("weight_hh", [order.length * hidden, hidden]),
        bias_ih: input("bias_ih", [order.length * hidden]),
        bias_hh: input("bias_hh", [order.length * hidden]),
      };
      const x = input("x", [times, batch, inputs]);
      const arranged = (value: Value) => {
        const gates = split(b, value, 0, new Array(order.length).fill(hidden));
        return concat(
          b,
          order.map((gate) => gates[gate]!),
          0,
        );
      };
      const leading = (value: Value) => unsqueeze(b, value, [0]);
      const weights = {
        w: leading(arranged(theta.weight_ih)),
        r: leading(arranged(theta.weight_hh)),
        bias: leading(concat(b, [arranged(theta.bias_ih), arranged(theta.bias_hh)], 0)),
      };
      const start = cell.widths.map((width) => zeros(b, "float64", [batch, width]));
      const walked = overSequence(b, cell as unknown as Cell, theta, transpose(b, x, [1, 0, 2]), start);
      const { all, h } = name === "gru" ? gru(b, x, weights) : lstm(b, x, weights);
      const runtime = jit();
      const executable = await runtime.compile(
        b.graph({ all, h, walked: transpose(b, walked.outputs, [1, 0, 2]), end: walked.end[0]! }),
      );
      const results = await executable.run(
        Object.fromEntries(Object.entries(feeds).map(([of, value]) => [of, runtime.upload(value)])),
      );
      const read = async (of: string) => numbers(await runtime.download(results[of]!));
      for (const [ours, right] of [
        ["all", "walked"],
        ["h", "end"],
      ] as const) {
        const expected = await read(right);
        (await read(ours)).forEach((value, i) => {
          expect(value, `${ours}, element ${i}`).to.be.closeTo(expected[i]!, tolerance);
        });
      }
    });
  }

  it("end a sequence without elements at 0, whatever it starts with, as ONNX Runtime does", async () => {
    const random = Random.seeded(5);
    const drawn = (...shape: number[]) =>
      tensor(
        "float32",
        shape,
        Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1)),
      );
    const given = {
      ...{ x: drawn(times, batch, inputs), w: drawn(1, 3 * hidden, inputs), r: drawn(1, 3 * hidden, hidden) },
      ...{ h: drawn(1, batch, hidden), lengths: tensor("int32", [batch], [times, 0]) },
    };
    const [own, theirs] = await Promise.all(
      [jit(), await ortNode()].map((runtime) =>
        evaluate(runtime, given, (b, { x, w, r, h, lengths }) => {
          const found = gru(b, x!, { w: w!, r: r! }, { h: h!, lengths: lengths! });
          return { all: found.all, end: found.h };
        }),
      ),
    );
    expect(numbers(own!.end).slice(hidden)).to.deep.equal([0, 0]);
    // a few roundings of float32
    for (const name of ["all", "end"] as const)
      numbers(own![name]).forEach((value, i) => {
        expect(value, `${name} ${i}`).to.be.closeTo(numbers(theirs![name])[i]!, 1e-6);
      });
  });
});
