import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { componentsIn, encodeField, fieldGraph } from "../../src/deploy/field-file.js";
import { type Activation, activations } from "../../src/fields/activations.js";
import { initialParameters, type VectorField } from "../../src/fields/field.js";
import { importedField } from "../../src/fields/imported.js";
import { mlp } from "../../src/fields/mlp.js";
import { sir } from "../../src/fields/physical.js";
import { rescaled } from "../../src/fields/rescaled.js";
import { decode } from "../../src/graph/decode.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { ParameterError } from "../../src/integrate/solve.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint, rk4 } from "../../src/methods/tableaux.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { version } from "../../src/version.js";

const seeded = (field: VectorField, dtype: "float64" | "float32" = "float64") =>
  initialParameters(field, Random.seeded(1), dtype);

/** dy/dt as ONNX Runtime computes it from the file alone. */
async function evaluated(bytes: Uint8Array, t: number, y: ReturnType<typeof tensor>): Promise<number[]> {
  const runtime = await ortNode();
  const session = (await import("onnxruntime-node")).InferenceSession;
  const found = await session.create(bytes);
  const { Tensor } = await import("onnxruntime-node");
  const results = await found.run({
    ...(found.inputNames.includes("t")
      ? { t: new Tensor(y.dtype, tensor(y.dtype, [], [t]).data as never, []) }
      : {}),
    y: new Tensor(y.dtype, y.data as never, y.shape),
  } as never);
  expect(runtime.name).to.equal("ort-cpu");
  return Array.from(results.dydt!.data as Float64Array, Number);
}

describe("a field as a file", () => {
  const field = rescaled(mlp({ dim: 2, hidden: [5], components: ["x", "y, in m"] }), {
    shift: [1, 2],
    scale: [3, 4],
  });
  const ode = neuralOde({ field, method: reversible(midpoint, { coupling: 0.99 }), stepSize: 0.125 });

  it("says how it was trained, on what, and in which units", () => {
    const bytes = encodeField(ode, seeded(field), {
      units: { time: "s", state: "m" },
      trainedOn: "my data.csv",
    });
    const { metadata, doc } = decode(bytes);
    expect(doc).to.include(version);
    expect(metadata).to.deep.equal({
      "revort.version": version,
      "revort.field": field.name,
      "revort.solver": "midpoint",
      "revort.coupling": "0.99",
      "revort.stepSize": "0.125",
      "revort.components": '["x","y, in m"]',
      "revort.unit.time": "s",
      "revort.unit.state": "m",
      "revort.trainedOn": "my data.csv",
      "revort.dtype": "float64",
      "revort.parameters": '["layers.0.weight","layers.0.bias","layers.1.weight","layers.1.bias"]',
    });
    expect(componentsIn(metadata)).to.deep.equal(["x", "y, in m"]);
  });

  it("says no more than there is to say", () => {
    const plain = neuralOde({ field: mlp({ dim: 1, hidden: [] }), method: explicit(rk4), stepSize: 1 });
    const { metadata } = decode(encodeField(plain, seeded(plain.field)));
    expect(metadata).to.have.all.keys(
      ...["version", "field", "solver", "stepSize", "dtype", "parameters"].map((key) => `revort.${key}`),
    );
    expect(componentsIn(metadata)).to.equal(undefined);
  });

  it("has its parameters inside, time and an open batch of states as inputs, and only standard operators", () => {
    const { graph, opsets } = decode(encodeField(ode, seeded(field)));
    expect(graph.inputs).to.deep.equal([
      { name: "t", dtype: "float64", shape: [] },
      { name: "y", dtype: "float64", shape: ["batch", 2] },
    ]);
    expect(graph.outputs).to.deep.equal([{ name: "dydt", dtype: "float64", shape: ["batch", 2] }]);
    expect([...graph.initializers.keys()]).to.include.members(Object.keys(field.parameters));
    expect([...opsets.keys()]).to.deep.equal([""]);
    expect(fieldGraph(ode).inputs.length).to.equal(2 + Object.keys(field.parameters).length);
  });

  it("gives the same bytes each time", () => {
    expect(encodeField(ode, seeded(field))).to.deep.equal(encodeField(ode, seeded(field)));
  });

  for (const dtype of ["float64", "float32"] as const) {
    for (const activation of Object.keys(activations) as Activation[]) {
      it(`runs in ONNX Runtime alone, and comes back as the same field: ${activation}, ${dtype}`, async () => {
        const own = mlp({ dim: 2, hidden: [6], activation });
        const equation = neuralOde({ field: own, method: explicit(rk4), stepSize: 0.1, dtype });
        const bytes = encodeField(equation, seeded(own, dtype));
        const y = tensor(dtype, [3, 2], [0.5, -1, 2, 0.25, -0.75, 0]);
        const found = await evaluated(bytes, 0.5, y);
        const back = importedField(decode(bytes));
        expect(back.dtype).to.equal(dtype);
        expect(Object.keys(back.parameters).sort()).to.deep.equal(Object.keys(own.parameters).sort());
        const again = encodeField(neuralOde({ ...equation, field: back }), seeded(back, dtype));
        expect(await evaluated(again, 0.5, y)).to.deep.equal(found);
        expect(found.every(Number.isFinite)).to.equal(true);
      });
    }
  }

  it("holds a mechanistic field: dS/dt = −b S I / N and so on", async () => {
    const own = sir({ population: 100, b: 2, k: 0.5 });
    const bytes = encodeField(neuralOde({ field: own, method: explicit(rk4), stepSize: 0.1 }), seeded(own));
    const found = await evaluated(bytes, 0, tensor("float64", [1, 3], [90, 10, 0]));
    for (const [i, expected] of [-18, 13, 5].entries()) expect(found[i]).to.be.closeTo(expected, 1e-12);
  });

  it("refuses parameters of another field", () => {
    expect(() => encodeField(ode, {})).to.throw(ParameterError, "is missing");
    const { "layers.0.bias": _, ...rest } = seeded(field);
    const wrong = {
      ...rest,
      "layers.0.bias": tensor("float64", [4], numbers(tensor("float64", [4], [1, 2, 3, 4]))),
    };
    expect(() => encodeField(ode, wrong)).to.throw(ParameterError, "must have shape [5], but has [4]");
  });

  it("takes names of components that are no list of texts for none", () => {
    for (const text of ["", "x,y", "{}", "[1]", '["x",2]', "null"]) {
      expect(componentsIn({ "revort.components": text }), text).to.equal(undefined);
    }
  });
});
