import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { fieldGraph } from "../../src/deploy/field-file.js";
import { graphModelFiles, inspectGraphModel, tfjsField, tfjsSolve } from "../../src/deploy/tfjs-file.js";
import { initialParameters } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { Builder } from "../../src/graph/builder.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { rk4 } from "../../src/methods/tableaux.js";
import { add } from "../../src/ops/arithmetic.js";
import { CompileError } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { runGraph } from "../support/evaluate.js";

/** What TensorFlow.js has, as whoever loads a model uses it. */
interface Tf {
  tensor(values: readonly number[], shape: readonly number[]): { dispose(): void };
  setBackend(name: string): Promise<boolean>;
  loadGraphModel(url: string): Promise<{
    inputs: readonly { name: string; shape: readonly number[] }[];
    execute(inputs: object, output: string): { shape: number[]; dataSync(): Float32Array };
  }>;
}

async function loadTf(): Promise<Tf> {
  const of = (found: object) => ("default" in found ? (found.default as object) : found);
  await import("@tensorflow/tfjs-backend-cpu");
  await import("@tensorflow/tfjs-backend-wasm");
  return {
    ...of(await import("@tensorflow/tfjs-core")),
    ...of(await import("@tensorflow/tfjs-converter")),
  } as unknown as Tf;
}

describe("GraphModels as files", () => {
  let tf: Tf;
  let server: Server;
  let files: ReadonlyMap<string, Uint8Array> = new Map();
  let url: string;
  before(async () => {
    tf = await loadTf();
    server = createServer((request, response) => {
      const found = files.get(request.url!.slice(1));
      response.writeHead(found === undefined ? 404 : 200).end(found);
    });
    await new Promise<void>((listening) => {
      server.listen(0, "127.0.0.1", listening);
    });
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.json`;
  });
  after(() => server.close());

  const field = mlp({ dim: 2, hidden: [8], time: true });
  const ode = neuralOde({ field, method: rk4, stepSize: 0.1 });
  const parameters = initialParameters(field, Random.seeded(3), "float64");
  const y0 = [1, 0.5, -0.25, 2, 0, -1];

  for (const backend of ["cpu", "wasm"]) {
    it(`hold a trained field for any batch, which TensorFlow.js loads without revort (${backend})`, async () => {
      await tf.setBackend(backend);
      files = tfjsField(ode, parameters);
      const model = await tf.loadGraphModel(url);
      const own = { t: tensor("float64", [], [0.3]), y: tensor("float64", [3, 2], y0) };
      const { dydt } = await runGraph(jit(), fieldGraph(ode), { ...parameters, ...own });
      for (const rows of [3, 1]) {
        const given = { t: tf.tensor([0.3], []), y: tf.tensor(y0.slice(0, 2 * rows), [rows, 2]) };
        const found = model.execute(given, "dydt");
        expect(found.shape).to.deep.equal([rows, 2]);
        // some twenty roundings to float32 of numbers near 1
        found.dataSync().forEach((value, i) => {
          expect(value).to.be.closeTo(numbers(dydt!)[i]!, 1e-6);
        });
      }
    });

    it(`hold a whole solve, its steps unrolled (${backend})`, async () => {
      await tf.setBackend(backend);
      const saveAt = [0, 0.25, 1];
      files = tfjsSolve(ode, parameters, { t0: 0, saveAt });
      const model = await tf.loadGraphModel(url);
      const start = tensor("float64", [3, 2], y0);
      const { ys } = await solve(ode, { runtime: jit(), parameters, y0: start, t0: 0, saveAt });
      const found = model.execute({ y0: tf.tensor(y0, [3, 2]) }, "ys");
      expect(found.shape).to.deep.equal([3, 3, 2]);
      found.dataSync().forEach((value, i) => {
        // eleven steps of rk4 in float32
        expect(value).to.be.closeTo(numbers(ys)[i]!, 1e-5);
      });
    });
  }

  it("say what they are", () => {
    const text = new TextDecoder().decode(
      tfjsSolve(ode, parameters, { t0: 0, saveAt: [0.5] }).get("model.json"),
    );
    const report = inspectGraphModel(text)!;
    expect(report.inputs).to.deep.equal([{ name: "y0", dtype: "float", shape: [null, 2] }]);
    expect(report.outputs).to.deep.equal([{ name: "ys", dtype: "float", shape: [1, null, 2] }]);
    expect(report.metadata).to.include({
      "revort.kind": "solve",
      "revort.solver": "rk4",
      "revort.dtype": "float32",
    });
    expect(report.weights.files).to.deep.equal(["group1-shard1of1.bin"]);
    expect(inspectGraphModel("{}")).to.equal(null);
    expect(inspectGraphModel("no JSON")).to.equal(null);
  });

  it("are refused where they would be too long, with what to do", () => {
    const short = { ...ode, stepSize: 1e-5 };
    expect(() => tfjsSolve(short, parameters, { t0: 0, saveAt: [1] }))
      .to.throw(CompileError, "more than 50000 operators")
      .with.property("message")
      .that.contains("a larger step size");
  });

  it("cut weights into files that browsers keep", () => {
    const b = new Builder();
    const count = 3 * 2 ** 20;
    const weight = b.constant(tensor("float32", [count], new Float32Array(count).fill(0.5)));
    const found = graphModelFiles(b.graph({ y: add(b, b.input("x", "float32", [count]), weight) }, "large"));
    expect([...found.keys()]).to.deep.equal([
      "model.json",
      ...[1, 2, 3].map((i) => `group1-shard${i}of3.bin`),
    ]);
    expect([...found.values()].slice(1).map(({ length }) => length)).to.deep.equal([
      2 ** 22,
      2 ** 22,
      2 ** 22,
    ]);
  });
});
