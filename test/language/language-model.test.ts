import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import { encodeFitSteps } from "../../src/deploy/model-file.js";
import { decode } from "../../src/graph/decode.js";
import {
  ConfigurationError,
  configurations,
  type LanguageConfiguration,
} from "../../src/language/configuration.js";
import { type LanguageModel, languageModel, parameterCount } from "../../src/language/language-model.js";
import { sgd } from "../../src/learning/optimisers.js";
import { fit as trained } from "../../src/models/fit.js";
import { evaluate, predict } from "../../src/models/measuring.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { tensorDistance, tensorsDistance } from "../support/distance.js";
import { asTensor, asTensors, sizes, stored } from "./pytorch.js";

const small = {
  ...sizes,
  ...{ hidden: [6], layers: 2, tied: false, finalNorm: "applied", dropout: 0 },
  equilibrium: { relaxation: 0.5, steps: 3, tolerance: 0 },
} satisfies Partial<LanguageConfiguration>;

const models = {
  transformer: () => languageModel("transformer", { ...small, cell: "block" }),
  revdeq: () => languageModel("revdeq", { ...small, cell: "talk" }),
} as const;

/** The gradient of the loss, out of one update by plain gradient descent. */
async function gradientOf({ task }: LanguageModel, data: Parameters<typeof trained>[1], parameters: never) {
  const { losses, ...after } = await trained(task, data, {
    ...{ runtime: jit(), steps: 1, batchSize: sizes.batch, optimiser: sgd({ learningRate: 1 }), parameters },
  });
  const before = parameters as Record<string, ReturnType<typeof tensor>>;
  const gradient = Object.fromEntries(
    Object.entries(after.parameters).map(([name, value]) => {
      const [x, y] = [numbers(before[name]!), numbers(value)];
      return [
        name,
        tensor(
          "float64",
          value.shape,
          y.map((one, i) => x[i]! - one),
        ),
      ];
    }),
  );
  return { loss: losses[0]!, gradient };
}

describe("language models", () => {
  for (const [name, make] of Object.entries(models)) {
    it(`${name}: logits, loss and gradient are those of PyTorch`, async () => {
      const {
        parameters: given,
        tokens,
        next,
        logits,
        loss,
        gradients,
      } = stored.models[name as keyof typeof models];
      const language = make();
      const parameters = asTensors(given);
      expect(Object.keys(language.model.parameters).sort()).to.deep.equal(Object.keys(parameters).sort());
      const shape = [sizes.batch, sizes.length];
      const data = { tokens: tensor("int64", shape, tokens), next: tensor("int64", shape, next) };
      for (const runtime of [jit(), await ortNode()]) {
        const found = await predict(language.model, { tokens: data.tokens }, { runtime, parameters });
        // numbers of order one, in float64, from parameters of 15 digits
        expect(tensorDistance(found.logits!, asTensor(logits)), runtime.name).to.be.below(1e-11);
        const measured = await evaluate(language.task, data, { runtime, parameters });
        expect(measured.loss).to.be.closeTo(loss, 1e-12);
      }
      const own = await gradientOf(language, data, parameters as never);
      expect(own.loss).to.be.closeTo(loss, 1e-12);
      expect(tensorsDistance(own.gradient, asTensors(gradients))).to.be.below(1e-11);
    });
  }

  it("share the weights of the token embedding with a head that is tied to it", () => {
    const tied = languageModel("transformer", { ...small, cell: "block", tied: true });
    expect(Object.keys(tied.model.parameters)).not.to.include("head.weight");
    const own = parameterCount(languageModel("transformer", { ...small, cell: "block" }));
    expect(own - parameterCount(tied)).to.equal(sizes.vocabulary * sizes.width);
  });

  it("are refused where their sizes do not fit, saying which", () => {
    for (const [wrong, message] of [
      [{ heads: 3 }, "A width of 4 cannot be divided among 3 heads."],
      [{ length: 0 }, "The length of a language model must be a whole number, 1 or more, but 0 was given."],
      [{ dropout: 1 }, "The probability of dropout must lie in [0, 1), but 1 was given."],
      [{ hidden: [] }, "The perceptron of a cell needs a hidden layer"],
    ] as const) {
      expect(() => languageModel("transformer", { ...small, cell: "block", ...wrong })).to.throw(
        ConfigurationError,
        message,
      );
    }
  });
});

describe("the published RevDEQ language model", () => {
  const { model, task } = languageModel("revdeq", configurations.paper);
  const { parameters } = model;
  const sizeOf = (name: string) => parameters[name]!.shape.reduce((product, dim) => product * dim, 1);
  const sumOf = (names: readonly string[]) => names.reduce((sum, name) => sum + sizeOf(name), 0);

  it("has as many parameters as published, layer by layer", () => {
    const [d, hidden] = [768, 3072];
    const biased = (inputs: number, outputs: number) => inputs * outputs + outputs;
    const both = (name: string) => [`${name}.weight`, `${name}.bias`];
    const layers: Record<string, readonly [names: readonly string[], count: number]> = {
      "token embedding": [["tokens.weight"], 50304 * d],
      "place embedding": [["places.weight"], 448 * d],
      "queries, keys and values": [
        ["query", "key", "value"].flatMap((name) => both(`body.${name}`)),
        3 * biased(d, d),
      ],
      "the attention's own projections": [
        ["query", "key", "value", "output"].map((name) => `body.${name}_proj.weight`),
        4 * d * d,
      ],
      perceptron: [
        [0, 1, 2].flatMap((i) => both(`body.mlp${i}`)),
        biased(d, hidden) + biased(hidden, hidden) + biased(hidden, d),
      ],
      "norms of the cell": [[...both("body.norm1"), ...both("body.norm2")], 4 * d],
      "the norm that is never used": [both("norm"), 2 * d],
      head: [["head.weight"], d * 50304],
    };
    for (const [layer, [names, count]] of Object.entries(layers)) expect(sumOf(names), layer).to.equal(count);
    const named = Object.values(layers).flatMap(([names]) => names);
    expect(named.sort()).to.deep.equal(Object.keys(parameters).sort());
    expect(sumOf(named)).to.equal(95_909_376);
  });

  it("has a training step as a file, in its whole size: weights go in, and are not drawn here", () => {
    const window = tensor("int64", [1, 448], new Array(448).fill(7));
    const options = { dtype: "float32", batchSize: 1 } as const;
    const bytes = encodeFitSteps(task, { tokens: window, next: window }, options);
    const { graph } = decode(bytes, { source: "steps.onnx" });
    const sizes = graph.inputs.map(({ shape }) => shape!.reduce<number>((p, dim) => p * Number(dim), 1));
    // parameters and AdamW's two memories of them, and little else
    const all = sizes.reduce((sum, size) => sum + size, 0);
    expect(all - 3 * 95_909_376).to.be.within(0, 2000);
  });
});
