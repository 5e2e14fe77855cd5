import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import type { Tensors } from "../../src/fields/field.js";
import { causal } from "../../src/language/attention.js";
import { cells } from "../../src/language/cell.js";
import type { CellName } from "../../src/language/configuration.js";
import { reshape } from "../../src/ops/reshape.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { tensorDistance, tensorsDistance } from "../support/distance.js";
import { evaluate } from "../support/evaluate.js";
import { asTensor, asTensors, sizes, stored } from "./pytorch.js";

describe("cells of language models", () => {
  for (const name of Object.keys(cells) as CellName[]) {
    it(`${name}: outputs and gradients are those of PyTorch`, async () => {
      const { hidden, parameters, z, x, weights, output, gradients } = stored.cells[name];
      const cell = cells[name]({ ...sizes, hidden });
      expect(Object.keys(cell.parameters).sort()).to.deep.equal(Object.keys(parameters).sort());
      const given = { ...asTensors(parameters), z: asTensor(z), x: asTensor(x), weights: asTensor(weights) };
      for (const runtime of [jit(), await ortNode()]) {
        const found = await evaluate(runtime, given, (b, values) => {
          const rows = (value: typeof values.z) => reshape(b, value!, [-1, sizes.width]);
          const y = cell.apply(b, values, rows(values.z), rows(values.x), {
            ...{ length: sizes.length, attend: causal, drop: (_, value) => value },
          });
          const whole = reshape(b, y, z.shape);
          const names = Object.keys(gradients);
          const pulled = pullback(
            b,
            [whole],
            [values.weights!],
            names.map((own) => values[own]!),
          );
          return { output: whole, ...Object.fromEntries(names.map((own, i) => [`d/${own}`, pulled[i]!])) };
        });
        // numbers of order one, in float64; ONNX Runtime has no other LayerNormalization than its own
        expect(tensorDistance(found.output!, asTensor(output)), runtime.name).to.be.below(1e-12);
        const pulled = Object.fromEntries(
          Object.keys(gradients).map((own) => [own, (found as Tensors)[`d/${own}`]!]),
        );
        // all as one vector: that of a bias of keys is 0, since softmax does not see it
        expect(tensorsDistance(pulled, asTensors(gradients)), runtime.name).to.be.below(1e-12);
      }
    });
  }

  it("see themselves and what comes before alone", async () => {
    for (const name of Object.keys(cells) as CellName[]) {
      const { hidden, parameters, z, x } = stored.cells[name];
      const cell = cells[name]({ ...sizes, hidden });
      const output = async (change: number) => {
        const moved = x.data.map((value, i) => (i === x.data.length - 1 ? value + change : value));
        const given = {
          ...asTensors(parameters),
          z: asTensor(z),
          x: asTensor({ shape: x.shape, data: moved }),
        };
        const { y } = await evaluate(jit(), given, (b, values) => ({
          y: cell.apply(
            b,
            values,
            reshape(b, values.z!, [-1, sizes.width]),
            reshape(b, values.x!, [-1, sizes.width]),
            { length: sizes.length, attend: causal, drop: (_, value) => value },
          ),
        }));
        return [...(y.data as Float64Array)];
      };
      const [before, after] = await Promise.all([output(0), output(1)]);
      const all = before!.length - sizes.width;
      expect(after!.slice(0, all), name).to.deep.equal(before!.slice(0, all));
      expect(after!.slice(all), name).not.to.deep.equal(before!.slice(all));
    }
  });
});
