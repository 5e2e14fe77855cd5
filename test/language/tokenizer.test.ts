import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { gpt2Tokenizer } from "../../src/language/gpt2-tokenizer.js";
import { byteTokenizer, type Tokenizer, TokenizerError } from "../../src/language/tokenizer.js";
import { tokenizerFromFile } from "../../src/language/tokenizer-file.js";
import { failure } from "../support/failure.js";

const here = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");
const known = (name: string) => JSON.parse(here(name)) as { text: string; ids: number[] }[];

/** Text of any characters but halves of pairs: letters, what needs two, three and four bytes, and what no font has. */
const anyText = () => {
  const character = fc
    .oneof(fc.nat(0x7f), fc.nat(0x7ff), fc.nat(0xffff), fc.nat(0x10ffff))
    .filter((code) => code < 0xd800 || code > 0xdfff)
    .map((code) => String.fromCodePoint(code));
  return fc.array(character, { maxLength: 100 }).map((characters) => characters.join(""));
};
/** Text as people write it, which has words. */
const words = () =>
  fc.array(fc.constantFrom("The", " game", "'s", "\n", "  ", " naïve", "12", ".", "家", "😀"), {
    maxLength: 60,
  });

const tokenizers: Readonly<Record<string, () => Promise<Tokenizer>>> = {
  bytes: async () => byteTokenizer(),
  gpt2: gpt2Tokenizer,
  "a tokenizer.json": () => tokenizerFromFile(here("small-tokenizer.json"), "small-tokenizer.json"),
};

describe("tokenizers", () => {
  for (const [name, load] of Object.entries(tokenizers)) {
    it(`${name}: gives any text back from its ids`, async () => {
      const tokenizer = await load();
      // the one from a file brings text to its composed form first, as its file says
      const given = (text: string) => (tokenizer.name.endsWith(".json") ? text.normalize("NFC") : text);
      fc.assert(
        fc.property(
          fc.oneof(
            anyText(),
            words().map((parts) => parts.join("")),
          ),
          (text) => {
            const ids = tokenizer.encode(given(text));
            expect(ids.every((id) => id >= 0 && id < tokenizer.vocabulary)).to.equal(true);
            expect(tokenizer.decode(ids)).to.equal(given(text));
          },
        ),
        { seed: 1, numRuns: 200 },
      );
    });

    it(`${name}: leaves out what stands between texts, and refuses ids that there are not`, async () => {
      const tokenizer = await load();
      expect(tokenizer.decode([...tokenizer.encode("a"), tokenizer.endOfText!])).to.equal("a");
      for (const id of [-1, tokenizer.vocabulary, 0.5]) {
        expect(() => tokenizer.decode([id])).to.throw(TokenizerError, `There is no token ${id}`);
      }
    });
  }

  it("gpt2 has the ids that Hugging Face's tokenizers make by GPT-2's own tables", async () => {
    const { encode } = await gpt2Tokenizer();
    for (const { text, ids } of known("gpt2-ids.json"))
      expect(encode(text), JSON.stringify(text)).to.deep.equal(ids);
  });

  it("a tokenizer.json has the ids that Hugging Face's tokenizers make by it", async () => {
    const { encode } = await tokenizers["a tokenizer.json"]!();
    for (const { text, ids } of known("small-tokenizer-ids.json"))
      expect(encode(text), JSON.stringify(text)).to.deep.equal(ids);
  });

  it("are loaded when they are asked for, and with no other command: nothing imports their packages but when it runs", () => {
    const root = new URL("../../src/", import.meta.url);
    const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    const using = files.filter((name) =>
      /"(gpt-tokenizer|@huggingface)\//.test(readFileSync(new URL(name, root), "utf8")),
    );
    expect(using.sort()).to.deep.equal(["language/gpt2-tokenizer.ts", "language/tokenizer-file.ts"]);
    for (const name of using)
      expect(readFileSync(new URL(name, root), "utf8"), name).not.to.match(
        /from "(gpt-tokenizer|@huggingface)/,
      );
  });

  it("a file that is no tokenizer is refused by its name", async () => {
    for (const text of ["not JSON", "{}", "[]"]) {
      const error = await failure(tokenizerFromFile(text, "mine.json"), TokenizerError);
      expect(error.message).to.match(/^mine\.json is not a tokenizer\.json that can be read/);
    }
  });
});
