import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { mul } from "./arithmetic.js";
import { reduceSum } from "./broadcast.js";
import { matmul } from "./linalg.js";
import { reshape, transpose } from "./reshape.js";
import { gather } from "./slicing.js";

// Einsum by transposition, products of matrices, and sums.

/** An equation with its ellipses spelled out: one letter per axis, for each operand and the result. */
export interface Equation {
  readonly terms: readonly string[];
  readonly result: string;
}

/** A value with a letter for each axis. */
interface Term {
  readonly value: Value;
  readonly letters: readonly string[];
}

const sizes = ({ value, letters }: Term) =>
  new Map(letters.map((letter, axis) => [letter, value.shape[axis] as number]));

/** The sum of products of operands that have all one dimension along a letter. */
export function contraction(b: Builder, { terms, result }: Equation, operands: readonly Value[]): Value {
  const [first, ...rest] = operands.map((value, i) => diagonal(b, { value, letters: [...terms[i]!] })) as [
    Term,
    ...Term[],
  ];
  const product = rest.reduce((sum, term, i) => {
    const needed = new Set([...result, ...rest.slice(i + 1).flatMap(({ letters }) => letters)]);
    return contract(b, sum, term, needed);
  }, first);
  return arrange(b, sumOut(b, product, new Set(result)), [...result]);
}

/** Letters that occur twice in one term take its diagonal. */
function diagonal(b: Builder, term: Term): Term {
  const { value, letters } = term;
  const second = letters.findIndex((letter, axis) => letters.indexOf(letter) < axis);
  if (second < 0) return term;
  const first = letters.indexOf(letters[second]!);
  const others = letters.map((_, axis) => axis).filter((axis) => axis !== first && axis !== second);
  const dim = value.shape[first] as number;
  const kept = others.map((axis) => value.shape[axis] as number);
  const flat = reshape(b, transpose(b, value, [first, second, ...others]), [dim * dim, ...kept]);
  const rows = b.ints(Array.from({ length: dim }, (_, i) => i * (dim + 1)));
  return diagonal(b, {
    value: gather(b, flat, rows),
    letters: [letters[first]!, ...others.map((axis) => letters[axis]!)],
  });
}

/** Sums over the axes of letters that nothing needs. */
function sumOut(b: Builder, term: Term, needed: ReadonlySet<string>): Term {
  const axes = term.letters.flatMap((letter, axis) => (needed.has(letter) ? [] : [axis]));
  if (axes.length === 0) return term;
  return {
    value: reduceSum(b, term.value, axes),
    letters: term.letters.filter((letter) => needed.has(letter)),
  };
}

/** The axes in the order of letters, all of which it has. */
function arrange(b: Builder, { value, letters }: Term, order: readonly string[]): Value {
  return transpose(
    b,
    value,
    order.map((letter) => letters.indexOf(letter)),
  );
}

/** The product of two terms, summed over the letters that nothing else needs. */
function contract(b: Builder, x: Term, y: Term, needed: ReadonlySet<string>): Term {
  const p = sumOut(b, x, new Set([...needed, ...y.letters]));
  const q = sumOut(b, y, new Set([...needed, ...x.letters]));
  const shared = p.letters.filter((letter) => q.letters.includes(letter));
  const batch = shared.filter((letter) => needed.has(letter));
  const inner = shared.filter((letter) => !needed.has(letter));
  const rows = p.letters.filter((letter) => !shared.includes(letter));
  const columns = q.letters.filter((letter) => !shared.includes(letter));
  const all = new Map([...sizes(p), ...sizes(q)]);
  const size = (letters: readonly string[]) => letters.reduce((n, letter) => n * all.get(letter)!, 1);
  const letters = [...batch, ...rows, ...columns];
  const shape = letters.map((letter) => all.get(letter)!);
  const fold = (term: Term, first: readonly string[], second: readonly string[]) =>
    reshape(b, arrange(b, term, [...batch, ...first, ...second]), [size(batch), size(first), size(second)]);
  const [left, right] = [fold(p, rows, inner), fold(q, inner, columns)];
  // without a sum it is a product of elements
  const product = inner.length === 0 ? mul(b, left, right) : matmul(b, left, right);
  return { value: reshape(b, product, shape), letters };
}
