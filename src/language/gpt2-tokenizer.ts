import { checkedId, type Tokenizer } from "./tokenizer.js";

/** Nothing in a text is special, not even what looks like the end of one. */
const plain = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };

/**
 * GPT-2's byte-level BPE: 50256 ids for text, and 50256 itself between texts. Its tables are loaded when it is asked for.
 *
 * @see Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"
 */
export async function gpt2Tokenizer(): Promise<Tokenizer> {
  const { encode, decode } = await import("gpt-tokenizer/encoding/r50k_base");
  const vocabulary = 50257;
  const endOfText = 50256;
  return {
    name: "gpt2",
    vocabulary,
    endOfText,
    separable: true,
    encode: (text) => encode(text, plain),
    decode: (ids) => decode([...ids].filter((id) => checkedId(id, vocabulary) !== endOfText)),
  };
}
