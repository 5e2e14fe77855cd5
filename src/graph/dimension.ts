import { SizeError } from "../core/size.js";

// Dimensions that depend on the size of the batch: `batch`, `2*batch`, `6*batch+1`. Exporters fold heads into the batch
// and take them out again, so products have to divide exactly.

/** A static dimension, or a polynomial of symbolic ones in its one spelling: `batch`, `2*batch`, `in0+loop1+1`. */
export type Dim = number | string;

/** A polynomial: the coefficient of each product of symbols, written with `*`; that of "" is the constant. */
type Terms = Map<string, number>;

/** Symbols and signs that a dimension may have; longer ones come from no model. */
const maxLength = 256;

function termsOf(dim: Dim): Terms {
  if (typeof dim === "number") return new Map(dim === 0 ? [] : [["", dim]]);
  const terms: Terms = new Map();
  for (const [, sign, body] of dim.matchAll(/([+-]?)([^+-]+)/g)) {
    const factors = body!.split("*");
    const symbols = factors
      .filter((factor) => !isNumber(factor))
      .sort()
      .join("*");
    const size = factors.filter(isNumber).reduce((product, factor) => product * Number(factor), 1);
    terms.set(symbols, (terms.get(symbols) ?? 0) + (sign === "-" ? -size : size));
  }
  return terms;
}

/** @throws {SizeError} for what no dimension can be */
function dimOf(terms: Terms): Dim {
  const kept = [...terms].filter(([, coefficient]) => coefficient !== 0);
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0]![0] === "") return kept[0]![1];
  // the constant last
  kept.sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1));
  const text = kept
    .map(([symbols, coefficient], i) => {
      const size = Math.abs(coefficient);
      const sign = coefficient < 0 ? "-" : i > 0 ? "+" : "";
      return sign + (symbols === "" ? `${size}` : size === 1 ? symbols : `${size}*${symbols}`);
    })
    .join("");
  if (text.length <= maxLength && kept.every(([, coefficient]) => Number.isSafeInteger(coefficient)))
    return text;
  throw new SizeError(
    `A dimension would be ${text.slice(0, 80)}…, which no tensor has. Give the graph concrete input shapes.`,
  );
}

function isNumber(factor: string): boolean {
  return /^\d+$/.test(factor);
}

/** A name as a symbol: signs and numbers in it would be read as arithmetic. */
export function symbolNamed(name: string): string {
  const plain = name.replace(/[-+*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  return isNumber(plain) || plain === "" ? `%${plain}` : plain;
}

/** A dimension as it is given: itself if it is in its one spelling, else a symbol of its own. */
export function dimGiven(dim: Dim): Dim {
  if (typeof dim === "number" || !/[-+*\d]/.test(dim)) return dim;
  return dimOf(termsOf(dim)) === dim ? dim : symbolNamed(dim);
}

/** @throws {SizeError} */
export function sumOf(dims: readonly Dim[]): Dim {
  if (dims.every((dim) => typeof dim === "number")) return dims.reduce((sum, dim) => sum + dim, 0);
  const terms: Terms = new Map();
  for (const dim of dims) {
    for (const [symbols, by] of termsOf(dim)) terms.set(symbols, (terms.get(symbols) ?? 0) + by);
  }
  return dimOf(terms);
}

/** @throws {SizeError} */
export function productOf(dims: readonly Dim[]): Dim {
  const size = dims.reduce<number>((product, dim) => (typeof dim === "number" ? product * dim : product), 1);
  let terms: Terms = new Map([["", size]]);
  for (const dim of dims) {
    if (typeof dim === "number") continue;
    const next: Terms = new Map();
    for (const [a, x] of terms) {
      for (const [b, y] of termsOf(dim)) {
        const symbols = [...a.split("*"), ...b.split("*")].filter((symbol) => symbol !== "").sort();
        const key = symbols.join("*");
        next.set(key, (next.get(key) ?? 0) + x * y);
      }
    }
    // also what is still to grow is a dimension
    terms = termsOf(dimOf(next));
  }
  return dimOf(terms);
}

/** What the dimensions multiply to, divided by what others multiply to; `null` where that is not sure to be whole. */
export function quotientOf(dims: readonly Dim[], by: readonly Dim[]): Dim | null {
  const rest = [...dims];
  const left: Dim[] = [];
  for (const dim of by) {
    const at = typeof dim === "string" ? rest.indexOf(dim) : -1;
    if (at < 0) left.push(dim);
    else rest.splice(at, 1);
  }
  const [divisor, ...more] = [...termsOf(productOf(left))];
  if (divisor === undefined || more.length > 0) return null;
  const terms: Terms = new Map();
  for (const [symbols, coefficient] of termsOf(productOf(rest))) {
    const remaining = symbols === "" ? [] : symbols.split("*");
    for (const symbol of divisor[0] === "" ? [] : divisor[0].split("*")) {
      const at = remaining.indexOf(symbol);
      if (at < 0) return null;
      remaining.splice(at, 1);
    }
    if (coefficient % divisor[1] !== 0) return null;
    terms.set(remaining.join("*"), coefficient / divisor[1]);
  }
  return dimOf(terms);
}

/** The number that a dimension is where its symbols are. */
export function dimAt(dim: Dim, size: (symbol: string) => number): number {
  if (typeof dim === "number") return dim;
  let sum = 0;
  for (const [symbols, coefficient] of termsOf(dim)) {
    sum +=
      symbols === "" ? coefficient : symbols.split("*").reduce((p, symbol) => p * size(symbol), coefficient);
  }
  return sum;
}

/** What a dimension is the sum of, where it is one of symbols: each as often as it is in it, and the number. */
export function summandsOf(dim: Dim): readonly Dim[] {
  if (typeof dim === "number") return [dim];
  return [...termsOf(dim)].flatMap(([symbols, coefficient]): Dim[] =>
    symbols === "" ? [coefficient] : new Array<Dim>(coefficient).fill(symbols),
  );
}
