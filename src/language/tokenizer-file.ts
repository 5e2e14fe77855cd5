import { checkedId, type Tokenizer, TokenizerError } from "./tokenizer.js";

/**
 * A tokenizer from the text of a `tokenizer.json`, as many model collections have them.
 *
 * @param name  of the file, in messages
 * @throws {TokenizerError} for a file that is no tokenizer, or one of an unknown kind
 */
export async function tokenizerFromFile(text: string, name: string): Promise<Tokenizer> {
  const { Tokenizer: Loaded } = await import("@huggingface/tokenizers");
  let tokenizer: InstanceType<typeof Loaded>;
  let ids: readonly number[];
  try {
    tokenizer = new Loaded(JSON.parse(text), {});
    ids = [...tokenizer.get_vocab(true).values()];
  } catch (cause) {
    throw new TokenizerError(
      `${name} is not a tokenizer.json that can be read: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
  if (ids.length === 0) throw new TokenizerError(`${name} has no tokens.`);
  const vocabulary = ids.reduce((most, id) => Math.max(most, id), 0) + 1;
  const known = ["<|endoftext|>", "</s>", "<eos>"].map((token) => tokenizer.token_to_id(token));
  return {
    name,
    vocabulary,
    endOfText: known.find((id) => id !== undefined) ?? null,
    // what comes before a word may belong to it in ways that only the file knows
    separable: false,
    encode: (given) => tokenizer.encode(given, { add_special_tokens: false }).ids,
    decode(given) {
      const chosen = [...given].map((id) => checkedId(id, vocabulary));
      const options = { skip_special_tokens: true, clean_up_tokenization_spaces: false };
      return chosen.length === 0 ? "" : tokenizer.decode(chosen, options);
    },
  };
}
