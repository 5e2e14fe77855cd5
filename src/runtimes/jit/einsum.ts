import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/graph.js";
import { mul } from "../../ops/arithmetic.js";
import { expand, reduceSum } from "../../ops/broadcast.js";
import { matmul } from "../../ops/linalg.js";
import { reshape, transpose } from "../../ops/reshape.js";
import { gather } from "../../ops/slicing.js";

// Einsum by transposition, products of matrices, and sums.

/** A value with a letter for each axis. */
interface Term {
  readonly value: Value;
  readonly letters: readonly string[];
}

const sizes = ({ value, letters }: Term) =>
  new Map(letters.map((letter, axis) => [letter, value.shape[axis] as number]));

/** Letters that stand for the axes of "...", last axis last; equations cannot name these. */
const ellipsis = "αβγδεζηθ";

export function einsum(b: Builder, equation: string, inputs: readonly Value[]): Value {
  const [left, right] = equation.replaceAll(" ", "").split("->") as [string, string?];
  let widest = 0;
  const terms = left.split(",").map((written, i): Term => {
    const value = inputs[i]!;
    const hidden = written.includes("...") ? value.shape.length - (written.length - 3) : 0;
    widest = Math.max(widest, hidden);
    return diagonal(b, { value, letters: [...written.replace("...", tailOf(hidden))] });
  });
  const plain = [...left].filter((letter) => /[a-zA-Z]/.test(letter));
  const once = plain.filter((letter) => plain.indexOf(letter) === plain.lastIndexOf(letter)).sort();
  const result = [
    ...(right === undefined ? tailOf(widest) + once.join("") : right.replace("...", tailOf(widest))),
  ];
  const [first, ...rest] = terms as [Term, ...Term[]];
  const product = rest.reduce((sum, term, i) => {
    const needed = new Set([...result, ...rest.slice(i + 1).flatMap(({ letters }) => letters)]);
    return contract(b, sum, term, needed);
  }, first);
  return arrange(b, sumOut(b, product, new Set(result)), result);
}

function tailOf(count: number): string {
  return ellipsis.slice(ellipsis.length - count);
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
  const wide = (term: Term, other: Term): Term => {
    const theirs = sizes(other);
    const shape = term.letters.map((letter, axis) =>
      Math.max(term.value.shape[axis] as number, theirs.get(letter) ?? 1),
    );
    return { ...term, value: expand(b, term.value, shape) };
  };
  const p = wide(sumOut(b, x, new Set([...needed, ...y.letters])), y);
  const q = wide(sumOut(b, y, new Set([...needed, ...x.letters])), x);
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
