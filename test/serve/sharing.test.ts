import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { Builder } from "../../src/graph/builder.js";
import { decode } from "../../src/graph/decode.js";
import { encode } from "../../src/graph/encode.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { rowsFor } from "../../src/serve/rows.js";
import { rowsIn } from "../../src/serve/sharing.js";
import { centred, layer, perceptron, rounds, rowsAsked, type Served, serving, slow } from "./served.js";

const random = Random.seeded(4);
const draw = (count: number, size: number) =>
  Array.from({ length: count }, () => Array.from({ length: size }, () => random.normal()));

describe("requests that share a run", () => {
  let served: Served;

  before(async () => {
    const files = { "layer.onnx": layer(), "centred.onnx": centred(), "slow.onnx": slow() };
    const fields = { "single.onnx": perceptron("float32"), "double.onnx": perceptron("float64") };
    served = await serving({ ...files, ...fields }, { workers: 1 });
  });
  after(() => served.close());

  /** Sends requests while the only worker is busy, so that they wait beside each other. */
  async function together<T>(send: readonly (() => Promise<T>)[]): Promise<T[]> {
    const busy = served.send("/v2/models/slow/infer", rounds(8000));
    await new Promise((resolve) => setTimeout(resolve, 30));
    const answers = await Promise.all(send.map((one) => one()));
    expect((await busy).status).to.equal(200);
    return answers;
  }

  /** How many requests went through runs of a model together, by the metrics: [requests, runs]. */
  async function counted(model: string): Promise<[number, number]> {
    const text = (await served.send("/metrics")).bytes.toString();
    const value = (what: string) =>
      Number(new RegExp(`revort_run_requests_${what}\\{model="${model}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
    return [value("sum"), value("count")];
  }

  const infer = (model: string) => async (rows: readonly (readonly number[])[]) => {
    const { json } = await served.send(`/v2/models/${model}/infer`, rowsAsked(rows));
    return json.outputs[0].data as number[];
  };
  const solve = (model: string) => async (y0: readonly (readonly number[])[]) => {
    const { json } = await served.send(`/v2/models/${model}/solve`, { y0, t1: 1, saveAt: [0.5, 0.7, 1] });
    return [json.ys, json.y1, json.accepted];
  };
  const works = {
    "inference in float32": { ask: infer("layer"), size: 5, model: "layer" },
    "a solve in float32": { ask: solve("single"), size: 3, model: "single" },
    "a solve in float64": { ask: solve("double"), size: 3, model: "double" },
  };
  for (const [what, { ask, size, model }] of Object.entries(works)) {
    it(`get the answers that they get alone, to the bit: ${what}`, async () => {
      const requests = [1, 3, 1, 2, 7, 1, 1, 4].map((count) => draw(count, size));
      const alone: unknown[] = [];
      for (const rows of requests) alone.push(await ask(rows));
      const before = await counted(model);
      const shared = await together(requests.map((rows) => () => ask(rows)));
      expect(shared).to.deep.equal(alone);
      const after = await counted(model);
      expect(after[0] - before[0]).to.equal(requests.length);
      expect(after[1] - before[1], "runs").to.equal(1);
    });
  }

  it("are those of one solve to the same times alone", async () => {
    const ask = (t1: number) => () => served.send("/v2/models/double/solve", { y0: draw(1, 3), t1 });
    const before = await counted("double");
    const answers = await together([ask(1), ask(2), ask(1), ask(2)]);
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200]);
    expect(answers.map(({ json }) => json.ts[0])).to.deep.equal([1, 2, 1, 2]);
    const after = await counted("double");
    expect(after[1] - before[1], "runs").to.equal(2);
  });

  it("do not suffer from a neighbour that breaks down", async () => {
    const fine = draw(1, 3);
    const alone = await solve("single")(fine);
    // inputs of a perceptron as large as that overflow within it
    const lost = () =>
      served.send("/v2/models/single/solve", { y0: [[3e38, 3e38, 3e38]], t1: 1, saveAt: [0.5, 0.7, 1] });
    const [own, other] = await together<unknown>([() => solve("single")(fine), lost]);
    expect(own).to.deep.equal(alone);
    expect([200, 422]).to.include((other as { status: number }).status);
    const within = await served.send("/v2/models/single/solve", { y0: [fine[0], [3e38, 3e38, 3e38]], t1: 1 });
    if (within.status === 422) expect(within.json.error).to.contain("y0[1]");
  });

  it("are none where rows see each other: a mean over the batch", async () => {
    const { json } = await served.send("/v2/models/centred");
    expect(json.revort).to.include({ shares: false });
    const rows = draw(2, 5);
    const ask = () => infer("centred")(rows);
    const [one, two] = await together([ask, ask]);
    const mean = rows[0]!.map((x, k) => (x + rows[1]![k]!) / 2);
    // float32
    one!.forEach((y, i) => {
      expect(y).to.be.closeTo(rows.flat()[i]! - mean[i % 5]!, 1e-6);
    });
    expect(two).to.deep.equal(one);
  });

  it("are not looked for where the number of rounds is a request's, or a row has no size of its own", () => {
    const open = (shape: (string | number)[]) => {
      const b = new Builder();
      const x = b.input("x", "float32", shape as ["batch", 5]);
      return rowsIn(decode(encode(b.graph({ y: tanh(b, x) }, "open"))));
    };
    expect(open(["batch", 5])).to.deep.equal(["x"]);
    expect(open([3, 5]))
      .to.have.property("reason")
      .that.contains("open dimension");
    expect(rowsIn(decode(layer()))).to.deep.equal(["x"]);
    expect(rowsIn(decode(slow())))
      .to.have.property("reason")
      .that.contains("open dimension");
    expect(rowsIn(decode(perceptron("float32")))).to.deep.equal(["y"]);
  });

  it("go in few different numbers of rows", () => {
    expect([1, 2, 3, 5, 8, 9, 33].map((rows) => rowsFor(rows, 2))).to.deep.equal([2, 2, 4, 8, 8, 16, 64]);
    expect(rowsFor(1000, 2)).to.equal(1024);
    expect(rowsFor(7, 1)).to.equal(8);
  });
});
