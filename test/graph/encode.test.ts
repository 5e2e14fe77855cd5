import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { ModelProtoSchema } from "onnx-buf";
import { pullback } from "../../src/autodiff/vjp.js";
import { isFloat, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { encode, irVersion } from "../../src/graph/encode.js";
import { type Graph, GraphError, type Value } from "../../src/graph/graph.js";
import { opset as opsetVersion } from "../../src/graph/signature.js";
import { celu } from "../../src/ops/activation.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { ifElse, loop, scan } from "../../src/ops/control.js";
import { greater, isinf, isnan, or } from "../../src/ops/logic.js";
import { argMax } from "../../src/ops/reduce.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { isDraw, operandsOf } from "../ops/cases.js";
import { cases } from "../ops/opset-cases.js";
import { missingModules, python } from "../support/python.js";

function small(): Graph {
  const b = new Builder();
  const x = b.input("x", "float32", ["batch", 2]);
  const { carried, scans } = loop(b, { trips: 3, carried: [x] }, (inner, _, [state]) => {
    const next = tanh(inner, add(inner, mul(inner, state!, 0.5), x));
    return { carried: [next], scans: [next] };
  });
  return b.graph({ y: carried[0]!, all: scans[0]! }, "small");
}

describe("encode", () => {
  it("gives equal graphs equal bytes", () => {
    expect(encode(small())).to.deep.equal(encode(small()));
  });

  it("writes the operator set, the version and what is known about the model", () => {
    const bytes = encode(small(), { doc: "two species", metadata: { units: "mm" } });
    const model = fromBinary(ModelProtoSchema, bytes);
    expect(model.irVersion).to.equal(BigInt(irVersion));
    expect(model.opsetImport.map(({ version }) => version)).to.deep.equal([BigInt(opsetVersion)]);
    expect(model.graph!.docString).to.equal("two species");
    expect(model.metadataProps.map(({ key, value }) => [key, value])).to.deep.equal([["units", "mm"]]);
    expect(model.producerName).to.equal("revort");
  });

  it("names values once, over all scopes, and outputs as they were named", () => {
    const { graph } = fromBinary(ModelProtoSchema, encode(small()));
    const body = graph!.node.find(({ opType }) => opType === "Loop")!.attribute[0]!.g!;
    const defined = [graph!, body].flatMap((part) => [
      ...part.input.map(({ name }) => name),
      ...part.initializer.map(({ name }) => name),
      ...part.node.flatMap(({ output }) => output),
    ]);
    expect(new Set(defined).size).to.equal(defined.length);
    expect(graph!.output.map(({ name }) => name)).to.deep.equal(["y", "all"]);
  });

  it("passes inputs and constants through as outputs", () => {
    const b = new Builder();
    const x = b.input("x", "float32", [2]);
    const one = b.constant(tensor("float32", [1], [1]));
    const y = tanh(b, x);
    const { graph } = fromBinary(ModelProtoSchema, encode(b.graph({ same: x, one, y, again: y })));
    expect(graph!.node.map(({ opType, output }) => [opType, output[0]])).to.deep.equal([
      ["Tanh", "y"],
      ["Identity", "same"],
      ["Identity", "one"],
      ["Identity", "again"],
    ]);
  });

  it("refuses an output named like an input", () => {
    const b = new Builder();
    const x = b.input("x", "float32", [2]);
    expect(() => encode(b.graph({ x: tanh(b, x) }))).to.throw(GraphError, '"x" names two');
  });
});

describe("encoded files beside Python's onnx", () => {
  let folder = "";

  before(function () {
    const why = missingModules("onnx");
    if (why !== null) {
      console.log(`      skipped: ${why}`);
      this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), "revort-encode-"));
  });

  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  /** The problems that onnx finds in files, its own shape inference included. */
  function problems(graphs: readonly Graph[]): string[] {
    graphs.forEach((graph, i) => {
      writeFileSync(join(folder, `${i}.onnx`), encode(graph));
    });
    const script = `
import sys, onnx
for i in range(int(sys.argv[2])):
    model = onnx.load(f"{sys.argv[1]}/{i}.onnx")
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        print(model.graph.name, str(error).replace(chr(10), " ")[:300])
`;
    const { ok, stdout, stderr } = python(script, folder, String(graphs.length));
    expect(ok, stderr).to.equal(true);
    return stdout.split("\n").filter((line) => line !== "");
  }

  it("every operator, with its gradient, is well formed and of the types that were inferred", () => {
    const graphs: Graph[] = [];
    for (const [op, list] of cases) {
      for (const test of list) {
        for (const dtype of ["float32", "float64"] as const) {
          const b = new Builder();
          const wrt: Value[] = [];
          const operands = operandsOf(test, dtype).map((value, i) => {
            if (value === null || !isDraw(test.operands[i]!)) return value && b.constant(value);
            wrt.push(b.input(`x${i}`, value.dtype, value.shape));
            return wrt.at(-1)!;
          });
          const attributes = op.type === "Cast" ? { to: 1 } : test.attributes;
          const outputs = b.emit(op, operands, attributes).filter((value) => isFloat(value.dtype));
          const gradients = pullback(b, outputs, outputs, wrt).filter((g) => g !== null);
          const named = [...outputs, ...gradients].map((value, i) => [`y${i}`, value] as const);
          graphs.push(b.graph(Object.fromEntries(named), `${op.type}, ${test.label}, ${dtype}`));
        }
      }
    }
    expect(problems(graphs)).to.deep.equal([]);
  }).timeout(120000);

  it("loops, branches, scans and what yields no floats are too", () => {
    const b = new Builder();
    const x = b.input("x", "float32", [2, 3]);
    const bad = or(b, isnan(b, x), isinf(b, x));
    const [either] = ifElse(
      b,
      greater(b, b.input("t", "float32", []), 0),
      () => [x],
      (inner) => [celu(inner, x)],
    );
    const walked = scan(b, { carried: [], inputs: [x] }, (inner, _, [row]) => ({
      carried: [],
      scans: [mul(inner, row!, 2)],
    }));
    const all = b.graph({ bad, best: argMax(b, x), either: either!, walked: walked.scans[0]! }, "all");
    expect(problems([small(), all])).to.deep.equal([]);
  });
});
