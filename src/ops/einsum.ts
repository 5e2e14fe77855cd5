import { ShapeError, sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Attributes,
  type Dim,
  GraphError,
  type Op,
  type Shape,
  sameShape,
  type Value,
} from "../graph/graph.js";
import { attributeOf, numeric, takesMany } from "../graph/signature.js";
import { expand, expandTo, sumTo } from "./broadcast.js";
import { contraction, type Equation } from "./contraction.js";
import { isStatic } from "./dims.js";
import { composedOf } from "./folding.js";
import { required } from "./operand.js";
import { reshape } from "./reshape.js";

/** Letters that stand for the axes of "...", last axis last; ONNX equations cannot name these. */
const ellipsisLetters = "αβγδεζηθ";

/** Letters, with at most one "...": spaces mean nothing. */
function isTerm(term: string): boolean {
  const pieces = term.split("...");
  return pieces.length <= 2 && pieces.every((piece) => /^[a-zA-Z]*$/.test(piece));
}

/** @throws {GraphError} for anything but terms parted by commas and, perhaps, "->" and a result that names no letter twice */
function checkEquation(equation: string): void {
  const [left, right, ...more] = equation.replaceAll(" ", "").split("->") as [string, string?];
  const result = right ?? "";
  const letters = result.replace("...", "");
  if ([...left.split(","), result].every(isTerm) && more.length === 0) {
    if (new Set(letters).size === letters.length) return;
  }
  throw new GraphError(
    `Einsum cannot read the equation ${JSON.stringify(equation.slice(0, 80))}: it has terms of letters, with at most one ` +
      '"..." each, parted by commas, and perhaps "->" and a result that names each letter once.',
  );
}

function parse(attributes: Attributes, ranks: readonly number[]): Equation {
  const equation = attributes.equation as string;
  checkEquation(equation);
  const [left, right] = equation.replaceAll(" ", "").split("->") as [string, string?];
  const written = left.split(",");
  if (written.length !== ranks.length) {
    throw new GraphError(
      `Einsum "${equation}" is about ${written.length} operands, but ${ranks.length} were given.`,
    );
  }
  let widest = 0;
  const terms = written.map((term, i) => {
    const hidden = term.includes("...") ? ranks[i]! - (term.length - 3) : 0;
    if (hidden > ellipsisLetters.length) {
      throw new ShapeError(
        `Einsum "${equation}": "..." stands for ${hidden} axes of operand ${i}, but at most ${ellipsisLetters.length} can be named.`,
      );
    }
    const spelled = term.replace("...", ellipsisLetters.slice(ellipsisLetters.length - Math.max(0, hidden)));
    if (spelled.length !== ranks[i]) {
      throw new ShapeError(`Einsum "${equation}": "${term}" does not fit operand ${i} of rank ${ranks[i]}.`);
    }
    widest = Math.max(widest, hidden);
    return spelled;
  });
  const ellipsis = ellipsisLetters.slice(ellipsisLetters.length - widest);
  const letters = [...left].filter((letter) => /[a-zA-Z]/.test(letter));
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter));
  const result = right === undefined ? ellipsis + once.sort().join("") : right.replace("...", ellipsis);
  return { terms, result };
}

/** The dimension of each letter. */
function dimsOfLetters({ terms }: Equation, shapes: readonly Shape[], equation: string): Map<string, Dim> {
  const dims = new Map<string, Dim>();
  terms.forEach((term, i) => {
    [...term].forEach((letter, axis) => {
      const [known, dim] = [dims.get(letter) ?? 1, shapes[i]![axis]!];
      if (known === 1) dims.set(letter, dim);
      else if (dim !== 1 && dim !== known) {
        throw new ShapeError(`Einsum "${equation}": "${letter}" is both ${known} and ${dim}.`);
      }
    });
  });
  return dims;
}

/** The shape of each operand with the dimension that each of its letters has in any of them. */
export function wholeShapes(operands: readonly Value[], attributes: Attributes): Shape[] {
  const shapes = operands.map(({ shape }) => shape);
  const equation = parse(
    attributes,
    shapes.map((shape) => shape.length),
  );
  const dims = dimsOfLetters(equation, shapes, attributes.equation as string);
  return equation.terms.map((term) => [...term].map((letter) => dims.get(letter)!));
}

/**
 * Einsum: a sum of products over the letters that the result does not name.
 *
 * The cotangent of an operand is the Einsum of ȳ and the other operands that names that operand's letters.
 */
export const Einsum: Op = {
  type: "Einsum",
  since: 12,
  inputs: [takesMany("Inputs", numeric)],
  attributes: { equation: attributeOf("string", { required: true }) },
  infer(inputs, attributes) {
    const shapes = inputs.map((_, i) => required("Einsum", inputs, i).shape);
    const equation = parse(
      attributes,
      shapes.map((shape) => shape.length),
    );
    const dims = dimsOfLetters(equation, shapes, attributes.equation as string);
    const shape = [...equation.result].map((letter) => {
      const dim = dims.get(letter);
      if (dim !== undefined) return dim;
      throw new GraphError(
        `Einsum "${attributes.equation}": no operand has the letter "${letter}" of the result.`,
      );
    });
    return [{ dtype: inputs[0]!.dtype, shape }];
  },
  /** Letters in place of "...", which ONNX Runtime wants of one rank in all operands. */
  simplify(b, inputs, attributes) {
    if (!(attributes.equation as string).includes("...")) return null;
    const { terms, result } = parse(
      attributes,
      inputs.map((x) => x!.shape.length),
    );
    return [einsum(b, spell(terms, result), ...(inputs as readonly Value[]))];
  },
  products(inputs, attributes) {
    const shapes = inputs.map((x) => x!.shape);
    const equation = parse(
      attributes,
      shapes.map((shape) => shape.length),
    );
    const dims = dimsOfLetters(equation, shapes, attributes.equation as string) as Map<string, number>;
    return sizeOf([...dims.values()]) * inputs.length;
  },
  /** Operands are first repeated along axes of size 1, where others have more of that letter. */
  ...composedOf((b, inputs, attributes) => {
    const operands = inputs as readonly Value[];
    const shapes = wholeShapes(operands, attributes);
    const isWhole = operands.every((x, i) => sameShape(x.shape, shapes[i]!) || !isStatic(shapes[i]!));
    if (isWhole) {
      const equation = parse(
        attributes,
        shapes.map((shape) => shape.length),
      );
      return [contraction(b, equation, operands)];
    }
    const whole = operands.map((x, i) => (isStatic(shapes[i]!) ? expand(b, x, shapes[i]!) : x));
    return [einsum(b, attributes.equation as string, ...whole)];
  }),
  vjp(b, { inputs, attributes }, [g]) {
    const operands = inputs as readonly Value[];
    const { terms, result } = parse(
      attributes,
      operands.map((x) => x.shape.length),
    );
    return operands.map((x, i) => {
      const own = terms[i]!;
      if (new Set(own).size !== own.length) {
        throw new GraphError(`Einsum "${attributes.equation}": a diagonal (${own}) has no derivative rule.`);
      }
      const others = terms.filter((_, j) => j !== i);
      const isReached = (letter: string) => [result, ...others].some((term) => term.includes(letter));
      const reached = [...own].filter(isReached);
      const dx = einsum(
        b,
        spell([result, ...others], reached.join("")),
        g!,
        ...operands.filter((_, j) => j !== i),
      );
      if (reached.length === own.length) return sumTo(b, dx, x);
      // letters of this operand alone were summed away: the cotangent is the same along them
      const whole = dx.shape[Symbol.iterator]();
      const shape = [...own].map((letter) => {
        const dim = isReached(letter) ? whole.next().value! : 1;
        return typeof dim === "string" ? -1 : dim;
      });
      return expandTo(
        b,
        sumTo(b, reshape(b, dx, shape), { ...x, shape: x.shape.map((d, k) => (isReached(own[k]!) ? d : 1)) }),
        x,
      );
    });
  },
};

/** An equation in letters that ONNX knows: those of ellipses become letters that the terms do not use. */
function spell(terms: readonly string[], result: string): string {
  const equation = `${terms.join(",")}->${result}`;
  const free = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter(
    (c) => !equation.includes(c),
  );
  return equation.replace(/[α-θ]/g, (letter) => free[ellipsisLetters.indexOf(letter)]!);
}

export function einsum(b: Builder, equation: string, ...operands: readonly Value[]): Value {
  return b.apply(Einsum, operands, { equation });
}
