import { RevortError } from "../core/errors.js";
import { Random } from "../core/random.js";
import { type Tensor, tensor } from "../core/tensor.js";
import type { DataStream } from "../models/data-stream.js";
import type { Tokenizer } from "./tokenizer.js";

/** Text that is too short for what is asked of it. */
export class TextError extends RevortError {}

/** Tokens of a text, held once, and what of the text is needed to say how likely its words are. */
export interface TokenizedText {
  readonly tokens: TokenSequence;
  /** words and line ends, as those who give perplexities per word count them on WikiText */
  readonly words: number;
  readonly bytes: number;
}

/** Ids one after the other, in blocks: it grows without copies, and a part of it is a view. */
export interface TokenSequence {
  readonly length: number;
  /** ids from one place to before another */
  readonly read: (from: number, to: number) => Uint32Array;
  /** without copies */
  readonly slice: (from: number, to: number) => TokenSequence;
}

/** Ids in a block. */
const blockSize = 1 << 18;

/**
 * Tokenizes texts, each given in parts of any length, as files are read. The end-of-text token stands between two of them.
 *
 * @throws {TextError} if there is no text at all
 */
export async function tokenize(
  tokenizer: Tokenizer,
  texts: readonly AsyncIterable<string>[],
): Promise<TokenizedText> {
  const blocks: (Uint16Array | Uint32Array)[] = [];
  const Block = tokenizer.vocabulary <= 1 << 16 ? Uint16Array : Uint32Array;
  let length = 0;
  let [words, bytes] = [0, 0];
  const push = (ids: readonly number[]) => {
    for (const id of ids) {
      if (length % blockSize === 0) blocks.push(new Block(blockSize));
      blocks[Math.floor(length / blockSize)]![length % blockSize] = id;
      length += 1;
    }
  };
  for (const [i, text] of texts.entries()) {
    if (i > 0 && tokenizer.endOfText !== null) push([tokenizer.endOfText]);
    for await (const part of tokenizer.separable ? separated(text) : [await whole(text)]) {
      push(tokenizer.encode(part));
      words += wordsIn(part);
      bytes += new TextEncoder().encode(part).length;
    }
  }
  if (length === 0) throw new TextError("The text is empty: there is nothing to learn from.");
  return { tokens: sequence(blocks, 0, length), words, bytes };
}

/** Words between white space, and line ends: WikiText-103's test set has 245 569. */
export function wordsIn(text: string): number {
  return (text.match(/\S+|\n/g) ?? []).length;
}

/** Parts that end where no token can reach over: before white space that follows something else. */
async function* separated(parts: AsyncIterable<string>): AsyncIterable<string> {
  let rest = "";
  for await (const part of parts) {
    rest += part;
    const end = lastBreak(rest);
    if (end <= 0) continue;
    yield rest.slice(0, end);
    rest = rest.slice(end);
  }
  if (rest !== "") yield rest;
}

/** The last place before white space and after something else; 0 where there is none. */
function lastBreak(text: string): number {
  for (let i = text.length - 1; i > 0; i--) {
    if (/\s/.test(text[i]!) && !/\s/.test(text[i - 1]!)) return i;
  }
  return 0;
}

async function whole(parts: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const part of parts) text += part;
  return text;
}

function sequence(blocks: readonly (Uint16Array | Uint32Array)[], first: number, end: number): TokenSequence {
  return {
    length: end - first,
    read(from, to) {
      const ids = new Uint32Array(to - from);
      for (let at = first + from; at < first + to; ) {
        const start = at % blockSize;
        const take = Math.min(blockSize - start, first + to - at);
        ids.set(blocks[Math.floor(at / blockSize)]!.subarray(start, start + take), at - first - from);
        at += take;
      }
      return ids;
    },
    slice: (from, to) => sequence(blocks, first + from, first + to),
  };
}

/** A text in two, the second with the given share of the tokens, from its end. */
export function splitText(
  { tokens, words, bytes }: TokenizedText,
  share: number,
): [training: TokenizedText, validation: TokenizedText] {
  if (!(share > 0 && share < 1)) {
    throw new TextError(
      `The share of the text for validation must lie between 0 and 1, but ${share} was given.`,
    );
  }
  const at = Math.round(tokens.length * (1 - share));
  const part = (from: number, to: number): TokenizedText => ({
    tokens: tokens.slice(from, to),
    // words are taken to be spread evenly
    words: Math.round((words * (to - from)) / tokens.length),
    bytes: Math.round((bytes * (to - from)) / tokens.length),
  });
  return [part(0, at), part(at, tokens.length)];
}

/**
 * Windows of a text that do not overlap: each place of one is to tell the token after it.
 *
 * @throws {TextError} if the text has not one window
 */
export function windowsOf(what: string, { tokens }: TokenizedText, length: number): TextWindows {
  const count = Math.floor((tokens.length - 1) / length);
  if (count < 1) {
    throw new TextError(
      `${what} has ${tokens.length} tokens, but a window takes ${length + 1}. Give more text, or a shorter context.`,
    );
  }
  return {
    count,
    length,
    samples(which) {
      const taken = which.map((i) => tokens.read(i * length, (i + 1) * length + 1));
      const part = (offset: number) => {
        const ids = new BigInt64Array(which.length * length);
        for (const [row, window] of taken.entries())
          for (let i = 0; i < length; i++) ids[row * length + i] = BigInt(window[i + offset]!);
        return tensor("int64", [which.length, length], ids);
      };
      return { tokens: part(0), next: part(1) };
    },
  };
}

/** Windows of a text, taken by their numbers when they are needed. */
export interface TextWindows {
  readonly count: number;
  readonly length: number;
  /** int64 [which, length] each: the tokens, and those that follow them */
  readonly samples: (which: readonly number[]) => { readonly tokens: Tensor; readonly next: Tensor };
}

/**
 * All windows of a text, in a new random order each epoch, as a stream of batches: what does not fill a batch is left out of an
 * epoch. The order depends on the seed and the epoch alone, so that a run goes on wherever it stopped.
 */
export function shuffledWindows(windows: TextWindows, batchSize: number, seed: number): DataStream {
  const perEpoch = windows.count - (windows.count % batchSize);
  if (perEpoch === 0) {
    throw new TextError(
      `The text has ${windows.count} windows, but a batch takes ${batchSize}. Give more text, or a smaller batch.`,
    );
  }
  return function* from(used: number) {
    for (let epoch = Math.floor(used / perEpoch); ; epoch++) {
      const order = Random.seeded(seedOf(epoch, seed)).permutation(windows.count);
      const first = Math.max(0, used - epoch * perEpoch);
      for (let at = first; at < perEpoch; at += batchSize)
        yield windows.samples(order.slice(at, at + batchSize));
    }
  };
}

/** Another seed for each epoch. */
function seedOf(epoch: number, seed: number): number {
  const random = Random.seeded(seed);
  for (let i = 0; i < epoch; i++) random.bits();
  return random.bits();
}
