import { createHash } from "node:crypto";
import { basename } from "node:path";
import { gpt2Tokenizer } from "../../language/gpt2-tokenizer.js";
import { sampleText } from "../../language/sample-text.js";
import { splitText, type TokenizedText, tokenize } from "../../language/text.js";
import { byteTokenizer, type Tokenizer } from "../../language/tokenizer.js";
import { tokenizerFromFile } from "../../language/tokenizer-file.js";
import { textParts } from "../../storage/text-parts.js";
import { UsageError } from "../usage.js";
import type { LanguageSettings, TextSource } from "./settings.js";

/** The tokenizer of a run. @param file  the text of a tokenizer.json, where it is one */
export async function tokenizerNamed(name: string, file: string | null): Promise<Tokenizer> {
  if (file !== null) return tokenizerFromFile(file, basename(name));
  if (name === "gpt2") return gpt2Tokenizer();
  if (name === "bytes") return byteTokenizer();
  throw new UsageError(`--tokenizer takes bytes, gpt2 or a tokenizer.json, but "${name}" was given.`);
}

/** A text, and how it is known again. */
export interface ReadText {
  readonly text: TokenizedText;
  readonly sources: readonly TextSource[];
}

/** Reads and tokenizes files, each once, a part at a time. */
export async function readTexts(tokenizer: Tokenizer, paths: readonly string[]): Promise<ReadText> {
  const sources: TextSource[] = [];
  const watched = paths.map(async function* (path) {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const part of textParts(path)) {
      const encoded = new TextEncoder().encode(part);
      hash.update(encoded);
      bytes += encoded.length;
      yield part;
    }
    sources.push({ path, bytes, sha256: hash.digest("hex") });
  });
  const text = await tokenize(tokenizer, watched);
  return { text, sources };
}

/** What is learnt from and what is measured on. */
export interface Texts {
  readonly training: ReadText;
  readonly validation: ReadText | null;
}

/** Reads the texts of a run, the sample text where there are none. */
export async function textsOf(
  tokenizer: Tokenizer,
  data: readonly string[],
  validation: readonly string[],
): Promise<Texts> {
  async function* sample() {
    yield sampleText();
  }
  return {
    training:
      data.length === 0
        ? { text: await tokenize(tokenizer, [sample()]), sources: [] }
        : await readTexts(tokenizer, data),
    validation: validation.length === 0 ? null : await readTexts(tokenizer, validation),
  };
}

/** The two texts of a run: by files, or by a share. */
export function partsOf(
  { training, validation }: Texts,
  settings: Pick<LanguageSettings, "validation">,
): readonly [training: TokenizedText, validation: TokenizedText] {
  if (validation !== null) return [training.text, validation.text];
  const { share } = settings.validation as { share: number };
  return splitText(training.text, share);
}

/** A run goes on with the text that it began with. @throws {UsageError} naming a file that is another one now */
export function checkTexts(settings: LanguageSettings, { training, validation }: Texts): void {
  const known = [settings.data, "share" in settings.validation ? [] : settings.validation].flat();
  const now = [...training.sources, ...(validation?.sources ?? [])];
  for (const [i, { path, sha256 }] of known.entries()) {
    if (now[i]?.sha256 === sha256) continue;
    throw new UsageError(`${path} is not the text that the run began with. Restore it, or start a new run.`);
  }
}
