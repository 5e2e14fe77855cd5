import { expect } from "chai";
import fc from "fast-check";
import { numbers, type Tensor } from "../../src/core/tensor.js";
import { gpt2Tokenizer } from "../../src/language/gpt2-tokenizer.js";
import {
  shuffledWindows,
  splitText,
  TextError,
  tokenize,
  windowsOf,
  wordsIn,
} from "../../src/language/text.js";
import { byteTokenizer } from "../../src/language/tokenizer.js";
import { failure } from "../support/failure.js";
import { itWithShared } from "../support/shared-files.js";

async function* parts(...texts: string[]) {
  yield* texts;
}
const all = ({ tokens }: { tokens: { length: number; read: (from: number, to: number) => Uint32Array } }) => [
  ...tokens.read(0, tokens.length),
];

describe("tokenized text", () => {
  it("has the same ids however a file is cut into parts", async () => {
    const tokenizer = await gpt2Tokenizer();
    const texts = fc.array(fc.constantFrom("The", " ", "\n", "game", "'s", "naïve", "12", "\t", "家"), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(texts, fc.nat(40), async (words, cut) => {
        const text = `${words.join("")}.`;
        const found = await tokenize(tokenizer, [parts(text.slice(0, cut), text.slice(cut))]);
        expect(all(found)).to.deep.equal(tokenizer.encode(text));
        expect(found.words).to.equal(wordsIn(text));
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it("has the end of a text between two of them", async () => {
    const found = await tokenize(byteTokenizer(), [parts("ab"), parts("c")]);
    expect(all(found)).to.deep.equal([97, 98, 256, 99]);
    expect([found.words, found.bytes]).to.deep.equal([2, 3]);
  });

  it("may be longer than a block of ids", async () => {
    const long = "abcdefg ".repeat(70_000);
    const { tokens } = await tokenize(byteTokenizer(), [parts(long)]);
    expect(tokens.length).to.equal(560_000);
    // over the end of the first block, at 262144
    expect(String.fromCharCode(...tokens.read(262_140, 262_150))).to.equal(long.slice(262_140, 262_150));
    expect([...tokens.slice(262_000, 262_500).read(140, 150)]).to.deep.equal([
      ...tokens.read(262_140, 262_150),
    ]);
  });

  it("is refused where there is none", async () => {
    const error = await failure(tokenize(byteTokenizer(), [parts("")]), TextError);
    expect(error.message).to.equal("The text is empty: there is nothing to learn from.");
  });

  it("is split at a token, and its words with it", async () => {
    const text = await tokenize(byteTokenizer(), [parts("a b c d e f g h i j")]);
    const [training, validation] = splitText(text, 0.25);
    expect([...all(training), ...all(validation)]).to.deep.equal(all(text));
    expect(validation.tokens.length).to.equal(5);
    expect(training.words + validation.words).to.equal(10);
    expect(() => splitText(text, 1)).to.throw(TextError, "between 0 and 1, but 1 was given");
  });

  it("has windows that do not overlap, with the token after each of theirs", async () => {
    const text = await tokenize(byteTokenizer(), [parts("abcdefghij")]);
    const windows = windowsOf("The text", text, 3);
    expect(windows.count).to.equal(3);
    const { tokens, next } = windows.samples([2, 0]);
    expect([tokens.shape, next.shape]).to.deep.equal([
      [2, 3],
      [2, 3],
    ]);
    expect(String.fromCharCode(...numbers(tokens))).to.equal("ghiabc");
    expect(String.fromCharCode(...numbers(next))).to.equal("hijbcd");
    expect(() => windowsOf("The text", text, 10)).to.throw(TextError, "has 10 tokens, but a window takes 11");
  });

  it("is taken in a new order each epoch, from any place on as from the start", async () => {
    const text = await tokenize(byteTokenizer(), [parts("abcdefghijklmnopqrstuvwxyz")]);
    const windows = windowsOf("The text", text, 2);
    const firsts = (used: number, batches: number) => {
      const stream = shuffledWindows(windows, 3, 7) as (used: number) => Generator<{ tokens: Tensor }>;
      const taken = stream(used);
      return Array.from({ length: batches }, () =>
        numbers(taken.next().value.tokens).filter((_, i) => i % 2 === 0),
      );
    };
    const eight = firsts(0, 8);
    // 12 windows in 4 batches, each of them once
    for (const epoch of [eight.slice(0, 4), eight.slice(4)]) expect(new Set(epoch.flat()).size).to.equal(12);
    expect(eight.slice(0, 4)).not.to.deep.equal(eight.slice(4));
    for (const done of [1, 4, 6]) expect(firsts(3 * done, 8 - done)).to.deep.equal(eight.slice(done));
    expect(() => shuffledWindows(windows, 13, 7)).to.throw(TextError, "has 12 windows, but a batch takes 13");
  });

  itWithShared(
    "data/wikitext103/wiki.test.tokens",
    "counts the words of WikiText-103 as is usual",
    async (text) => {
      expect(wordsIn(text)).to.equal(245_569);
    },
  );
});
