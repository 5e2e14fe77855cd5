"""What Hugging Face's tokenizers make of texts: by GPT-2's tables, and by a small tokenizer of another kind, trained here.

    python test/language/gpt2-ids.py encoder.json vocab.bpe test/language      (tokenizers 0.23.3)

writes gpt2-ids.json, and small-tokenizer.json with small-tokenizer-ids.json. GPT-2's tables are not in this repository.
"""

import json
import sys

from tokenizers import ByteLevelBPETokenizer, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

texts = [
    "Hello world",
    " Hello  world\n\n\ttabs and   spaces ",
    "I'll say it's what they've 'd'D",
    "12345 67.89e-10, x=y+z; <|endoftext|> <|endoftext|",
    "naïve café — “quotes” … ﬁ",
    "дом 家 家族 ελληνικά עברית हिन्दी",
    "\U0001f600\U0001f468‍\U0001f469‍\U0001f467 e\u0301",
    "\u00a0no-break\u2003em\r\nline\x00null\ufeffmark",
    " = Valkyria Chronicles III = \n The game 's opening theme was sung by May 'n . @-@ @,@",
    "",
    " ",
    "\n",
]
vocab, merges, out = sys.argv[1:]
gpt2 = ByteLevelBPETokenizer(vocab, merges)


def save(name, value):
    with open(f"{out}/{name}", "w") as file:
        json.dump(value, file, ensure_ascii=True, indent=1)
        file.write("\n")


save("gpt2-ids.json", [{"text": text, "ids": gpt2.encode(text).ids} for text in texts])

small = Tokenizer(models.BPE(unk_token=None, byte_fallback=False))
small.normalizer = normalizers.NFC()
small.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
small.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=320,
    special_tokens=["<|endoftext|>"],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False,
)
small.train_from_iterator(texts * 3 + ["the rain in Spain falls mainly in the plain " * 5], trainer)
small.save(f"{out}/small-tokenizer.json", pretty=False)
save("small-tokenizer-ids.json", [{"text": text, "ids": small.encode(text).ids} for text in texts])
