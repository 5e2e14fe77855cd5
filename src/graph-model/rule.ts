import type { Node, Value } from "../graph/graph.js";
import type { Flaw } from "./backends.js";
import type { Interval } from "./integers.js";
import type { Writer } from "./writer.js";

/** One node that is written, and what there is to know of it. */
export interface Place {
  readonly w: Writer;
  readonly node: Node;
  /** the tensors of its operands */
  readonly x: readonly string[];
  /** what an integer operand may be */
  readonly bounds: (value: Value) => Interval;
  /** whether a backend that the model is for does something otherwise than it should */
  readonly has: (flaw: Flaw) => boolean;
  /** the size below which integers are exact */
  readonly limit: number;
  /** @throws {CompileError} naming the operator, and why it cannot be written */
  readonly refuse: (why: string) => never;
}

/** Writes a node in operators of TensorFlow.js; gives the tensors of its results, or of its only one. */
export type Rule = (place: Place) => string | readonly string[];

export type Rules = Readonly<Record<string, Rule>>;

/** The tensors of operands, each made where it is first read: what no rule reads is not written. */
export function lazily(
  operands: readonly (Value | null)[],
  make: (operand: Value, i: number) => string,
): readonly string[] {
  const list = new Array<string>(operands.length);
  operands.forEach((operand, i) => {
    if (operand === null) return;
    Object.defineProperty(list, i, { get: () => make(operand, i), enumerable: true, configurable: true });
  });
  return list;
}

/** Integers and truth values as floats, of the same numbers. */
export function toFloat({ w, has }: Pick<Place, "w" | "has">, x: string): string {
  const cast = w.node("Cast", [x], { DstT: { type: "float32" } });
  return has("lazy casts") ? w.node("Mul", [cast, w.float(1)]) : cast;
}

/** Truth values moved about as integers: where they are bytes, some kernels of the backend wasm write words. */
export function throughIntegers(rule: Rule): Rule {
  return (place) => {
    const { w, node, x } = place;
    const [output] = node.outputs;
    if (output!.dtype !== "bool") return rule(place);
    const given = lazily(node.inputs, ({ dtype }, i) =>
      dtype === "bool" ? w.node("Cast", [x[i]!], { DstT: { type: "int32" } }) : x[i]!,
    );
    const written = rule({ ...place, x: given });
    const results = typeof written === "string" ? [written] : written;
    return results.map((result) => w.node("Cast", [result], { DstT: { type: "bool" } }));
  };
}
