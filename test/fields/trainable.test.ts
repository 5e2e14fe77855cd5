import { readFileSync } from "node:fs";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { fromNested, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { encodeField } from "../../src/deploy/field-file.js";
import { initialParameters, type Values } from "../../src/fields/field.js";
import { type ImportOptions, importedField } from "../../src/fields/imported.js";
import { mlp } from "../../src/fields/mlp.js";
import { rescaled } from "../../src/fields/rescaled.js";
import { UnmatchedPatternError } from "../../src/fields/selection.js";
import { decideTrainable } from "../../src/fields/trainable.js";
import { decode } from "../../src/graph/decode.js";
import type { Model } from "../../src/graph/model.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { explicit } from "../../src/methods/explicit.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { reshape } from "../../src/ops/reshape.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { file, type GraphInit, type NodeInit, node, stored, value } from "../import/onnx-file.js";
import { evaluate, rows } from "../support/evaluate.js";

const f64 = (nested: unknown) => fromNested("float64", nested);
/** Numbers that look like those of a model. */
const weights = (...shape: number[]): Tensor => {
  const random = Random.seeded(shape.reduce((seed, dim) => 10 * seed + dim, 0));
  const length = shape.reduce((product, dim) => product * dim, 1);
  return tensor(
    "float64",
    shape,
    Array.from({ length }, () => random.normal()),
  );
};

/** A field dy/dt of y [n, 2] and t, from its arrays and nodes; the last node computes "dy". */
function model(
  arrays: Readonly<Record<string, Tensor>>,
  nodes: readonly NodeInit[],
  { producer = "", ...graph }: GraphInit & { readonly producer?: string } = {},
): Model {
  const bytes = file(
    {
      input: [value("t", "float64"), value("y", "float64", "n", 2)],
      output: [value("dy", "float64", "n", 2)],
      initializer: Object.entries(arrays).map(([name, array]) => stored(name, array)),
      node: [...nodes],
      ...graph,
    },
    21,
    { producerName: producer },
  );
  return decode(bytes, { source: "m.onnx" });
}

const trainedIn = (m: Model, options: ImportOptions = {}) =>
  Object.keys(importedField(m, options).parameters);
const reasonOf = (m: Model, name: string) =>
  decideTrainable(m).find(({ array }) => array.name === name)!.reason;

describe("what of PyTorch's files is trained", () => {
  const folder = new URL("../fixtures/pytorch/", import.meta.url);
  // written by models/pytorch/export_fields.py: which initializers are parameters of the module, or one transposed
  const cases = JSON.parse(readFileSync(new URL("cases.json", folder), "utf8")) as {
    readonly name: string;
    readonly file: string;
    readonly initializers: Readonly<Record<string, { readonly name: string } | null>>;
  }[];

  it("is what the module has as its parameters, and what was computed from them: in none of its exports anything else", () => {
    for (const one of cases) {
      const m = decode(readFileSync(new URL(one.file, folder)), {
        readExternal: ({ location, offset, length }) =>
          readFileSync(new URL(location, new URL(one.file, folder))).subarray(offset, offset + length),
      });
      const wanted = Object.values(one.initializers).flatMap((initializer) => initializer?.name ?? []);
      const found = decideTrainable(m).filter(({ trainable }) => trainable);
      const names = found.map(({ array }) => array.name);
      expect(names, one.name).to.include.members([...new Set(wanted)]);
      const others = found.filter(({ array }) => !wanted.includes(array.name));
      // the product of two parameters, folded by the older exporter, which keeps no record of it
      const folded = one.name === "derived-torchscript-17" ? ["onnx::MatMul_11"] : [];
      expect(
        others
          .filter(({ reason }) => !/^was computed from the parameter/.test(reason))
          .map(({ array }) => array.name),
        one.name,
      ).to.deep.equal(folded);
    }
  });
});

describe("what of a file is trained", () => {
  it("is no exponent, and not the coefficients of JAX's gelu", () => {
    // jax.nn.gelu by its default formula, as jax2onnx writes it: x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))
    const gelu = model(
      {
        const_0: weights(2, 2),
        const_1: weights(2),
        ipow_exp_0: f64(3),
        const_7: f64(0.044715),
        const_9: f64(Math.sqrt(2 / Math.PI)),
        const_11: f64(1),
        const_13: f64(0.5),
      },
      [
        node("Gemm", ["y", "const_0", "const_1"], ["x"]),
        node("Pow", ["x", "ipow_exp_0"], ["cube"], {}, { name: "node_Pow_5" }),
        node("Mul", ["const_7", "cube"], ["m0"]),
        node("Add", ["x", "m0"], ["a0"]),
        node("Mul", ["const_9", "a0"], ["m1"]),
        node("Tanh", ["m1"], ["th"]),
        node("Add", ["const_11", "th"], ["a1"]),
        node("Mul", ["const_13", "a1"], ["m2"]),
        node("Mul", ["x", "m2"], ["dy"]),
      ],
    );
    expect(trainedIn(gelu)).to.deep.equal(["const_0", "const_1"]);
    expect(reasonOf(gelu, "ipow_exp_0")).to.equal('is the exponent of the node "node_Pow_5" (Pow)');
    expect(reasonOf(gelu, "const_9")).to.include("√(2/π)");
  });

  // names that say nothing: what an array is used for is all that tells
  const uses: readonly (readonly [string, Tensor, readonly NodeInit[], RegExp])[] = [
    [
      "an exponent",
      f64(2.5),
      [node("Pow", ["y", "c"], ["dy"])],
      /exponent of the Pow node that computes "dy"/,
    ],
    ["exponents, one for each component", f64([2, 3]), [node("Pow", ["y", "c"], ["dy"])], /exponent/],
    [
      "an exponent behind an Identity and a Cast",
      fromNested("float32", 3),
      [
        node("Identity", ["c"], ["c1"]),
        node("Cast", ["c1"], ["c2"], { to: 11 }),
        node("Pow", ["y", "c2"], ["dy"]),
      ],
      /exponent/,
    ],
    ["a bound of Clip", f64(0.3), [node("Clip", ["y", "", "c"], ["dy"])], /bound of/],
    ["a bound, written as Min", f64(0.3), [node("Min", ["y", "c"], ["dy"])], /bound of/],
    [
      "an epsilon under a root",
      f64(1e-5),
      [node("Mul", ["y", "y"], ["s"]), node("Add", ["s", "c"], ["v"]), node("Sqrt", ["v"], ["dy"])],
      /epsilon, added before the Sqrt node/,
    ],
    [
      "an epsilon in a denominator",
      f64(1e-6),
      [node("Abs", ["y"], ["s"]), node("Add", ["c", "s"], ["v"]), node("Div", ["y", "v"], ["dy"])],
      /epsilon, added before the Div node/,
    ],
    [
      "the 1 of 1 − z",
      f64(1),
      [node("Sigmoid", ["y"], ["z"]), node("Sub", ["c", "z"], ["dy"])],
      /the 1 of a 1 ± x/,
    ],
    [
      "a scale of attention, applied to the queries",
      f64(0.25),
      [
        node("Mul", ["y", "c"], ["q"]),
        node("Transpose", ["y"], ["k"], { perm: [1, 0] }),
        node("MatMul", ["q", "k"], ["s"]),
        node("Softmax", ["s"], ["w"]),
        node("MatMul", ["w", "y"], ["dy"]),
      ],
      /scales what the Softmax node/,
    ],
    [
      "what a condition is compared with",
      f64(0.1),
      [node("Greater", ["y", "c"], ["g"]), node("Neg", ["y"], ["n"]), node("Where", ["g", "y", "n"], ["dy"])],
      /no derivative of the output passes to it/,
    ],
    [
      "what a Where fills in",
      f64(0.2),
      [node("IsNaN", ["y"], ["g"]), node("Where", ["g", "c", "y"], ["dy"])],
      /what the Where node .* fills in/,
    ],
    [
      "the bias of a product that leaves it out (beta is 0)",
      f64(0.4),
      [
        node("Transpose", ["y"], ["u"], { perm: [1, 0] }),
        node("MatMul", ["u", "y"], ["s"]),
        node("Gemm", ["y", "s", "c"], ["dy"], { beta: { float: 0 } }),
      ],
      /no derivative/,
    ],
  ];
  for (const [what, array, nodes, reason] of uses) {
    it(`is not ${what}`, () => {
      const m = model({ c: array }, nodes);
      expect(reasonOf(m, "c")).to.match(reason);
      expect(trainedIn(m)).to.deep.equal([]);
    });
  }

  it("is no number that standardises the state, by a difference and a division or a factor", () => {
    for (const scale of ["Div", "Mul"]) {
      const m = model({ mean: f64([0.3, 1.7]), scale: f64([2.5, 0.1]), w: weights(2, 2) }, [
        node("Sub", ["y", "mean"], ["centred"]),
        node(scale, ["centred", "scale"], ["x"]),
        node("MatMul", ["x", "w"], ["dy"]),
      ]);
      expect(trainedIn(m)).to.deep.equal(["w"]);
      expect(reasonOf(m, "mean")).to.match(/^standardises the state, in the Sub node/);
    }
  });

  it("is no mask, causal or additive", () => {
    for (const [op, masked] of [
      ["Mul", 0],
      ["Add", -1e9],
    ] as const) {
      const kept = op === "Mul" ? 1 : 0;
      const mask = f64([
        [kept, masked],
        [kept, kept],
      ]);
      const m = model({ w: weights(2, 2), mask }, [
        node("MatMul", ["y", "w"], ["h"]),
        node("Transpose", ["w"], ["v"]),
        node(op, ["v", "mask"], ["s"]),
        node("Softmax", ["s"], ["a"]),
        node("MatMul", ["h", "a"], ["dy"]),
      ]);
      expect(trainedIn(m), op).to.deep.equal(["w"]);
      expect(reasonOf(m, "mask"), op).to.match(/made of 0 and (±1|-1000000000) only/);
    }
  });

  it("is no block of zeros, identity or permutation that the program builds on", () => {
    const m = model(
      {
        w: weights(2, 2),
        zeros: f64([
          [0, 0],
          [0, 0],
        ]),
        two: f64([
          [2, 0],
          [0, 2],
        ]),
        J: f64([
          [0, 1],
          [-1, 0],
        ]),
      },
      [
        node("Add", ["w", "zeros"], ["w1"]),
        node("Add", ["w1", "two"], ["w2"]),
        node("MatMul", ["y", "w2"], ["h"]),
        node("MatMul", ["h", "J"], ["dy"]),
      ],
    );
    expect(trainedIn(m)).to.deep.equal(["w"]);
    expect(reasonOf(m, "zeros")).to.match(/is all zero/);
    expect(reasonOf(m, "two")).to.match(/2 times an identity/);
    expect(reasonOf(m, "J")).to.match(/made of 0 and ±1 only/);
    // they may be parameters after all: who trains is told so
    const doubtful = decideTrainable(m).filter((d) => d.doubtful);
    expect(doubtful.map(({ array }) => array.name)).to.deep.equal(["zeros", "two", "J"]);
  });

  it("is a bias that begins at zero, a gain that begins at one, and a layer of one unit", () => {
    const m = model(
      {
        w: weights(2, 1),
        b: f64([0]),
        v: weights(1, 2),
        c: f64([0, 0]),
        gain: f64([1, 1]),
        shift: f64([0, 0]),
      },
      [
        node("MatMul", ["y", "w"], ["p"]),
        node("Add", ["p", "b"], ["h"]),
        node("Gemm", ["h", "v", "c"], ["g"]),
        node("LayerNormalization", ["g", "gain", "shift"], ["dy"]),
      ],
    );
    expect(trainedIn(m)).to.deep.equal(["w", "b", "v", "c", "gain", "shift"]);
    expect(reasonOf(m, "b")).to.match(/bias of the Add node/);
    expect(decideTrainable(m).flatMap(({ warning }) => warning ?? [])).to.deep.equal([]);
  });

  it("is a weight of a variable's name even where it is all zero, with a warning", () => {
    const zero = f64([
      [0, 0],
      [0, 0],
    ]);
    const nodes = [node("MatMul", ["y", "net.4.weight"], ["dy"])];
    const m = model({ "net.4.weight": zero }, nodes, { producer: "pytorch" });
    expect(trainedIn(m)).to.deep.equal(["net.4.weight"]);
    expect(decideTrainable(m)[0]!.warning).to.match(/"net\.4\.weight" is all zero and will be trained/);
  });

  it("are no integers, whatever their shape and pattern", () => {
    const m = model({ w: weights(2, 2), at: tensor("int64", [2, 2], [0n, 1n, 1n, 0n]) }, [
      node("MatMul", ["y", "w"], ["h"]),
      node("GatherElements", ["h", "at"], ["dy"], { axis: 1 }),
    ]);
    expect(decideTrainable(m).map(({ trainable }) => trainable)).to.deep.equal([true, false]);
    expect(reasonOf(m, "at")).to.equal("is int64");
  });

  it("is found through the bodies of loops and the calls of functions", () => {
    // as JAX exports lax.scan: what the body reads is carried along
    const body: GraphInit = {
      name: "body",
      input: [
        value("i", "int64"),
        value("go", "bool"),
        value("w_in", "float64", 2, 2),
        value("n_in", "float64"),
        value("z", "float64", "n", 2),
      ],
      output: [
        value("on", "bool"),
        value("w_out", "float64", 2, 2),
        value("n_out", "float64"),
        value("z1", "float64", "n", 2),
      ],
      node: [
        node("Identity", ["go"], ["on"]),
        node("Identity", ["w_in"], ["w_out"]),
        node("Identity", ["n_in"], ["n_out"]),
        node("Pow", ["z", "n_in"], ["p"], {}, { name: "inner" }),
        node("MatMul", ["p", "w_in"], ["z1"]),
      ],
    };
    const looped = model({ const_0: weights(2, 2), power: f64(3), three: fromNested("int64", 3) }, [
      node("Loop", ["three", "", "const_0", "power", "y"], ["a", "b", "dy"], { body: { graph: body } }),
    ]);
    expect(trainedIn(looped)).to.deep.equal(["const_0"]);
    expect(reasonOf(looped, "power")).to.equal('is the exponent of the node "inner" (Pow)');

    const called = decode(
      file(
        {
          input: [value("y", "float64", "n", 2)],
          output: [value("dy", "float64", "n", 2)],
          initializer: [stored("w", weights(2, 2)), stored("power", f64(3))],
          node: [node("Layer", ["y", "w", "power"], ["dy"], {}, { domain: "own" })],
        },
        21,
        {
          functions: [
            {
              name: "Layer",
              domain: "own",
              input: ["x", "weight", "n"],
              output: ["out"],
              node: [node("Pow", ["x", "n"], ["p"]), node("MatMul", ["p", "weight"], ["out"])],
              opsetImport: [{ domain: "", version: 21n }],
            },
          ],
          opsetImport: [
            { domain: "", version: 21n },
            { domain: "own", version: 1n },
          ],
        },
      ),
    );
    expect(trainedIn(called)).to.deep.equal(["w"]);
    expect(reasonOf(called, "power")).to.match(/^is the exponent of/);
  });

  it("is counted by the nodes that read it", () => {
    const m = model({ w: weights(2, 2), v: weights(2) }, [
      node("MatMul", ["y", "w"], ["h"]),
      node("MatMul", ["h", "w"], ["g"]),
      node("Mul", ["g", "v"], ["dy"]),
    ]);
    expect(decideTrainable(m).map(({ array, readers }) => [array.name, readers])).to.deep.equal([
      ["w", 2],
      ["v", 1],
    ]);
  });

  it("can be a rate that is one number, a Constant, or in the body of an If", () => {
    const branch = (name: string, array: Tensor): GraphInit => ({
      name,
      output: [value(`${name}_out`, "float64", "n", 2)],
      initializer: [stored("rate", array)],
      node: [node("Mul", ["y", "rate"], [`${name}_out`])],
    });
    const m = model({ const_1: f64(1.3) }, [
      node("Constant", [], ["k"], { value: f64(0.7) }),
      node("ReduceSum", ["t"], ["s"], { keepdims: 0 }),
      node("Less", ["s", "k"], ["early"]),
      node("If", ["early"], ["h"], {
        then_branch: { graph: branch("warm", f64(0.2)) },
        else_branch: { graph: branch("cold", f64(0.4)) },
      }),
      node("Mul", ["h", "const_1"], ["g"]),
      node("Mul", ["g", "k"], ["dy"]),
    ]);
    expect(decideTrainable(m).map(({ array }) => array.name)).to.deep.equal([
      "const_1",
      "k",
      "h/rate",
      "h/rate#2",
    ]);
    const field = importedField(m, { trainable: ["const_?", "k", "h/*"] });
    expect(Object.keys(field.parameters)).to.deep.equal(["const_1", "k", "h/rate", "h/rate#2"]);
    expect(numbers(initialParameters(field, Random.seeded(0), "float64")["h/rate#2"]!)).to.deep.equal([0.4]);
  });

  describe("can be chosen by patterns", () => {
    const m = model({ const_0: weights(2, 2), const_1: weights(2), const_2: f64(1.5), const_3: f64(3) }, [
      node("Gemm", ["y", "const_0", "const_1"], ["x"]),
      node("Pow", ["x", "const_3"], ["p"]),
      node("Mul", ["p", "const_2"], ["dy"]),
    ]);

    it("which add to what is found, or take from it", () => {
      expect(trainedIn(m)).to.deep.equal(["const_0", "const_1"]);
      expect(trainedIn(m, { trainable: "const_2" })).to.deep.equal(["const_0", "const_1", "const_2"]);
      expect(trainedIn(m, { freeze: ["const_1"] })).to.deep.equal(["const_0"]);
      expect(trainedIn(m, { trainable: "*" })).to.have.length(4);
    });

    it("of which the one that says more of a name counts", () => {
      expect(trainedIn(m, { freeze: "*", trainable: "const_2" })).to.deep.equal(["const_2"]);
      expect(trainedIn(m, { trainable: "*", freeze: "const_3" })).to.deep.equal([
        "const_0",
        "const_1",
        "const_2",
      ]);
      expect(trainedIn(m, { trainable: "const_2", freeze: "const_2" })).to.not.include("const_2");
    });

    it("and are warned of where what they choose cannot change, or looks like a block of the program", () => {
      const threshold = model(
        {
          c: f64(0.1),
          zeros: f64([
            [0, 0],
            [0, 0],
          ]),
        },
        [
          node("Greater", ["y", "c"], ["g"]),
          node("MatMul", ["y", "zeros"], ["n"]),
          node("Where", ["g", "y", "n"], ["dy"]),
        ],
      );
      const warnings = decideTrainable(threshold, { trainable: "*" }).map(({ warning }) => warning);
      expect(warnings[0]).to.match(/^"c" was chosen, but no derivative .*: it will not change/);
      expect(warnings[1]).to.match(/^"zeros" is all zero and will be trained/);
    });

    it("or by a function, which then says it of all", () => {
      expect(trainedIn(m, { trainable: (name) => name === "const_3" })).to.deep.equal(["const_3"]);
      expect(trainedIn(m, { freeze: (name) => name === "const_0" })).to.deep.equal(["const_1"]);
    });

    it("which are refused where they fit nothing, with the names that there are", () => {
      expect(() => importedField(m, { trainable: "weight*" })).to.throw(
        UnmatchedPatternError,
        /m\.onnx: no array of floats is called "weight\*"\. There are "const_0", "const_1", "const_2", "const_3"/,
      );
      expect(() => importedField(m, { freeze: ["const_0", "b"] })).to.throw(UnmatchedPatternError, /"b"/);
    });
  });

  describe("of two copies of the same weights", () => {
    // as tf2onnx writes the gradient of a dense layer: W for the layer, Wᵀ beside it
    const w = weights(2, 3);
    const transposed = tensor(
      "float64",
      [3, 2],
      [0, 1, 2].flatMap((j) => [0, 1].map((i) => Number(w.data[3 * i + j]))),
    );
    const arrays = {
      const_fold_opt__1: transposed,
      "MatMul/ReadVariableOp:0": w,
      zero: f64([0, 0]),
      nought: f64([0, 0]),
    };
    const m = model(arrays, [
      node("MatMul", ["y", "MatMul/ReadVariableOp:0"], ["h"]),
      node("Tanh", ["h"], ["a"]),
      node("MatMul", ["a", "const_fold_opt__1"], ["b"]),
      node("Add", ["b", "zero"], ["c"]),
      node("Add", ["c", "nought"], ["dy"]),
    ]);

    it("is one parameter, under the name that the program has for it", () => {
      expect(trainedIn(m)).to.deep.equal(["MatMul/ReadVariableOp:0", "zero", "nought"]);
      expect(decideTrainable(m)[0]!.copyOf).to.deep.equal({
        name: "MatMul/ReadVariableOp:0",
        how: "transposed",
      });
    });

    it("is used in both places, as it is and transposed", async () => {
      const v = [0.3, -0.2, 0.5, 0.1, 0.7, -0.4];
      const { dy } = await evaluate(
        jit(),
        {
          y: rows([1, 2], 2),
          "MatMul/ReadVariableOp:0": tensor("float64", [2, 3], v),
          zero: rows([0.5, -1], 2),
          nought: rows([0, 0], 2),
        },
        (b, { y, ...given }) => {
          const theta = {
            ...given,
            zero: reshape(b, given.zero!, [2]),
            nought: reshape(b, given.nought!, [2]),
          };
          return { dy: importedField(m).apply(b, theta as Values, b.scalar("float64", 0), y!) };
        },
      );
      // tanh(y V) Vᵀ + (0.5, −1), by hand
      const a = [0, 1, 2].map((j) => Math.tanh(v[j]! + 2 * v[3 + j]!));
      const expected = [0, 1].map((i) => a.reduce((sum, x, j) => sum + x * v[3 * i + j]!, [0.5, -1][i]!));
      // some ten roundings of numbers of order one
      numbers(dy).forEach((found, i) => {
        expect(found).to.be.closeTo(expected[i]!, 1e-14);
      });
    });

    it("is kept where one of them is", () => {
      expect(trainedIn(m, { freeze: "const_fold*" })).to.deep.equal(["zero", "nought"]);
    });

    it("is none where there are only zeros to compare", () => {
      const copies = decideTrainable(m).filter(({ copyOf }) => copyOf !== null);
      expect(copies).to.have.length(1);
    });
  });

  describe("in a field that revort exported", () => {
    const inner = mlp({ dim: 2, hidden: [3] });
    const field = rescaled(inner, { shift: [1, 2], scale: [3, 4], rate: 0.5 });
    const ode = neuralOde({ field, method: explicit(midpoint), stepSize: 0.1 });
    const bytes = encodeField(ode, initialParameters(field, Random.seeded(1), "float64"));

    it("is what was a parameter there: the file says so", () => {
      const found = decode(bytes);
      expect(trainedIn(found)).to.have.members(Object.keys(field.parameters));
      expect(decideTrainable(found).filter(({ trainable }) => !trainable)).to.have.length.greaterThan(2);
    });

    it("is so too where an older version of revort wrote it, which did not say", () => {
      const found = decode(bytes);
      const { "revort.parameters": _, ...metadata } = found.metadata;
      expect(trainedIn({ ...found, metadata })).to.have.members(Object.keys(field.parameters));
    });

    it("is so too without knowing who wrote it but for the units of the output", () => {
      const found = decode(bytes);
      const kept = decideTrainable({ ...found, producer: "", metadata: {} }).filter((d) => !d.trainable);
      expect(kept.filter(({ reason }) => /standardises the state/.test(reason))).to.have.length(2);
    });

    it("is decided anew where another program has renamed what the file says is a parameter", () => {
      const found = decode(bytes);
      const metadata = { ...found.metadata, "revort.parameters": '["weight","bias"]' };
      expect(trainedIn({ ...found, metadata })).to.have.members(Object.keys(field.parameters));
    });

    it("is not decided by metadata that are no list of names", () => {
      const found = decode(bytes);
      for (const text of ["", "x", "{}", "[1]", "null"]) {
        const metadata = { ...found.metadata, "revort.parameters": text };
        expect(trainedIn({ ...found, metadata }), text).to.have.members(Object.keys(field.parameters));
      }
    });
  });
});
