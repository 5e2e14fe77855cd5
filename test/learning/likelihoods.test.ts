import { readFileSync } from "node:fs";
import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import {
  accuracy,
  binaryCrossEntropy,
  categoricalDivergence,
  crossEntropy,
  negativeLogLikelihood,
  normalDivergence,
  normalNegativeLogDensity,
  standardNormalDivergence,
} from "../../src/learning/likelihoods.js";
import { logSoftmax } from "../../src/ops/softmax.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { evaluate, rows } from "../support/evaluate.js";

const pytorch = JSON.parse(readFileSync(new URL("pytorch-learning.json", import.meta.url), "utf8")) as {
  torch: string;
  labels: number[];
  values: Readonly<Record<string, number>>;
} & Readonly<Record<"z" | "other" | "targets" | "mean" | "logVariance", number[]>>;

describe(`losses of probabilities, held against PyTorch ${pytorch.torch}`, () => {
  const of = (name: "z" | "other" | "targets" | "mean" | "logVariance") => rows(pytorch[name], 4);
  const inputs = {
    ...{ z: of("z"), other: of("other"), targets: of("targets"), mean: of("mean") },
    ...{ logVariance: of("logVariance"), labels: tensor("int64", [7], pytorch.labels) },
  };

  for (const name of ["jit", "ort-cpu"]) {
    it(`count right classes, and none where a logit is NaN: ${name}`, async () => {
      const runtime = name === "jit" ? jit() : await ortNode();
      const of = async (...logits: number[]) => {
        const given = { z: tensor("float64", [2, 2], logits), labels: tensor("int64", [2], [0n, 0n]) };
        const { share } = await evaluate(runtime, given, (b, { z, labels }) => ({
          share: accuracy(b, z!, labels!),
        }));
        return numbers(share!)[0];
      };
      expect(await of(1, 0, 0, 1)).to.equal(0.5);
      // classes that are ruled out
      expect(await of(1, -Infinity, 0, -Infinity)).to.equal(1);
      expect(await of(1, 0, Number.NaN, Number.NaN)).to.be.NaN;
    });

    it(`are NaN for labels of no class: ${name}`, async () => {
      const runtime = name === "jit" ? jit() : await ortNode();
      const of = async (...labels: bigint[]) => {
        const given = {
          z: tensor("float64", [2, 3], [1, 0, 2, 0, 1, 3]),
          labels: tensor("int64", [2], labels),
        };
        const { loss } = await evaluate(runtime, given, (b, { z, labels }) => ({
          loss: crossEntropy(b, z!, labels!),
        }));
        return numbers(loss!)[0];
      };
      expect(await of(2n, 0n)).to.be.above(0);
      for (const none of [-1n, -3n, -100n, 3n]) expect(await of(2n, none), String(none)).to.be.NaN;
    });

    it(`have its values on ${name}`, async () => {
      const runtime = name === "jit" ? jit() : await ortNode();
      const found = await evaluate(runtime, inputs, (b, values) => {
        const { z, other, targets, mean, logVariance, labels } = values as Record<
          keyof typeof inputs,
          (typeof values)[string]
        >;
        const p = { mean, logVariance };
        return {
          crossEntropy: crossEntropy(b, z, labels),
          negativeLogLikelihood: negativeLogLikelihood(b, logSoftmax(b, z, -1), labels),
          binaryCrossEntropy: binaryCrossEntropy(b, z, targets),
          categoricalDivergence: categoricalDivergence(b, z, other),
          normalDivergence: normalDivergence(b, p, { mean: other, logVariance: z }),
          standardNormalDivergence: standardNormalDivergence(b, mean, logVariance),
          normalNegativeLogDensity: normalNegativeLogDensity(b, other, mean, logVariance),
        };
      });
      expect(Object.keys(found)).to.have.members(Object.keys(pytorch.values));
      for (const [loss, value] of Object.entries(pytorch.values)) {
        // 28 terms of a few operations each
        expect(numbers(found[loss as keyof typeof found])[0]! / value, loss).to.be.closeTo(1, 1e-13);
      }
    });
  }

  it("binary cross-entropy stays finite where a probability is 0 or 1 to rounding", async () => {
    const { value } = await evaluate(
      jit(),
      { z: rows([800, -800, 800]), p: rows([1, 0, 0]) },
      (b, { z, p }) => ({
        value: binaryCrossEntropy(b, z!, p!),
      }),
    );
    expect(numbers(value)[0]).to.be.closeTo(800 / 3, 1e-10);
  });
});
