import { readFileSync } from "node:fs";
import { expect } from "chai";
import { dtypes, ShapeError, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { AttributeError, OperandError, UnsupportedAttributeError } from "../../src/graph/check-call.js";
import { type Attributes, GraphError, type Op, type Value } from "../../src/graph/graph.js";
import { type Signature, opset as writtenOpset } from "../../src/graph/signature.js";
import { adapters } from "../../src/import/adapters.js";
import { formOf } from "../../src/import/forms.js";
import { operators } from "../../src/ops/opset.js";
import { type Case, draw, ints, one, operandsOf } from "./cases.js";
import { cases } from "./opset-cases.js";

// What ONNX says of operators was written by onnx-facts.py, from the package onnx 1.23.

interface Form {
  readonly since: number;
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, readonly [string, number | string | null]>>;
  readonly outputs: number | null;
}

const facts = JSON.parse(
  readFileSync(new URL("../fixtures/onnx-facts.json", import.meta.url), "utf8"),
) as Readonly<Record<string, { types: Readonly<Record<string, string>>; forms: readonly Form[] }>>;

const signatures: readonly Signature[] = [
  ...new Set([...operators.map(({ type }) => type), ...adapters.keys()]),
].map((type) => formOf(type)!);

/** Where a signature says less than the standard, and why. */
const narrower: Readonly<Record<string, string>> = {
  Erf: "of integers, whose erf would be cut off to −1, 0 or 1",
  BitShift: "of integers with a sign, which came with opset 28",
  MaxPool: "of integers of 8 bits, which are for quantised models",
  Resize: "of integers, whose means would be rounded; cast them first",
  Shrink: "of integers, whose bounds would be cut off",
  ReduceL2: "of integers, whose roots would be cut off",
  ReduceLogSum: "of integers, whose logarithms would be cut off",
  ReduceLogSumExp: "of integers, whose logarithms would be cut off",
};
/** Where it says more, and why. */
const wider: Readonly<Record<string, string>> = {
  RotaryEmbedding: "of float64, in which any model may be taken",
};
/** Operands that the standard lets differ in their element types, and revort does not. */
const together: Readonly<Record<string, string>> = {
  BatchNormalization: "moments of another precision than the states; no exporter writes them",
};
/** Attributes that hold what revort has no values for. */
const unheld: Readonly<Record<string, readonly string[]>> = {
  Constant: ["sparse_value", "value_string", "value_strings"],
};
/** Defaults that adapters give, for they are not those of opset 21. */
const adapted: Readonly<Record<string, string>> = {
  Softmax: "axis 1 before opset 13",
  LogSoftmax: "axis 1 before opset 13",
  Hardmax: "axis 1 before opset 13",
  RNN: "activations Tanh and Tanh: a list, which a signature does not say",
  MeanVarianceNormalization: "axes 0, 2 and 3: a list, which a signature does not say",
  Clip: "the largest floats before opset 11, where no bound means none",
};

const options = { Single: "required", Optional: "optional", Variadic: "repeated" } as const;
const oldest = 7;
const newest = 28;

/** Where a signature and the form of the standard at an opset differ, in words. */
function differences(signature: Signature, form: Form, version: number): string[] {
  const found: string[] = [];
  const { type } = signature;
  const note = (what: string, ours: unknown, theirs: unknown) => {
    if (JSON.stringify(ours) !== JSON.stringify(theirs))
      found.push(`${type} at ${version}: ${what} ${ours}, not ${theirs}`);
  };
  const inForce = signature.inputs.filter(({ since = 0 }) => since <= version);
  const theirs = form.inputs.map((text) => {
    const [, , option] = text.split(" ") as [string, string, keyof typeof options];
    return options[option];
  });
  // to leave out C of Gemm is no ambiguity, so that it may be before opset 11, too; nor are scales of Resize beside sizes
  if (!((type === "Gemm" && version < 11) || (type === "Resize" && version < 13))) {
    note(
      "operands",
      inForce.map(({ presence }) => presence),
      theirs,
    );
  }
  const rules = Object.entries(signature.attributes ?? {})
    .filter(([, { since = 0, until = Infinity }]) => since <= version && version < until)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const expected = Object.entries(form.attributes).filter(([name]) => !unheld[type]?.includes(name));
  note(
    "attributes",
    rules.map(([name, { kind }]) => `${name}: ${kind}`),
    expected.map(([name, [kind]]) => `${name}: ${kind.toLowerCase()}`),
  );
  for (const [name, rule] of rules) {
    const standard = form.attributes[name]?.[1] ?? null;
    // a Constant has one of its attributes; which, the record asks
    if (type !== "Constant") note(`${name} required`, rule.required ?? false, standard === "required");
    if (rule.required || type === "Constant" || type in adapted) continue;
    const ours = typeof rule.otherwise === "number" ? Math.fround(rule.otherwise) : rule.otherwise;
    note(`default of ${name}`, ours ?? null, standard);
  }
  // the moments beyond the first result are those of training, whose number changed in opset 14; indices came with opset 8
  const isOlder = type === "MaxPool" && version < 8;
  if (type !== "BatchNormalization" && !isOlder)
    note("results", signature.outputs ?? 1, form.outputs ?? Infinity);
  return found;
}

describe("signatures", () => {
  it("say for each opset what the ONNX standard says: operands, attributes, kinds, defaults, results", () => {
    const found = signatures.flatMap((signature) => {
      const { forms } = facts[signature.type]!;
      return Array.from({ length: newest - oldest + 1 }, (_, i) => oldest + i).flatMap((version) => {
        const form = forms.findLast(({ since }) => since <= version);
        const exists = version >= (signature.since ?? oldest);
        if (form === undefined) return exists ? [`${signature.type} is not there at ${version}`] : [];
        // these had another form before, and are refused there
        if (signature.type === "Scan" && version < 9) return [];
        if (signature.type === "Resize" && version < 11) return [];
        return exists ? differences(signature, form, version) : [`${signature.type} is there at ${version}`];
      });
    });
    expect(found, found.join("\n")).to.deep.equal([]);
  });

  it("take the element types of the standard, of those that are held, or say why fewer", () => {
    const found = signatures.flatMap(({ type, inputs }) => {
      const { types, forms } = facts[type]!;
      return inputs.flatMap((parameter, i) => {
        const [name] = forms.at(-1)!.inputs[i]!.split(" ") as [string];
        const ours = dtypes.filter((dtype) => parameter.types.of.includes(dtype)).join(" ");
        const standard = dtypes.filter((dtype) => types[name]!.split(" ").includes(dtype)).join(" ");
        return ours === standard || type in narrower || type in wider
          ? []
          : [`${type}, ${name}: ${ours}, not ${standard}`];
      });
    });
    expect(found, found.join("\n")).to.deep.equal([]);
  });

  it("let operands differ in their element types where the standard does, or say why not", () => {
    const found = signatures.flatMap(({ type, inputs }) => {
      const letters = facts[type]!.forms.at(-1)!.inputs.map((text) => text.split(" ")[1]!);
      return inputs.flatMap((parameter, i) =>
        inputs.slice(0, i).flatMap((other, j) => {
          const [ours, theirs] = [parameter.types === other.types, letters[i] === letters[j]];
          // two operands that take int64 alone agree, whatever letters they have
          const isMoot = parameter.types.of.length === 1 || other.types.of.length === 1;
          return ours === theirs || isMoot || type in together
            ? []
            : [`${type}: ${letters[j]}, ${letters[i]}`];
        }),
      );
    });
    expect(found, found.join("\n")).to.deep.equal([]);
  });

  it("of records hold at the opset that is written", () => {
    for (const { type, inputs, since = 0 } of operators) {
      expect(since, type).to.be.at.most(writtenOpset);
      for (const parameter of inputs) expect(parameter.since ?? 0, type).to.be.at.most(writtenOpset);
    }
  });
});

/** Operands of the first type that each parameter takes, so that nothing is wrong but what a test makes wrong. */
function plausible(b: Builder, signature: Signature): Value[] {
  return signature.inputs.map(({ name, types, list }) => b.input(name, types.of[0]!, list ? [2] : [2, 2]));
}

/** An attribute's value that its rule allows. */
function allowed(b: Builder, { kind, only, values }: NonNullable<Signature["attributes"]>[string]) {
  const [first] = only ?? values ?? [];
  switch (kind) {
    case "graph":
      return b.child().graph({});
    case "tensor":
      return tensor("float32", [1], [0]);
    case "string":
      return first ?? "ij";
    case "ints":
    case "floats":
      return [first ?? 0] as number[];
    default:
      return first ?? 1;
  }
}

/** The attributes that an operator must have. */
function needed(b: Builder, op: Op): Record<string, Attributes[string]> {
  return Object.fromEntries(
    Object.entries(op.attributes ?? {})
      .filter(([, { required, until }]) => required && until === undefined)
      .map(([name, rule]) => [name, allowed(b, rule) as Attributes[string]]),
  );
}

describe("the builder refuses, for every operator, by name", () => {
  const each = (what: string, body: (op: Op) => void) =>
    it(what, () => {
      for (const op of operators) body(op);
    });

  each("an attribute that it does not have", (op) => {
    const b = new Builder();
    const given = { ...needed(b, op), surprise: 1 };
    expect(() => b.emit(op, plausible(b, op), given), op.type)
      .to.throw(AttributeError)
      .with.property("message")
      .that.matches(new RegExp(`^${op.type} has no attribute "surprise"`));
  });

  each("an attribute that was taken away before opset 21", (op) => {
    for (const [name, rule] of Object.entries(op.attributes ?? {})) {
      if (rule.until === undefined) continue;
      const b = new Builder();
      const given = { ...needed(b, op), [name]: allowed(b, rule) as number };
      expect(() => b.emit(op, plausible(b, op), given), op.type).to.throw(
        AttributeError,
        `${op.type} has no attribute "${name}" (it is gone since opset ${rule.until}`,
      );
    }
  });

  each("an attribute of another kind, and one that is missing", (op) => {
    for (const [name, rule] of Object.entries(op.attributes ?? {})) {
      if (rule.until !== undefined || (rule.since ?? 0) > writtenOpset) continue;
      const attempt = (change: Record<string, number | string>, without?: string) => () => {
        const b = new Builder();
        const { [without ?? ""]: _, ...given } = needed(b, op);
        b.emit(op, plausible(b, op), { ...given, ...change });
      };
      const wrong = rule.kind === "string" ? 1 : "text";
      expect(attempt({ [name]: wrong }), op.type).to.throw(
        AttributeError,
        `The attribute "${name}" of ${op.type} must be `,
      );
      if (rule.kind === "int") {
        expect(attempt({ [name]: 0.5 }), op.type).to.throw(
          AttributeError,
          "must be an integer, but is a float",
        );
      }
      if (!rule.required) continue;
      expect(attempt({}, name), op.type).to.throw(AttributeError, `${op.type} needs the attribute "${name}"`);
    }
  });

  each("flags other than 0 and 1, and words that the standard does not have", (op) => {
    for (const [name, rule] of Object.entries(op.attributes ?? {})) {
      if (rule.values === undefined || rule.until !== undefined || (rule.since ?? 0) > writtenOpset) continue;
      const wrong = rule.kind === "string" ? "sideways" : rule.kind === "ints" ? [2] : 2;
      const b = new Builder();
      expect(() => b.emit(op, plausible(b, op), { ...needed(b, op), [name]: wrong }), op.type).to.throw(
        AttributeError,
        new RegExp(`The attribute "${name}" of ${op.type} must be .*, but is (2|"sideways")`),
      );
    }
  });

  each("one operand too many", (op) => {
    if (op.inputs.at(-1)?.presence === "repeated") return;
    const b = new Builder();
    const operands = [...plausible(b, op), b.input("extra", "float32", [2, 2])];
    expect(() => b.emit(op, operands, needed(b, op)), op.type).to.throw(
      OperandError,
      new RegExp(`${op.type} takes .*, but ${operands.length} were given`),
    );
  });

  each("an operand that is left out and must not be", (op) => {
    op.inputs.forEach(({ name, presence, least }, i) => {
      if (presence === "optional" || least === 0) return;
      const b = new Builder();
      const operands = plausible(b, op).map((value, at) => (at === i ? null : value));
      expect(() => b.emit(op, operands, needed(b, op)), op.type).to.throw(
        OperandError,
        `${op.type}: the operand "${name}" is missing`,
      );
    });
  });

  each("element types that it does not take", (op) => {
    op.inputs.forEach(({ name, types }, i) => {
      for (const dtype of dtypes.filter((candidate) => !types.of.includes(candidate))) {
        const b = new Builder();
        const operands = plausible(b, op).map((value, at) =>
          at === i ? b.input("wrong", dtype, [2, 2]) : value,
        );
        expect(() => b.emit(op, operands, needed(b, op)), `${op.type} of ${dtype}`).to.throw(
          `${op.type}: the operand "${name}" must be ${types.words}, but is ${dtype}[2, 2]`,
        );
      }
    });
  });

  each("operands that are no lists and must be", (op) => {
    op.inputs.forEach(({ name, list, types }, i) => {
      if (!list) return;
      for (const shape of [[], [1, 2]]) {
        const b = new Builder();
        const operands = plausible(b, op).map((value, at) =>
          at === i ? b.input("wrong", types.of[0]!, shape) : value,
        );
        expect(() => b.emit(op, operands, needed(b, op)), op.type).to.throw(
          ShapeError,
          `${op.type}: the operand "${name}" must be a list, of one axis`,
        );
      }
    });
  });

  each("operands of different element types that must agree", (op) => {
    op.inputs.forEach(({ types, mixed, presence, list }, i) => {
      const repeats = presence === "repeated" && !mixed;
      if (types.of.length < 2 || !(repeats || op.inputs.slice(0, i).some((p) => p.types === types))) return;
      const b = new Builder();
      const operands = plausible(b, op);
      operands[repeats ? i + 1 : i] = b.input("wrong", types.of[1]!, list ? [2] : [2, 2]);
      expect(() => b.emit(op, operands, needed(b, op)), op.type).to.throw(
        `${op.type} needs operands of one element type`,
      );
    });
  });

  it("what the standard allows and is not computed", () => {
    const b = new Builder();
    const op = operators.find(({ type }) => type === "BatchNormalization")!;
    expect(() => b.emit(op, plausible(b, op), { training_mode: 1 })).to.throw(
      UnsupportedAttributeError,
      /"training_mode" of BatchNormalization is 1, but .* for 0 only\. .*eval\(\)/,
    );
  });
});

const more: readonly (readonly [string, Case])[] = [
  ["ArgMax", one("", [draw([2, 3])])],
  ["ArgMin", one("", [draw([2, 3])])],
  ["Hardmax", one("", [draw([2, 3])])],
];

/** A case of each operator that has an axis, or axes, of which the test makes others. */
const alongAxes: readonly (readonly [Op, Case])[] = [
  ...[...cases].map(([op, list]) => [op, list[0]!] as const),
  ...more.map(([type, test]) => [operators.find((op) => op.type === type)!, test] as const),
];

describe("axes", () => {
  it("outside the operand are refused, for every operator with an axis", () => {
    const tried: string[] = [];
    for (const [op, test] of alongAxes) {
      if (op.attributes?.axis === undefined) continue;
      tried.push(op.type);
      for (const axis of [17, -17]) {
        const b = new Builder();
        const operands = operandsOf(test, "float32").map((t) => t && b.constant(t));
        expect(() => b.emit(op, operands, { ...test.attributes, axis }), op.type).to.throw(
          ShapeError,
          new RegExp(`${op.type}.*axis ${axis}`),
        );
      }
    }
    const all = operators.filter(({ attributes }) => attributes?.axis !== undefined);
    expect(tried.sort()).to.deep.equal(all.map(({ type }) => type).sort());
  });

  it("named twice, or outside, are refused, for every operator with a list of axes", () => {
    const x = (b: Builder) => b.input("x", "float32", [1, 1]);
    const rest: Record<string, (b: Builder, axes: Value) => (Value | null)[]> = {
      Slice: (b, axes) => [x(b), b.ints([0, 0]), b.ints([1, 1]), axes],
      Pad: (b, axes) => [x(b), b.ints([1, 1, 1, 1]), null, axes],
    };
    const found = operators.filter(({ inputs }) => inputs.some(({ name }) => name === "axes"));
    expect(found.length).to.be.above(10);
    for (const op of found) {
      for (const [axes, message] of [
        [[0, 0], /twice/],
        [[0, op.type === "Unsqueeze" ? -4 : -2], /twice/],
        [[0, 5], /axis 5 is outside/],
      ] as const) {
        const b = new Builder();
        const given = b.ints(axes);
        const operands = rest[op.type]?.(b, given) ?? [x(b), given];
        expect(() => b.emit(op, operands), `${op.type} ${axes}`).to.throw(ShapeError, message);
      }
    }
  });

  it("of a permutation are each named once", () => {
    const b = new Builder();
    const transpose = operators.find(({ type }) => type === "Transpose")!;
    for (const perm of [[0, 0], [0, 2], [0], [1, 0, 2], [-1, 0]]) {
      expect(() => b.emit(transpose, [b.input(`${perm}`, "float32", [2, 3])], { perm })).to.throw(
        ShapeError,
        /not a permutation/,
      );
    }
  });
});

describe("operands that must be one number, or a list", () => {
  const list = (b: Builder) => b.ints([1, 2]);
  const table = (b: Builder) => b.constant(ints([1, 1, 1, 1], [2, 2]));
  const x = (b: Builder) => b.input("x", "float32", [2, 2]);
  const wrong: readonly (readonly [string, (b: Builder) => (Value | null)[]])[] = [
    ["CumSum", (b) => [x(b), list(b)]],
    ["Trilu", (b) => [x(b), list(b)]],
    ["Pad", (b) => [x(b), b.ints([1, 1, 1, 1]), b.constant(tensor("float32", [2], [1, 2]))]],
    ["Clip", (b) => [x(b), b.constant(tensor("float32", [2], [1, 2]))]],
    ["Clip", (b) => [b.input("s", "float32", []), b.constant(tensor("float32", [1], [1]))]],
    ["OneHot", (b) => [list(b), list(b), b.ints([0, 1])]],
    ["OneHot", (b) => [list(b), b.ints([2]), b.ints([0, 1, 2])]],
    ["Tile", (b) => [x(b), table(b)]],
    ["Tile", (b) => [x(b), b.ints([2, -16])]],
    ["Expand", (b) => [x(b), table(b)]],
    ["Reshape", (b) => [x(b), table(b)]],
    ["ReduceSum", (b) => [x(b), table(b)]],
  ];
  for (const [type, operands] of wrong) {
    it(`${type} refuses others`, () => {
      const b = new Builder();
      const op = operators.find((candidate) => candidate.type === type)!;
      expect(() => b.emit(op, operands(b))).to.throw(ShapeError, new RegExp(type));
    });
  }

  it("and an Einsum refuses what is no equation", () => {
    const einsum = operators.find(({ type }) => type === "Einsum")!;
    for (const equation of ["ij->ii", "ij->i->j", "i1->i", "ij=>i", "....ij->ij", "αi->i", "i...j...->ij"]) {
      const b = new Builder();
      expect(() => b.emit(einsum, [x(b)], { equation }), equation).to.throw(
        GraphError,
        /Einsum cannot read the equation/,
      );
    }
  });
});
