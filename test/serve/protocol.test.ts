import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { bareSession } from "../deploy/bare.js";
import { centred, layer, oscillator, rowsAsked, type Served, serving, slow } from "./served.js";

const rows = [
  [0.1, -0.2, 0.3, 0.4, 0.5],
  [1, 2, -3, 4, 5],
];
const bytesOf = (values: readonly number[]) => Buffer.from(Float32Array.from(values).buffer);

/** A request with the bytes of its input behind the JSON, as Triton's clients send it. */
function binary(json: object, data: Buffer): { body: Uint8Array; headers: Record<string, string> } {
  const head = Buffer.from(JSON.stringify(json));
  return {
    body: new Uint8Array(Buffer.concat([head, data])),
    headers: { "inference-header-content-length": String(head.length) },
  };
}

describe("the Open Inference Protocol", () => {
  let served: Served;
  let expected: Float32Array;

  before(async () => {
    served = await serving({
      "centred.onnx": centred(),
      "layer.onnx": layer(),
      "oscillator.onnx": oscillator(),
      "slow.onnx": slow(),
    });
    const session = await bareSession(layer());
    expected = (await session.run({ x: tensor("float32", [2, 5], rows.flat()) })).y!.data as Float32Array;
  });
  after(() => served.close());

  it("says that the server lives and is ready, and what it is", async () => {
    expect((await served.send("/v2/health/live")).json).to.deep.equal({ live: true });
    expect((await served.send("/v2/health/ready")).json).to.deep.equal({ ready: true });
    expect((await served.send("/v2")).json).to.include({ name: "revort" });
    expect((await served.send("/v2/models")).json).to.deep.equal({
      models: ["centred", "layer", "oscillator", "slow"],
    });
  });

  it("describes a model by its inputs and outputs, also as Triton's configuration", async () => {
    const { json } = await served.send("/v2/models/oscillator");
    expect(json.inputs).to.deep.equal([
      { name: "t", datatype: "FP64", shape: [] },
      { name: "y", datatype: "FP64", shape: [-1, 2] },
    ]);
    expect(json.outputs).to.deep.equal([{ name: "dydt", datatype: "FP64", shape: [-1, 2] }]);
    expect(json.revort.solve).to.equal(true);
    expect((await served.send("/v2/models/layer/versions/1/ready")).json.ready).to.equal(true);
    const config = (await served.send("/v2/models/layer/config")).json;
    expect(config.input).to.deep.equal([{ name: "x", data_type: "TYPE_FP32", dims: ["-1", "5"] }]);
    expect(
      (await served.send("/v2/repository/index", {})).json.map((one: { state: string }) => one.state),
    ).to.deep.equal([...["READY", "READY", "READY", "READY"]]);
  });

  it("infers from JSON what ONNX Runtime itself computes", async () => {
    const { status, json } = await served.send("/v2/models/layer/infer", { id: "a", ...rowsAsked(rows) });
    expect(status).to.equal(200);
    expect(json).to.include({ model_name: "layer", model_version: "1", id: "a" });
    expect(json.outputs[0]).to.deep.include({ name: "y", datatype: "FP32", shape: [2, 7] });
    // two rows are computed as they are in a batch of two
    expect(Float32Array.from(json.outputs[0].data)).to.deep.equal(expected);
  });

  it("takes nested data, and rows of a request of another length", async () => {
    const nested = { inputs: [{ name: "x", shape: [2, 5], datatype: "FP32", data: rows }] };
    const { json } = await served.send("/v2/models/layer/infer", nested);
    expect(Float32Array.from(json.outputs[0].data)).to.deep.equal(expected);
    const five = [...rows, ...rows, rows[0]!];
    const more = await served.send("/v2/models/layer/infer", rowsAsked(five));
    expect(more.json.outputs[0].shape).to.deep.equal([5, 7]);
    expect(Float32Array.from(more.json.outputs[0].data.slice(0, 14))).to.deep.equal(expected);
  });

  it("takes and gives binary tensors, without a Content-Type", async () => {
    const input = { name: "x", shape: [2, 5], datatype: "FP32", parameters: { binary_data_size: 40 } };
    const json = { inputs: [input], parameters: { binary_data_output: true } };
    const { body, headers } = binary(json, bytesOf(rows.flat()));
    const got = await served.send("/v2/models/layer/infer", new Uint8Array(), {
      method: "POST",
      body: new Blob([body as BlobPart]),
      headers,
    });
    expect(got.status).to.equal(200);
    const length = Number(got.headers.get("inference-header-content-length"));
    const head = JSON.parse(got.bytes.subarray(0, length).toString());
    expect(head.outputs).to.deep.equal([
      { name: "y", datatype: "FP32", shape: [2, 7], parameters: { binary_data_size: 56 } },
    ]);
    const data = got.bytes.subarray(length);
    expect(new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + 56))).to.deep.equal(
      expected,
    );
  });

  const wrong: Readonly<Record<string, readonly [unknown, number, RegExp]>> = {
    "no JSON": [Buffer.from("{"), 400, /no JSON/],
    nothing: [Buffer.from(""), 400, /no JSON/],
    "no UTF-8": [Buffer.from([0xff, 0xfe]), 400, /UTF-8/],
    "an array": [[], 400, /object/],
    "no inputs": [{ inputs: [] }, 400, /"x" is missing/],
    "an unknown input": [
      { inputs: [{ name: "z", shape: [1], datatype: "FP32", data: [1] }] },
      400,
      /no input "z".*are x/,
    ],
    "another type": [
      { inputs: [{ name: "x", shape: [1, 5], datatype: "FP64", data: [1, 2, 3, 4, 5] }] },
      400,
      /float64\[1, 5\].*float32/,
    ],
    "a type that is none": [
      { inputs: [{ name: "x", shape: [1, 5], datatype: "BYTES", data: [] }] },
      400,
      /BYTES.*FP32/,
    ],
    "another shape": [
      { inputs: [{ name: "x", shape: [1, 4], datatype: "FP32", data: [1, 2, 3, 4] }] },
      400,
      /\[1, 4\].*\[batch, 5\]/,
    ],
    "too few numbers": [
      { inputs: [{ name: "x", shape: [1, 5], datatype: "FP32", data: [1] }] },
      400,
      /5 numbers, but 1/,
    ],
    "a word": [
      { inputs: [{ name: "x", shape: [1, 5], datatype: "FP32", data: [1, 2, 3, 4, "5"] }] },
      400,
      /"5".*no number/,
    ],
    "a number beyond float32": [
      { inputs: [{ name: "x", shape: [1, 5], datatype: "FP32", data: [1, 2, 3, 4, 1e300] }] },
      400,
      /too large/,
    ],
    "a shape with a negative": [
      { inputs: [{ name: "x", shape: [-1, 5], datatype: "FP32", data: [] }] },
      400,
      /shape/,
    ],
    "a vast shape": [
      { inputs: [{ name: "x", shape: [1e9, 5], datatype: "FP32", data: [] }] },
      413,
      /more than/,
    ],
    "the same input twice": [
      { inputs: [...rowsAsked(rows).inputs, ...rowsAsked(rows).inputs] },
      400,
      /twice/,
    ],
    "an unknown output": [{ ...rowsAsked(rows), outputs: [{ name: "w" }] }, 400, /no output "w".*are y/],
    "a parameter that would change the answer": [
      { ...rowsAsked(rows), outputs: [{ name: "y", parameters: { classification: 3 } }] },
      400,
      /classification/,
    ],
    "arrays in arrays without end": [
      Buffer.from(
        `{"inputs":[{"name":"x","shape":[1,5],"datatype":"FP32","data":${"[".repeat(50_000)}${"]".repeat(50_000)}}]}`,
      ),
      400,
      /nested/,
    ],
    "a name of the prototype": [
      { inputs: [{ name: "__proto__", shape: [1], datatype: "FP32", data: [1] }] },
      400,
      /no input/,
    ],
  };
  for (const [what, [body, status, says]] of Object.entries(wrong)) {
    it(`refuses ${what}, and says why`, async () => {
      const got = await served.send(
        "/v2/models/layer/infer",
        body instanceof Buffer ? new Uint8Array(body) : body,
      );
      expect(got.status, got.bytes.toString()).to.equal(status);
      expect(got.json.error).to.match(says);
    });
  }

  it("refuses binary data that are not as the JSON says", async () => {
    const asked = (size: number, data: Buffer, length?: string) => {
      const input = { name: "x", shape: [2, 5], datatype: "FP32", parameters: { binary_data_size: size } };
      const { body, headers } = binary({ inputs: [input] }, data);
      return served.send("/v2/models/layer/infer", body, {
        headers: length === undefined ? headers : { "inference-header-content-length": length },
      });
    };
    const data = bytesOf(rows.flat());
    expect((await asked(40, data.subarray(4))).json.error).to.contain("only 36 are left");
    expect((await asked(36, data)).json.error).to.contain("40 bytes, but 36");
    expect((await asked(40, Buffer.concat([data, data]))).json.error).to.contain("40 bytes follow");
    expect((await asked(40, data, "999999")).json.error).to.contain("Inference-Header-Content-Length");
    expect((await asked(40, data, "-1")).status).to.equal(400);
  });

  it("says of integers what JSON does not keep", async () => {
    const inputs = [
      { name: "x", shape: [64, 64], datatype: "FP32", data: new Array(4096).fill(0) },
      { name: "trips", shape: [], datatype: "INT64", data: [2 ** 60] },
    ];
    expect((await served.send("/v2/models/slow/infer", { inputs })).json.error).to.match(
      /all digits.*binary/,
    );
    inputs[1]!.data = [1.5];
    expect((await served.send("/v2/models/slow/infer", { inputs })).json.error).to.contain("no whole number");
  });

  it("does not answer what has no spelling in JSON as if it were something else", async () => {
    // their mean overflows
    const asked = { ...rowsAsked([new Array(5).fill(3e38), new Array(5).fill(3e38)]) };
    const { status, json } = await served.send("/v2/models/centred/infer", asked);
    expect(status).to.equal(422);
    expect(json.error).to.match(/-Infinity at position 0.*binary data/);
    const bytes = await served.send("/v2/models/centred/infer", {
      ...asked,
      outputs: [{ name: "y", parameters: { binary_data: true } }],
    });
    expect(bytes.status).to.equal(200);
    expect(bytes.bytes.readFloatLE(bytes.bytes.length - 4)).to.equal(Number.NEGATIVE_INFINITY);
  });

  it("knows what there is, and what one may do with it", async () => {
    expect((await served.send("/v2/models/nothing")).json.error).to.match(
      /no model "nothing"; there are: centred/,
    );
    expect((await served.send("/v2/models/layer/versions/2")).status).to.equal(404);
    expect((await served.send("/v2/models/..%2f..%2fetc%2fpasswd")).status).to.equal(404);
    expect((await served.send("/v2/models/%zz")).status).to.equal(400);
    expect((await served.send("/nothing")).status).to.equal(404);
    const wrongMethod = await served.send("/v2/models/layer/infer");
    expect(wrongMethod.status).to.equal(405);
    expect(wrongMethod.headers.get("allow")).to.equal("POST");
    expect((await served.send("/v2/health/live", {})).headers.get("allow")).to.equal("GET, HEAD");
  });

  it("refuses what is packed, and what is too large", async () => {
    const packed = await served.send("/v2/models/layer/infer", rowsAsked(rows), {
      headers: { "content-encoding": "gzip" },
    });
    expect(packed.status).to.equal(415);
    const large = await served.send("/v2/models/layer/infer", new Uint8Array(2 ** 22 + 1));
    expect(large.status).to.equal(413);
    const json = await served.send("/v2/models/layer/infer", new Uint8Array(2 ** 21 + 1));
    expect(json.status).to.equal(413);
    expect(json.json.error).to.contain("binary");
  });

  it("has its description as OpenAPI, and counts for Prometheus", async () => {
    const { json } = await served.send("/openapi.json");
    expect(json.openapi).to.equal("3.1.0");
    expect(Object.keys(json.paths)).to.include("/v2/models/{model}/infer");
    const metrics = (await served.send("/metrics")).bytes.toString();
    expect(metrics).to.match(
      /revort_requests_total\{model="layer",route="\/v2\/models\/:model\/infer",status="200"\} \d/,
    );
    expect(metrics).to.match(/revort_models 4\n/);
    // a name that somebody makes up is no label
    expect(metrics).not.to.contain("nothing");
  });
});
