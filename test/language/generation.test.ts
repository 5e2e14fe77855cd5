import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import type { Tensors } from "../../src/fields/field.js";
import { configurations, type LanguageKind, languageKinds } from "../../src/language/configuration.js";
import { type Generator, generator } from "../../src/language/generation.js";
import { languageModel } from "../../src/language/language-model.js";
import { TextError } from "../../src/language/text.js";
import { fit as trained } from "../../src/models/fit.js";
import { predict } from "../../src/models/measuring.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { failure } from "../support/failure.js";

const length = 8;
const configuration = {
  ...configurations.tiny,
  ...{ vocabulary: 13, length, width: 8, heads: 2, hidden: [12], layers: 2 },
  // no tolerance: generation takes all steps
  equilibrium: { relaxation: 0.5, steps: 3, tolerance: 0 },
};
const tokens = [3, 1, 4, 1, 5, 9, 2, 6];

async function parametersOf(kind: LanguageKind): Promise<Tensors> {
  const window = tensor("int64", [1, length], tokens);
  const options = { runtime: jit(), steps: 0, dtype: "float64", seed: 3 } as const;
  return (await trained(languageModel(kind, configuration).task, { tokens: window, next: window }, options))
    .parameters;
}

async function drawn(own: Generator, options: Parameters<Generator["generate"]>[1], given = [3, 1]) {
  const found: number[] = [];
  for await (const token of own.generate(given, options)) found.push(token);
  return found;
}

for (const kind of languageKinds) {
  describe(`generation by a ${kind}`, () => {
    let parameters: Tensors;
    const language = languageModel(kind, configuration);
    const made: Generator[] = [];
    const on = async (runtime: Runtime, vocabulary?: number) => {
      const options = { runtime, parameters, dtype: "float64" as const };
      made.push(await generator(language, vocabulary === undefined ? options : { ...options, vocabulary }));
      return made.at(-1)!;
    };
    before(async () => {
      parameters = await parametersOf(kind);
    });
    after(async () => {
      for (const one of made) await one.release();
    });

    it("says token by token, with keys and values kept, what a whole window says", async () => {
      const window = { tokens: tensor("int64", [1, length], tokens) };
      for (const runtime of [jit(), await ortNode()]) {
        const whole = await predict(language.model, window, { runtime, parameters });
        const one = await (await on(runtime)).logits(tokens);
        // sums in another order, in float64
        expect(distance(one.flat(), numbers(whole.logits!)), runtime.name).to.be.below(1e-12);
      }
    });

    it("goes on as a window of all that came before would, token by token", async () => {
      const own = await on(jit());
      const found = [
        ...tokens.slice(0, 3),
        ...(await drawn(own, { tokens: 5, temperature: 0 }, tokens.slice(0, 3))),
      ];
      const { logits } = await predict(
        language.model,
        { tokens: tensor("int64", [1, length], found) },
        { runtime: jit(), parameters },
      );
      const rows = numbers(logits!);
      for (let place = 2; place + 1 < length; place++) {
        const row = rows.slice(13 * place, 13 * (place + 1));
        expect(row.indexOf(Math.max(...row)), `place ${place}`).to.equal(found[place + 1]);
      }
    });

    it("draws the same from the same seed, and other tokens from another", async () => {
      const own = await on(jit());
      const options = { tokens: 20, temperature: 0.9, topK: 8, topP: 0.95 };
      const first = await drawn(own, { ...options, seed: 1 });
      expect(await drawn(own, { ...options, seed: 1 })).to.deep.equal(first);
      expect(await drawn(own, { ...options, seed: 2 })).not.to.deep.equal(first);
      expect(first.length).to.equal(20);
    });

    it("begins a window anew with the second half of one that is full", async () => {
      const own = await on(jit());
      const found = [...tokens, ...(await drawn(own, { tokens: 2, temperature: 0 }, tokens))];
      // the window is full: the ninth token follows all eight, the tenth the last four
      const logits = await own.logits(found.slice(5, 9));
      const last = logits.at(-1)!;
      expect(found[9]).to.equal(last.indexOf(Math.max(...last)));
    });

    it("draws no token beyond those of the tokenizer, and needs a beginning", async () => {
      const own = await on(jit(), 2);
      const found = await drawn(own, { tokens: 30, temperature: 3 });
      expect(Math.max(...found)).to.be.below(2);
      const error = await failure(drawn(own, { tokens: 1 }, []), TextError);
      expect(error.message).to.match(/nothing to go on from/);
    });
  });
}
