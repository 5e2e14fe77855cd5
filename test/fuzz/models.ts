import { readdirSync, readFileSync } from "node:fs";
import { tensor } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { Builder } from "../../src/graph/builder.js";
import { encode } from "../../src/graph/encode.js";
import type { Value } from "../../src/graph/graph.js";
import { sigmoid } from "../../src/ops/activation.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { ifElse, loop, scan } from "../../src/ops/control.js";
import { greater } from "../../src/ops/logic.js";
import { operators, opset } from "../../src/ops/opset.js";
import { cast, reshape } from "../../src/ops/reshape.js";
import { slice } from "../../src/ops/slice.js";
import { concat } from "../../src/ops/slicing.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { type Case, type Draw, draw, ints, isDraw, one, operandsOf } from "../ops/cases.js";
import { cases } from "../ops/opset-cases.js";

/** A model to make mutants of. */
export interface Start {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A field dy/dt = y tanh(Σ body(t, y)), as the bytes of a file. */
function fieldFile(name: string, body: (b: Builder, t: Value, y: Value) => Value): Start {
  const b = new Builder();
  const [t, y] = [b.input("t", "float32", []), b.input("y", "float32", [2, 3])];
  const found = cast(b, body(b, t, y), "float32");
  const total = found.shape.length === 0 ? found : reduceSum(b, found);
  return { name, bytes: encode(b.graph({ dydt: mul(b, y, tanh(b, total)) }, name)) };
}

/** Numbers that depend on the state, of the shape and in the bounds of a draw. */
function fromState(b: Builder, y: Value, { shape, low, high }: Draw): Value {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const flat = reshape(b, y, [-1]);
  const copies = Array.from({ length: Math.ceil(size / 6) }, () => flat);
  const enough = size === 0 ? flat : concat(b, copies, 0);
  const bounded = add(b, mul(b, sigmoid(b, enough), high - low), low);
  return reshape(b, slice(b, bounded, 0, 0, size), shape);
}

/** What the operators that no gradient passes through are tried with. */
const further: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"].map((type) => [
      type,
      one(type, [draw([2, 3]), draw([3])]),
    ]),
  ),
  IsNaN: one("", [draw([2, 3])]),
  IsInf: one("", [draw([2, 3])], { detect_negative: 0 }),
  ArgMax: one("", [draw([2, 3])], { axis: 1 }),
  ArgMin: one("", [draw([2, 3])]),
  Hardmax: one("", [draw([2, 3])], { axis: 0 }),
  Shape: one("", [draw([2, 3])]),
  Size: one("", [draw([2, 3])]),
  ConstantOfShape: one("", [ints([2, 2])], { value: tensor("float32", [1], [0.5]) }),
  EyeLike: one("", [draw([2, 2])], { k: 1 }),
  Range: one("", [ints([0], []), ints([6], []), ints([2], [])]),
};

/** One application of an operator, its first float operands made from the state, others stored. */
function operatorFile(type: string, test: Case): Start {
  const op = opset.get(type)!;
  return fieldFile(type, (b, _, y) => {
    const stored = operandsOf(test, "float32");
    const operands = test.operands.map((operand, i) => {
      const value = stored[i]!;
      if (operand === null) return null;
      return isDraw(operand) && i < 2 ? fromState(b, y, operand) : b.constant(value);
    });
    return b.apply(op, operands, test.attributes ?? {});
  });
}

/** Logic, control, and what exporters write. */
function programs(): Start[] {
  const half = (b: Builder, value: Value) => mul(b, value, 0.5);
  return [
    ...["And", "Or", "Xor"].map((type) =>
      fieldFile(type, (b, _, y) => b.apply(opset.get(type)!, [greater(b, y, 0), greater(b, y, 1)])),
    ),
    ...["BitwiseAnd", "BitwiseOr", "BitwiseXor"].map((type) =>
      fieldFile(type, (b, _, y) => {
        const whole = cast(b, mul(b, y, 100), "int32");
        return b.apply(opset.get(type)!, [whole, b.constant(tensor("int32", [3], [1, 6, 255]))]);
      }),
    ),
    fieldFile("BitwiseNot", (b, _, y) => b.apply(opset.get("BitwiseNot")!, [cast(b, y, "int64")])),
    fieldFile("BitShift", (b, _, y) => {
      const whole = cast(b, mul(b, sigmoid(b, y), 200), "uint32");
      return b.apply(opset.get("BitShift")!, [whole, b.scalar("uint32", 2)], { direction: "RIGHT" });
    }),
    fieldFile("Not", (b, _, y) => b.apply(opset.get("Not")!, [greater(b, y, 0)])),
    fieldFile("Loop", (b, _, y) => {
      const { carried, scans } = loop(b, { trips: 3, carried: [y], length: 3 }, (inner, _i, [z]) => ({
        carried: [tanh(inner, z!)],
        scans: [half(inner, z!)],
      }));
      return mul(b, carried[0]!, reduceSum(b, scans[0]!, [0]));
    }),
    fieldFile("Loop", (b, _, y) => {
      const { carried } = loop(b, { trips: 3, carried: [y] }, (inner, _i, [z]) => ({
        carried: [tanh(inner, z!)],
      }));
      return carried[0]!;
    }),
    fieldFile("Scan", (b, _, y) => {
      const row = b.constant(tensor("float32", [3], [0, 0, 0]));
      const { carried } = scan(b, { carried: [row], inputs: [y] }, (inner, [sum], [x]) => ({
        carried: [tanh(inner, mul(inner, sum!, x!))],
        scans: [x!],
      }));
      return carried[0]!;
    }),
    fieldFile(
      "If",
      (b, t, y) =>
        ifElse(
          b,
          greater(b, t, 0.1),
          (c) => [half(c, y)],
          (c) => [tanh(c, y)],
        )[0]!,
    ),
    perceptron(),
  ];
}

function perceptron(): Start {
  const b = new Builder();
  const field = mlp({ dim: 2, hidden: [4], time: true });
  const [t, y] = [b.input("t", "float32", []), b.input("y", "float32", ["batch", 2])];
  const parameters = Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape }]) => [name, b.input(name, "float32", shape)]),
  );
  const initializers = Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape }]) => {
      const size = shape.reduce((product, dim) => product * dim, 1);
      return [
        name,
        tensor(
          "float32",
          shape,
          Array.from({ length: size }, (_, i) => Math.sin(i + 1)),
        ),
      ];
    }),
  );
  const graph = b.graph({ dydt: field.apply(b, parameters, t, y) }, "perceptron");
  return { name: "perceptron", bytes: encode(graph, { initializers }) };
}

/** PyTorch's own files, of both exporters, at opsets 13 to 23. */
function pytorch(): Start[] {
  const folder = new URL("../fixtures/pytorch/", import.meta.url);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".onnx"))
    .map((name) => ({ name, bytes: readFileSync(new URL(name, folder)) }));
}

/** Files of each operator, in each of its cases, and of each kind of program, and PyTorch's; each is a field. */
export function startingModels(): Start[] {
  return [...ownModels(), ...pytorch()];
}

/** Those that revort writes. */
export function ownModels(): Start[] {
  const own = [...cases].flatMap(([{ type }, list]) =>
    list.filter(({ operands }) => operands.length > 0).map((test) => operatorFile(type, test)),
  );
  return [...own, ...Object.entries(further).map(([type, test]) => operatorFile(type, test)), ...programs()];
}

/** Operators that no starting model has; there are none but those that fold away. */
export function untried(starts: readonly Start[]): string[] {
  const names = new Set(starts.map(({ name }) => name));
  return operators.map(({ type }) => type).filter((type) => !names.has(type));
}
