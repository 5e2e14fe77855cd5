import { expect } from "chai";
import { adamw, jit, fit as trained } from "revort";
import {
  byteTokenizer,
  configurations,
  generator,
  languageModel,
  sampleEntropy,
  sampleText,
  shuffledWindows,
  tokenize,
  windowsOf,
} from "revort/language";

describe("revort/language", () => {
  it("trains a model on a text, and goes on with one, by public names alone", async () => {
    async function* text() {
      yield sampleText(300);
    }
    const tokenizer = byteTokenizer();
    const { tokens, words, bytes } = await tokenize(tokenizer, [text()]);
    const windows = windowsOf("The text", { tokens, words, bytes }, 16);
    const language = languageModel("transformer", {
      ...configurations.tiny,
      ...{ length: 16, width: 16, heads: 2, hidden: [32] },
    });
    const runtime = jit();
    const { parameters, losses } = await trained(language.task, shuffledWindows(windows, 8, 0), {
      ...{ runtime, steps: 60, batchSize: 8, dtype: "float32", optimiser: adamw({ learningRate: 1e-2 }) },
    });
    // at first as if all ids were as likely, ln 257 = 5.5; the letters of English alone have some 3
    expect(losses[0]).to.be.within(5, 6.5);
    expect(losses.at(-1)).to.be.below(3);
    // no model can be better than the text's own entropy
    expect(losses.at(-1)).to.be.above((sampleEntropy() * 300) / bytes);
    const own = await generator(language, { runtime, parameters });
    const drawn: number[] = [];
    for await (const token of own.generate(tokenizer.encode("The "), { tokens: 20, seed: 1 }))
      drawn.push(token);
    expect(drawn).to.have.length(20);
    await own.release();
  });
});
