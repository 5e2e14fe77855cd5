import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import fc from "fast-check";
import {
  AttributeProto_AttributeType as AttributeType,
  type GraphProtoSchema,
  ModelProtoSchema,
  TensorProto_DataLocation,
  type TensorProtoSchema,
} from "onnx-buf";
import { RevortError } from "../../src/core/errors.js";
import { numbers } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { type DecodeOptions, decode } from "../../src/graph/decode.js";
import { encode } from "../../src/graph/encode.js";
import { ExternalDataError, type Model, ModelError } from "../../src/graph/model.js";
import { toGraph } from "../../src/import/to-graph.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { loop } from "../../src/ops/control.js";
import { concat } from "../../src/ops/slicing.js";

/** What a message is made from. */
type Init<Schema extends DescMessage> = Extract<MessageInitShape<Schema>, { $typeName?: never }>;
type GraphInit = Init<typeof GraphProtoSchema>;
type TensorInit = Init<typeof TensorProtoSchema>;

const floatType = (...dims: (number | string)[]) => ({
  value: {
    case: "tensorType" as const,
    value: {
      elemType: 1,
      shape: {
        dim: dims.map((dim) => ({
          value:
            typeof dim === "number"
              ? { case: "dimValue" as const, value: BigInt(dim) }
              : { case: "dimParam" as const, value: dim },
        })),
      },
    },
  },
});
const x = { name: "x", type: floatType("batch", 2) };
const y = { name: "y", type: floatType("batch", 2) };
const node = (opType: string, input: string[], output: string[], more: object = {}) => ({
  opType,
  input,
  output,
  ...more,
});

/** A file from its graph: y = Relu(x) with the changes given. */
function file(graph: GraphInit = {}, model: Init<typeof ModelProtoSchema> = {}): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 10n,
      opsetImport: [{ domain: "", version: 21n }],
      graph: { name: "g", input: [x], output: [y], node: [node("Relu", ["x"], ["y"])], ...graph },
      ...model,
    }),
  );
}

function withTensor(tensor: TensorInit, options: DecodeOptions = {}): Model {
  return decode(file({ initializer: [{ name: "w", ...tensor }] }), options);
}

describe("decode", () => {
  it("reads what a file says of itself", () => {
    const model = decode(
      file(
        {},
        {
          producerName: "pytorch",
          producerVersion: "2.0",
          docString: "a field",
          metadataProps: [{ key: "units", value: "m" }],
        },
      ),
    );
    expect(model.irVersion).to.equal(10);
    expect([...model.opsets]).to.deep.equal([["", 21]]);
    expect(model.producer).to.equal("pytorch 2.0");
    expect(model.doc).to.equal("a field");
    expect(model.metadata).to.deep.equal({ units: "m" });
    expect(model.graph.inputs).to.deep.equal([{ name: "x", dtype: "float32", shape: ["batch", 2] }]);
    expect(model.graph.outputs.map(({ name }) => name)).to.deep.equal(["y"]);
  });

  it("reads tensors of every type from raw bytes and from lists", () => {
    const one = (dataType: number, list: TensorInit) =>
      numbers(withTensor({ dataType, dims: [2n], ...list }).graph.initializers.get("w")!);
    expect(one(1, { floatData: [1, 2] })).to.deep.equal([1, 2]);
    expect(one(11, { doubleData: [1, 2] })).to.deep.equal([1, 2]);
    expect(one(7, { int64Data: [1n, -2n] })).to.deep.equal([1, -2]);
    expect(one(13, { uint64Data: [1n, 2n] })).to.deep.equal([1, 2]);
    expect(one(12, { uint64Data: [1n, 4294967295n] })).to.deep.equal([1, 4294967295]);
    for (const dataType of [2, 3, 4, 5, 6, 9]) {
      expect(one(dataType, { int32Data: [1, 0] }), `type ${dataType}`).to.deep.equal([1, 0]);
    }
    expect(one(1, { rawData: new Uint8Array(new Float32Array([3, 4]).buffer) })).to.deep.equal([3, 4]);
  });

  it("reads raw bytes at any alignment and keeps its own copy", () => {
    const bytes = file({
      initializer: [
        { name: "w", dataType: 11, dims: [1n], rawData: new Uint8Array(new Float64Array([0.1]).buffer) },
      ],
    });
    for (let shift = 0; shift < 8; shift++) {
      const moved = new Uint8Array(bytes.length + shift);
      moved.set(bytes, shift);
      const model = decode(moved.subarray(shift));
      moved.fill(0);
      expect(numbers(model.graph.initializers.get("w")!)).to.deep.equal([0.1]);
    }
  });

  it("does not count an initializer among the inputs, though old files list it there", () => {
    const model = decode(
      file({
        input: [x, { name: "w", type: floatType(1) }],
        initializer: [{ name: "w", dataType: 1, dims: [1n], floatData: [2] }],
      }),
    );
    expect(model.graph.inputs.map(({ name }) => name)).to.deep.equal(["x"]);
  });

  it("leaves unknown operators and domains for those who look at the file", () => {
    const model = decode(file({ node: [node("Fancy", ["x"], ["y"], { domain: "com.example" })] }));
    expect(model.graph.nodes[0]).to.include({ opType: "Fancy", domain: "com.example" });
  });

  it("names the file in every error", () => {
    expect(() => decode(new Uint8Array(), { source: "a/b.onnx" })).to.throw(ModelError, /^a\/b\.onnx: /);
  });
});

describe("decode refuses", () => {
  const refuses = (what: string, bytes: () => Uint8Array, message: RegExp) =>
    it(what, () => {
      expect(() => decode(bytes())).to.throw(ModelError, message);
    });

  refuses("an empty file", () => new Uint8Array(), /empty/);
  refuses(
    "what is not ONNX",
    () => new TextEncoder().encode("PK\u0003\u0004 not a model"),
    /not an ONNX model/,
  );
  refuses("a file cut short", () => file().subarray(0, 30), /cut short/);
  refuses("a file without a graph", () => new Uint8Array([8, 10]), /no graph/);
  refuses("a file without an IR version", () => file({}, { irVersion: 0n }), /no IR version/);
  refuses("an IR version from the future", () => file({}, { irVersion: 99n }), /IR version 99/);
  refuses(
    "an opset from the future",
    () => file({}, { opsetImport: [{ version: 99n }] }),
    /opset 99.*opset 21/,
  );
  refuses("an opset from before broadcasting", () => file({}, { opsetImport: [{ version: 6n }] }), /opset 6/);
  refuses("a file without an opset", () => file({}, { opsetImport: [] }), /which version/);
  refuses(
    "two opsets of one domain",
    () => file({}, { opsetImport: [{ version: 20n }, { domain: "ai.onnx", version: 21n }] }),
    /two versions/,
  );
  refuses(
    "a result that is given twice",
    () => file({ node: [node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"])] }),
    /"y" is given twice/,
  );
  refuses(
    "a result named like an input",
    () => file({ node: [node("Relu", ["x"], ["x"])] }),
    /"x" is given twice/,
  );
  refuses("two inputs of one name", () => file({ input: [x, x] }), /two of the graph input "x"/);
  refuses("two outputs of one name", () => file({ output: [y, y] }), /two outputs named "y"/);
  refuses(
    "an operand that nothing computes",
    () => file({ node: [node("Relu", ["z"], ["y"])] }),
    /"z", which is no input/,
  );
  refuses(
    "nodes that are not in order",
    () => file({ node: [node("Relu", ["h"], ["y"]), node("Relu", ["x"], ["h"])] }),
    /only later/,
  );
  refuses("a cycle", () => file({ node: [node("Add", ["x", "y"], ["y"])] }), /cycle/);
  refuses(
    "an output that nothing computes",
    () => file({ output: [{ name: "z", type: floatType() }] }),
    /"z".*no node/,
  );
  refuses("a node without an operator", () => file({ node: [node("", ["x"], ["y"])] }), /no operator/);
  refuses(
    "names that would change a prototype",
    () =>
      file({
        output: [{ name: "__proto__", type: floatType() }],
        node: [node("Relu", ["x"], ["__proto__"])],
      }),
    /__proto__/,
  );
  refuses(
    "sparse tensors",
    () => file({ sparseInitializer: [{ values: { name: "s", dims: [1n], dataType: 1 }, dims: [9n] }] }),
    /"s".*sparse/,
  );
  refuses(
    "inputs that are no tensors",
    () => file({ input: [{ name: "x", type: { value: { case: "sequenceType", value: {} } } }] }),
    /"x" is a sequence/,
  );
  refuses(
    "an input with a negative dimension",
    () => file({ input: [{ name: "x", type: floatType(-3) }] }),
    /dimension -3/,
  );
  for (const [type, name] of [
    [8, "string"],
    [10, "float16"],
    [16, "bfloat16"],
    [17, "float8e4m3fn"],
    [22, "int4"],
    [999, "number 999"],
  ] as const) {
    refuses(
      `tensors of type ${name}`,
      () => file({ initializer: [{ name: "w", dataType: type, dims: [1n] }] }),
      new RegExp(`"w".*${name}`),
    );
  }

  it("subgraphs nested beyond measure", () => {
    let graph: GraphInit = { name: "innermost", output: [{ name: "x" }] };
    for (let i = 0; i < 40; i++) {
      graph = {
        name: `g${i}`,
        output: [{ name: `v${i}` }],
        node: [
          node("If", ["x"], [`v${i}`], {
            attribute: [{ name: "then_branch", type: AttributeType.GRAPH, g: graph }],
          }),
        ],
      };
    }
    expect(() => decode(file({ ...graph, input: [x] }))).to.throw(ModelError, /nest/);
  });

  it("a small file that would become millions of objects", () => {
    const empties = new Uint8Array(4_000_000);
    for (let i = 0; i < empties.length; i += 2) empties[i] = 0x0a;
    const length = [
      0x80 | (empties.length & 0x7f),
      0x80 | ((empties.length >> 7) & 0x7f),
      0x80 | ((empties.length >> 14) & 0x7f),
      empties.length >> 21,
    ];
    const bytes = new Uint8Array([8, 10, 0x3a, ...length, ...empties]);
    expect(() => decode(bytes)).to.throw(ModelError, /more than 1000000 messages/);
  });

  it("tensors whose data do not fill their shape, before making room for them", () => {
    const bad: [TensorInit, RegExp][] = [
      [{ dataType: 1, dims: [3n], floatData: [1, 2] }, /needs 3 values.*has 2 values/],
      [{ dataType: 1, dims: [3n], rawData: new Uint8Array(8) }, /needs 3 values \(12 bytes\).*8 bytes/],
      [{ dataType: 1, dims: [1n << 40n, 1n << 10n], rawData: new Uint8Array(8) }, /needs/],
      [{ dataType: 1, dims: [1n << 62n, 1n << 62n] }, /no tensor can have/],
      [{ dataType: 1, dims: [-1n] }, /no tensor can have/],
      [{ dataType: 1, dims: [0n, 1n << 62n] }, /no tensor can have/],
      [{ dataType: 1, dims: new Array(100).fill(1n), floatData: [1] }, /no tensor can have/],
      [{ dataType: 1, dims: [1n], floatData: [1], rawData: new Uint8Array(4) }, /twice/],
      [{ dataType: 3, dims: [1n], int32Data: [300] }, /300.*out of the range of int8/],
      [{ dataType: 9, dims: [1n], rawData: new Uint8Array([2]) }, /other than 0 and 1/],
      [{ dataType: 9, dims: [1n], int32Data: [2] }, /other than 0 and 1/],
      [{ dataType: 1, dims: [1n], floatData: [1], segment: { begin: 0n, end: 1n } }, /segments/],
    ];
    for (const [tensor, message] of bad) expect(() => withTensor(tensor)).to.throw(ModelError, message);
  });

  it("external data without a way to read it, and what does not match it", () => {
    const external = (entries: Record<string, string>): TensorInit => ({
      dataType: 1,
      dims: [2n],
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    });
    const stored = new Uint8Array(new Float32Array([5, 6]).buffer);
    const readExternal = () => stored;
    const good = withTensor(external({ location: "w.bin", offset: "0", length: "8" }), { readExternal });
    expect(numbers(good.graph.initializers.get("w")!)).to.deep.equal([5, 6]);
    expect(() => withTensor(external({ location: "w.bin" }))).to.throw(ExternalDataError, /"w".*"w\.bin"/);
    for (const entries of [
      {},
      { location: "w.bin", length: "4" },
      { location: "w.bin", length: "eight" },
      { location: "w.bin", offset: "-1" },
      { location: "w.bin", offset: "99999999999999999999" },
    ]) {
      expect(() => withTensor(external(entries as Record<string, string>), { readExternal })).to.throw(
        ExternalDataError,
      );
    }
    expect(() =>
      withTensor(external({ location: "w.bin" }), { readExternal: () => new Uint8Array(4) }),
    ).to.throw(ExternalDataError, /4 were read/);
  });
});

/** A small graph with a loop, constants, several outputs and a symbolic batch. */
function example(): Uint8Array {
  const b = new Builder();
  const input = b.input("x", "float32", ["batch", 2]);
  const w = b.constant({ dtype: "float32", shape: [2], data: new Float32Array([0.5, -2]) });
  const { carried } = loop(b, { trips: 3, carried: [mul(b, input, w)] }, (inner, _, [state]) => ({
    carried: [add(inner, mul(inner, state!, 0.5), input)],
  }));
  return encode(b.graph({ y: carried[0]!, z: concat(b, [input, carried[0]!], 1) }), { metadata: { a: "b" } });
}

describe("decode, whatever the bytes", () => {
  /** Either a model, which then becomes a graph or does not, or an error of revort's own. */
  function survives(bytes: Uint8Array): void {
    try {
      toGraph(decode(bytes));
    } catch (error) {
      if (!(error instanceof RevortError)) throw error;
    }
  }

  it("random bytes give a model or a typed error", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), survives), { seed: 1, numRuns: 2000 });
  });

  it("mutations of a valid file give a model or a typed error", () => {
    const valid = example();
    const mutation = fc.record({
      at: fc.nat(valid.length - 1),
      bytes: fc.uint8Array({ maxLength: 6 }),
      drop: fc.nat(6),
    });
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        let bytes = valid;
        for (const { at, bytes: inserted, drop } of mutations) {
          bytes = new Uint8Array([...bytes.subarray(0, at), ...inserted, ...bytes.subarray(at + drop)]);
        }
        survives(bytes);
      }),
      { seed: 2, numRuns: 3000 },
    );
  });

  it("every truncation of a valid file gives a typed error or a model", () => {
    const valid = example();
    for (let length = 0; length < valid.length; length++) survives(valid.subarray(0, length));
  });

  it("every single flipped bit of a valid file gives a typed error or a model", () => {
    const valid = example();
    for (let bit = 0; bit < valid.length * 8; bit++) {
      const bytes = valid.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      survives(bytes);
    }
  });
});
