import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import { encodePrediction } from "../../src/deploy/model-file.js";
import { decode } from "../../src/graph/decode.js";
import { defineModel } from "../../src/models/model.js";
import { parametersOf, partOf } from "../../src/nn/layer.js";
import { linear } from "../../src/nn/linear.js";
import { mul } from "../../src/ops/arithmetic.js";
import { loop } from "../../src/ops/control.js";
import { bareSession } from "./bare.js";

describe("a file of predictions", () => {
  // an autoencoder, of which the decoder is wanted
  const parts = { encoder: linear(3, 2), decoder: linear(2, 3) };
  const scale = { shape: [], initial: () => [2] };
  const parameters = {
    "encoder.weight": tensor("float64", [2, 3], [1, 2, 3, 4, 5, 6]),
    "encoder.bias": tensor("float64", [2], [7, 8]),
    "decoder.weight": tensor("float64", [3, 2], [1, 0, 0, 1, 1, 1]),
    "decoder.bias": tensor("float64", [3], [0.5, 0, 0]),
    scale: tensor("float64", [], [2]),
  };

  it("holds the parameters that it reads, in loops too, and takes all its data, read or not", async () => {
    const model = defineModel({
      ...{ name: "decoder", parameters: { ...parametersOf(parts).parameters, scale } },
      inputs: { z: { shape: [2] }, unread: { shape: [1] } },
      apply(b, theta, { z }) {
        const decoded = parts.decoder.apply(b, partOf(theta, "decoder"), z);
        const { carried } = loop(b, { trips: 2, carried: [decoded] }, (inner, _i, [x]) => ({
          carried: [mul(inner, x!, theta.scale!)],
        }));
        return { x: carried[0]! };
      },
    });
    const bytes = encodePrediction(model, { parameters });
    const text = Buffer.from(bytes).toString("latin1");
    expect(text).to.include("decoder.weight").and.not.include("encoder.weight");
    expect(decode(bytes, { source: "x" }).graph.inputs.map(({ name }) => name)).to.deep.equal([
      "z",
      "unread",
    ]);
    const given = { z: tensor("float64", [1, 2], [2, 3]), unread: tensor("float64", [1, 1], [0]) };
    const { x } = await (await bareSession(bytes)).run(given);
    expect(numbers(x!)).to.deep.equal([10, 12, 20]);
  });
});
