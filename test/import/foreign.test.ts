import { expect } from "chai";
import { AttributeProto_AttributeType as AttributeType } from "onnx-buf";
import { pullback } from "../../src/autodiff/vjp.js";
import { fromNested, numbers, type Tensor, tensor, toNested } from "../../src/core/tensor.js";
import { importedField } from "../../src/fields/imported.js";
import { decode } from "../../src/graph/decode.js";
import { ModelError } from "../../src/graph/model.js";
import { instantiate } from "../../src/import/instantiate.js";
import { toGraph } from "../../src/import/to-graph.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { evaluate } from "../support/evaluate.js";
import {
  type AttributeInit,
  attribute,
  file,
  type GraphInit,
  type NodeInit,
  node,
  stored,
  value,
} from "./onnx-file.js";

const f64 = (nested: unknown) => fromNested("float64", nested);
const f32 = (nested: unknown) => fromNested("float32", nested);

/** The results of a file's nodes on both runtimes, which must agree. The last node gives "out". */
async function run(
  inputs: Readonly<Record<string, Tensor>>,
  nodes: readonly NodeInit[],
  more: GraphInit = {},
): Promise<Tensor> {
  const model = decode(
    file({
      input: Object.entries(inputs).map(([name, { dtype, shape }]) => value(name, dtype, ...shape)),
      output: [{ name: "out" }],
      node: [...nodes],
      ...more,
    }),
    { source: "m.onnx" },
  );
  const results = [];
  for (const runtime of [jit(), await ortNode()]) {
    const { out } = await evaluate(runtime, inputs, (b, values) => ({
      out: instantiate(b, model, values).out!,
    }));
    results.push(out);
  }
  const [a, b] = results as [Tensor, Tensor];
  expect(a.shape).to.deep.equal(b.shape);
  // the last digits of sums may differ
  numbers(a).forEach((x, i) => {
    expect(x).to.be.closeTo(numbers(b)[i]!, 1e-6 * (1 + Math.abs(x)));
  });
  return a;
}

function expectClose(found: Tensor, expected: unknown, tolerance: number): void {
  const wanted = f64(expected);
  expect(found.shape).to.deep.equal(wanted.shape);
  numbers(found).forEach((x, i) => {
    expect(x).to.be.closeTo(numbers(wanted)[i]!, tolerance);
  });
}

const floatList = (name: string, floats: number[]): AttributeInit => ({
  name,
  type: AttributeType.FLOATS,
  floats,
});
const ml = { domain: "ai.onnx.ml" };

describe("operators of ai.onnx.ml that are arithmetic", () => {
  const x = f32([
    [1, 2, 3],
    [4, 5, 7],
  ]);

  it("Scaler: (x − offset) · scale, by columns or with one number for all", async () => {
    const scaler = (offset: number[], scale: number[]) =>
      node(
        "Scaler",
        ["x"],
        ["out"],
        {},
        { ...ml, attribute: [floatList("offset", offset), floatList("scale", scale)] },
      );
    // small whole numbers: exact
    expect(toNested(await run({ x }, [scaler([1, 0, 2], [2, 0.5, -1])]))).to.deep.equal([
      [0, 1, -1],
      [6, 2.5, -5],
    ]);
    expect(toNested(await run({ x }, [scaler([1], [3])]))).to.deep.equal([
      [0, 3, 6],
      [9, 12, 18],
    ]);
    expect(() => toGraph(decodeOne(scaler([1, 2], [1])))).to.throw(
      ModelError,
      /Scaler: "offset" has 2 numbers/,
    );
  });

  it("LinearRegressor: X Cᵀ + b, for one target or several", async () => {
    const regressor = (coefficients: number[], targets: number, intercepts?: number[], transform?: string) =>
      node(
        "LinearRegressor",
        ["x"],
        ["out"],
        {},
        {
          ...ml,
          attribute: [
            attribute("targets", targets),
            ...(transform === undefined ? [] : [attribute("post_transform", transform)]),
            floatList("coefficients", coefficients),
            ...(intercepts === undefined ? [] : [floatList("intercepts", intercepts)]),
          ],
        },
      );
    expect(toNested(await run({ x }, [regressor([1, 10, 100, 0, 1, 0], 2, [0.5, -1])]))).to.deep.equal([
      [321.5, 1],
      [754.5, 4],
    ]);
    expect(toNested(await run({ x }, [regressor([1, 1, 1], 1)]))).to.deep.equal([[6], [16]]);
    expect(() => toGraph(decodeOne(regressor([1, 2], 1)))).to.throw(
      ModelError,
      /2 coefficients and 0 intercepts/,
    );
    expect(() => toGraph(decodeOne(regressor([1, 1, 1], 1, [0], "PROBIT")))).to.throw(
      ModelError,
      /post_transform/,
    );
  });

  it("LinearRegressor has its weights as attributes, which can be trained like others", async () => {
    const linear = node(
      "LinearRegressor",
      ["y"],
      ["dy"],
      {},
      {
        ...ml,
        attribute: [
          attribute("targets", 2),
          floatList("coefficients", [1, 2, 3, 4]),
          floatList("intercepts", [5, 6]),
        ],
      },
    );
    const model = decode(
      file({
        input: [value("y", "float32", "n", 2)],
        output: [value("dy", "float32", "n", 2)],
        node: [linear],
      }),
    );
    const field = importedField(model, { float: "float64" });
    expect(
      Object.fromEntries(Object.entries(field.parameters).map(([name, { shape }]) => [name, shape])),
    ).to.deep.equal({
      "dy.coefficients": [2, 2],
      "dy.intercepts": [2],
    });
    const inputs = {
      y: f64([[10, 1]]),
      "dy.coefficients": f64([
        [1, 0],
        [2, 3],
      ]),
      "dy.intercepts": f64([0.5, 0]),
    };
    const { dy } = await evaluate(jit(), inputs, (b, { y, ...theta }) => ({
      dy: field.apply(b, theta, b.scalar("float64", 0), y!),
    }));
    expect(toNested(dy)).to.deep.equal([[10.5, 23]]);
  });

  it("ArrayFeatureExtractor: columns by their numbers", async () => {
    const more = { initializer: [stored("at", fromNested("int64", [2, 0]))] };
    const nodes = [node("ArrayFeatureExtractor", ["x", "at"], ["out"], {}, ml)];
    expect(toNested(await run({ x }, nodes, more))).to.deep.equal([
      [3, 1],
      [7, 4],
    ]);
  });

  it("and trees are refused with the reason", () => {
    const tree = node("TreeEnsembleRegressor", ["x"], ["out"], {}, { ...ml, name: "forest" });
    expect(() => toGraph(decodeOne(tree))).to.throw(
      ModelError,
      /the node "forest" \(ai\.onnx\.ml\.TreeEnsembleRegressor\).*constant in pieces.*no gradient/,
    );
  });
});

/** A file of one node on x [2, 3]. */
function decodeOne(one: NodeInit) {
  return decode(file({ input: [value("x", "float32", 2, 3)], output: [{ name: "out" }], node: [one] }), {
    source: "m.onnx",
  });
}

describe("operators of TensorFlow that tf2onnx leaves in a file", () => {
  it("Erfc: 1 − erf x", async () => {
    // scipy.special.erfc
    const expected = [1.9953222650189528, 1.5204998778130465, 1, 0.4795001221869535, 0.004677734981047266];
    const found = await run({ x: f64([-2, -0.5, 0, 0.5, 2]) }, [node("Erfc", ["x"], ["out"])]);
    // the rounding of numbers of order 1
    expectClose(found, expected, 4e-16);
  });

  it("TanhGrad: the cotangent of tanh, from its result", async () => {
    const nodes = [node("Tanh", ["x"], ["y"]), node("TanhGrad", ["y", "dy"], ["out"])];
    const found = await run({ x: f64([0.3, -1.2]), dy: f64([2, 3]) }, nodes);
    expectClose(found, [2 / Math.cosh(0.3) ** 2, 3 / Math.cosh(1.2) ** 2], 1e-15);
  });
});

describe("functions of small matrices", () => {
  const matrices = [
    [[3]],
    [
      [1, 2],
      [3, 5],
    ],
    [
      [2, -1, 0],
      [1, 3, 2],
      [0, 5, -4],
    ],
    [
      [2, 1, 0, 3],
      [1, 4, -2, 0],
      [0, 3, 5, 1],
      [-1, 2, 2, 6],
    ],
  ];
  // numpy.linalg.det
  const determinants = [3, -1, -48, 348];

  it("Det: of one to four rows, and of batches", async () => {
    for (const [i, matrix] of matrices.entries()) {
      const found = await run({ x: f64(matrix) }, [node("Det", ["x"], ["out"])]);
      // whole numbers that are sums of products of whole numbers
      expect(toNested(found)).to.equal(determinants[i]);
    }
    const batch = f64([
      matrices[1],
      [
        [2, 0],
        [0, 3],
      ],
      [
        [1, 1],
        [1, 1],
      ],
    ]);
    expect(toNested(await run({ x: batch }, [node("Det", ["x"], ["out"])]))).to.deep.equal([-1, 6, 0]);
  });

  it("Det has the derivative det X · X⁻ᵀ", async () => {
    const x = f64(matrices[2]);
    const model = decode(
      file({
        input: [value("x", "float64", 3, 3)],
        output: [{ name: "d" }, { name: "i" }],
        node: [node("Det", ["x"], ["d"]), node("MatrixInverse", ["x"], ["i"])],
      }),
    );
    const { slope, inverse } = await evaluate(jit(), { x }, (b, values) => {
      const { d, i } = instantiate(b, model, values);
      const [gradient] = pullback(b, [d!], [b.scalar("float64", 1)], [values.x!]);
      return { slope: gradient!, inverse: i! };
    });
    const inv = toNested(inverse) as number[][];
    // products of numbers below 50
    expectClose(
      slope,
      [0, 1, 2].map((i) => [0, 1, 2].map((j) => -48 * inv[j]![i]!)),
      1e-13,
    );
  });

  it("MatrixInverse: X⁻¹ X = 1", async () => {
    for (const matrix of matrices) {
      const n = matrix.length;
      const nodes = [node("MatrixInverse", ["x"], ["i"]), node("MatMul", ["i", "x"], ["out"])];
      const identity = matrix.map((_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
      // conditions of some ten, in double precision
      expectClose(await run({ x: f64(matrix) }, nodes), identity, 1e-14);
    }
  });

  it("are refused for what is larger or not square, naming the node", () => {
    for (const shape of [
      [5, 5],
      [2, 3],
    ]) {
      const model = decode(
        file({
          input: [value("x", "float64", ...shape)],
          output: [{ name: "out" }],
          node: [node("Det", ["x"], ["out"], {}, { name: "mass" })],
        }),
      );
      expect(() => toGraph(model)).to.throw(ModelError, /the node "mass" \(Det\): .*at most 4 rows/);
    }
  });
});

describe("results as long as values say", () => {
  it("NonZero of known values: their places, one column each", async () => {
    const more = {
      initializer: [
        stored(
          "mask",
          fromNested("int32", [
            [0, 3, 0],
            [5, 0, -1],
          ]),
        ),
      ],
    };
    const nodes = [
      node("NonZero", ["mask"], ["at"]),
      node("Cast", ["at"], ["a"], { to: 11 }),
      node("Add", ["a", "x"], ["out"]),
    ];
    // numpy.nonzero
    expect(toNested(await run({ x: f64(0) }, nodes, more))).to.deep.equal([
      [0, 1, 1],
      [1, 0, 2],
    ]);
  });

  it("NonZero of computed values is refused", () => {
    expect(() => toGraph(decodeOne(node("NonZero", ["x"], ["out"], {}, { name: "where" })))).to.throw(
      ModelError,
      /the node "where" \(NonZero\): .*not known/,
    );
  });

  it("a slice of a known length that starts where a value says, moved back at the end as JAX does", async () => {
    const more = {
      initializer: [
        stored("lengths", fromNested("int64", [2])),
        stored("axes", fromNested("int64", [0])),
        stored("table", f64([10, 11, 12, 13])),
      ],
    };
    const nodes = [
      node("Cast", ["x"], ["starts"], { to: 7 }),
      node("Add", ["starts", "lengths"], ["ends"]),
      node("Slice", ["table", "starts", "ends", "axes"], ["out"]),
    ];
    const at = async (start: number) => toNested(await run({ x: f64([start]) }, nodes, more));
    expect(await at(0)).to.deep.equal([10, 11]);
    expect(await at(2)).to.deep.equal([12, 13]);
    // jax.lax.dynamic_slice
    expect(await at(3)).to.deep.equal([12, 13]);
    // ONNX counts negative starts from the end
    expect(await at(-3)).to.deep.equal([11, 12]);
  });

  it("and its derivative goes to where it was taken from", async () => {
    const model = decode(
      file({
        input: [value("s", "int64", 1), value("x", "float64", 4)],
        output: [{ name: "out" }],
        initializer: [stored("lengths", fromNested("int64", [2])), stored("axes", fromNested("int64", [0]))],
        node: [node("Add", ["s", "lengths"], ["e"]), node("Slice", ["x", "s", "e", "axes"], ["out"])],
      }),
    );
    const { dx } = await evaluate(
      jit(),
      { s: fromNested("int64", [1]), x: f64([1, 2, 3, 4]) },
      (b, values) => {
        const { out } = instantiate(b, model, values);
        const [dx] = pullback(b, [out!], [b.constant(tensor("float64", [2], [5, 7]))], [values.x!]);
        return { dx: dx! };
      },
    );
    expect(numbers(dx)).to.deep.equal([0, 5, 7, 0]);
  });
});
