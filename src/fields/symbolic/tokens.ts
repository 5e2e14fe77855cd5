import { EquationError } from "./syntax-error.js";

export type TokenKind = "number" | "name" | "network" | "symbol" | "end of an equation" | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** index of its first character */
  readonly at: number;
}

const patterns = [
  ["number", /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/uy],
  ["network", /mlp(?::(?:\d+(?:,\d+)*)?)?(?![\p{L}\p{N}_])/uy],
  ["name", /\p{L}[\p{L}\p{N}_]*/uy],
  ["symbol", /\*\*|[-+*/^(),='’−·]/uy],
] as const;

/** Other ways to type a symbol. */
const spellings: Readonly<Record<string, string>> = { "**": "^", "’": "'", "−": "-", "·": "*" };

/** Characters of a text, and tokens in it: far more than anyone writes, and few enough for any stack. */
const longestText = 20_000;
const mostTokens = 2_000;

/**
 * The tokens of equations, which `;` and line ends outside of brackets separate.
 *
 * @throws {EquationError} for a character that means nothing here
 */
export function tokensOf(text: string): Token[] {
  if (text.length > longestText) {
    throw new EquationError(
      text,
      longestText,
      `a field takes ${longestText} characters at most; write less.`,
    );
  }
  const tokens: Token[] = [];
  let open = 0;
  for (let at = 0; at < text.length; ) {
    const character = String.fromCodePoint(text.codePointAt(at)!);
    if (character === ";" || (character === "\n" && open === 0)) {
      tokens.push({ kind: "end of an equation", text: ";", at });
      at++;
      continue;
    }
    if (/\s/.test(character)) {
      at++;
      continue;
    }
    const token = tokenAt(text, at);
    if (token === null)
      throw new EquationError(text, at, `${JSON.stringify(character)} means nothing here. ${vocabulary}`);
    if (token.kind === "symbol") open += token.text === "(" ? 1 : token.text === ")" ? -1 : 0;
    tokens.push({ ...token, text: spellings[token.text] ?? token.text });
    if (tokens.length > mostTokens) {
      throw new EquationError(
        text,
        at,
        `a field takes ${mostTokens} names, numbers and signs at most; write less.`,
      );
    }
    at += token.text.length;
  }
  return [...tokens, { kind: "end", text: "", at: text.length }];
}

const vocabulary =
  "Equations have names, numbers, + - * / ^, round brackets and functions, as dx = a*x - b*x*y; dy = -y.";

function tokenAt(text: string, at: number): Token | null {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) return { kind, text: match[0], at };
  }
  return null;
}
