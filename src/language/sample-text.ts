import { Random } from "../core/random.js";

// A text to learn from that needs no file: sentences of a small grammar, so that it is known how well it can be told.

const colours = ["red", "blue", "green", "white", "black", "old", "new", "small"];
const things = ["boat", "house", "tree", "stone", "lamp", "horse", "cloud", "river"];
const places = ["near", "behind", "above", "below", "beside", "before", "under", "over"];
const numerals = [
  ...["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
  ...["eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"],
];

/** Kinds of sentences, all as likely; each says how many choices it makes of how many words. */
const sentences: readonly { readonly choices: readonly number[]; readonly make: (of: number[]) => string }[] =
  [
    {
      choices: [8, 8, 8, 8, 8],
      make: ([a, b, c, d, e]) =>
        `The ${colours[a!]} ${things[b!]} is ${places[c!]} the ${colours[d!]} ${things[e!]}.`,
    },
    {
      choices: [10, 9],
      make: ([a, b]) => `${capital(numerals[a!]!)} and ${numerals[b!]} is ${numerals[a! + b!]}.`,
    },
    {
      choices: [8, 8, 9],
      make: ([a, b, n]) =>
        `There are ${numerals[n! + 2]} ${colours[a!]} ${things[b!]}s, and one more makes ${numerals[n! + 3]}.`,
    },
  ];

const capital = (word: string) => word[0]!.toUpperCase() + word.slice(1);

/** A text of so many sentences, in lines of two. The same seed gives the same text. */
export function sampleText(count = 1500, seed = 0): string {
  const random = Random.seeded(seed);
  const made = Array.from({ length: count }, (_, i) => {
    const { choices, make } = sentences[random.integer(sentences.length)]!;
    return `${make(choices.map((n) => random.integer(n)))}${i % 2 === 0 ? " " : "\n"}`;
  });
  return made.join("");
}

/**
 * The entropy of a sentence, in nats: no model can tell the text better, on average, than by so much per sentence. All words
 * of a list begin or go on differently, so a text shows what was chosen.
 */
export function sampleEntropy(): number {
  const each = sentences.map(({ choices }) => choices.reduce((sum, n) => sum + Math.log(n), 0));
  return Math.log(sentences.length) + each.reduce((sum, own) => sum + own, 0) / sentences.length;
}
