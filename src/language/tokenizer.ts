import { RevortError } from "../core/errors.js";

/** Text or tokens that a tokenizer cannot take. */
export class TokenizerError extends RevortError {}

/** Text as whole numbers, and back. */
export interface Tokenizer {
  /** as users type it, or the name of its file */
  readonly name: string;
  /** ids lie in [0, vocabulary) */
  readonly vocabulary: number;
  /** the id that stands between texts; `null` where there is none */
  readonly endOfText: number | null;
  /** whether text may be cut before white space that follows something else, and has the same ids in parts */
  readonly separable: boolean;
  readonly encode: (text: string) => readonly number[];
  /** @throws {TokenizerError} for an id that there is not */
  readonly decode: (ids: Iterable<number>) => string;
}

/** The bytes of UTF-8 as ids 0 to 255, and 256 between texts: nothing to learn, nothing to load. */
export function byteTokenizer(): Tokenizer {
  const endOfText = 256;
  return {
    name: "bytes",
    vocabulary: 257,
    endOfText,
    separable: true,
    encode: (text) => [...new TextEncoder().encode(text)],
    decode(ids) {
      const bytes = [...ids].filter((id) => checkedId(id, 257) !== endOfText);
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
    },
  };
}

/** @throws {TokenizerError} */
export function checkedId(id: number, vocabulary: number): number {
  if (Number.isInteger(id) && id >= 0 && id < vocabulary) return id;
  throw new TokenizerError(`There is no token ${id}: ids are whole numbers from 0 to ${vocabulary - 1}.`);
}
