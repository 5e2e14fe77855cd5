import { expect } from "chai";
import {
  type Got,
  layer,
  occupation,
  raw,
  requestHead,
  rowsAsked,
  type Served,
  serving,
  slow,
} from "./served.js";

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const asked = rowsAsked([[1, 2, 3, 4, 5]]);

/** Waits until something holds, for a while. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await pause(20);
}

describe("a server under load", () => {
  let served: Served;
  let lasting: (milliseconds: number) => Promise<Got>;
  before(async () => {
    served = await serving({ "layer.onnx": layer(), "slow.onnx": slow() }, { queue: 5 });
    lasting = await occupation(served);
  });
  after(() => served.close());

  const infer = () => served.send("/v2/models/layer/infer", asked);
  const occupy = (milliseconds: number) => [lasting(milliseconds), lasting(milliseconds)];

  it("says that it lives within 50 ms while every worker is busy", async () => {
    const busy = occupy(1500);
    await until(() => served.scheduler.busy === 2);
    const times: number[] = [];
    while (times.length < 20 && served.scheduler.busy === 2) {
      const started = performance.now();
      expect((await served.send("/v2/health/live")).status).to.equal(200);
      times.push(performance.now() - started);
    }
    expect(times.length).to.be.above(2);
    // the median: another process may have the core for a while
    expect(times.sort((a, b) => a - b)[times.length >> 1]).to.be.below(50);
    for (const got of await Promise.all(busy)) expect(got.status).to.equal(200);
  });

  it("turns away what is too much for its queue, and says when to come again", async () => {
    const busy = occupy(1500);
    await until(() => served.scheduler.busy === 2);
    const waiting = Array.from({ length: 5 }, infer);
    await until(() => served.scheduler.waiting === 5);
    const refused = await infer();
    expect(refused.status).to.equal(503);
    expect(Number(refused.headers.get("retry-after"))).to.be.within(1, 60);
    for (const got of await Promise.all([...busy, ...waiting])) expect(got.status).to.equal(200);
  });

  it("answers all the same when its workers are killed, which others replace", async () => {
    const requests = [lasting(500), lasting(500), infer()];
    await pause(50);
    for (const { worker } of served.scheduler.places) worker.end("killed");
    for (const got of await Promise.all([...requests, infer()])) {
      expect(got.status, got.bytes.toString()).to.equal(200);
    }
    const metrics = (await served.send("/metrics")).bytes.toString();
    expect(Number(/revort_workers_replaced_total (\d+)/.exec(metrics)![1])).to.be.at.least(2);
  });

  it("forgets what nobody waits for any more", async () => {
    const busy = occupy(1500);
    // a worker that was killed may still be on its way
    await until(() => served.scheduler.busy === 2);
    const gone = new AbortController();
    const aborted = served
      .send("/v2/models/layer/infer", asked, { signal: gone.signal })
      .catch((error) => error.name);
    await until(() => served.scheduler.waiting === 1);
    expect(served.scheduler.waiting).to.equal(1);
    gone.abort();
    expect(await aborted).to.equal("AbortError");
    await until(() => served.scheduler.waiting === 0);
    expect(served.scheduler.waiting).to.equal(0);
    expect(served.scheduler.busy, "and was not run").to.equal(2);
    await Promise.all(busy);
  });

  const hostile: Readonly<Record<string, readonly [string, RegExp]>> = {
    "no HTTP": ["\x16\x03\x01\x00\r\n\r\n", /^HTTP\/1.1 400 /],
    "headers without end": [
      `GET /v2 HTTP/1.1\r\n${`X: ${"y".repeat(1000)}\r\n`.repeat(100)}`,
      /^HTTP\/1.1 431 /,
    ],
    "two lengths": [`${requestHead}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, /^HTTP\/1.1 400 /],
    "a length and chunks": [
      `${requestHead}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      /^HTTP\/1.1 400 /,
    ],
    "a length beyond its limit": [`${requestHead}Content-Length: 99999999999\r\n\r\n`, /^HTTP\/1.1 413 /],
    "chunks that are none": [`${requestHead}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, /^HTTP\/1.1 400 /],
    "a method that is none": ["NONSENSE /v2 HTTP/1.1\r\nHost: x\r\n\r\n", /^HTTP\/1.1 400 /],
  };
  for (const [what, [text, status]] of Object.entries(hostile)) {
    it(`answers ${what} with a failure, and goes on`, async () => {
      expect(await raw(served.url, text)).to.match(status);
      expect((await infer()).status).to.equal(200);
    });
  }
});

describe("a server that stops", () => {
  it("answers what has come, and nothing more", async () => {
    const served = await serving({ "layer.onnx": layer(), "slow.onnx": slow() }, { workers: 1 });
    const busy = (await occupation(served))(300);
    await pause(50);
    const waiting = served.send("/v2/models/layer/infer", asked);
    await pause(50);
    const closed = served.close();
    await pause(20);
    const late = await served.send("/v2/models/layer/infer", asked).then(
      ({ status }) => status,
      () => "refused",
    );
    expect([503, "refused"]).to.include(late);
    expect((await busy).status).to.equal(200);
    expect((await waiting).status).to.equal(200);
    await closed;
  });
});

describe("a server that wants a token", () => {
  let served: Served;
  before(async () => {
    served = await serving({ "layer.onnx": layer() }, { workers: 1, token: "s3cret" });
  });
  after(() => served.close());

  it("answers without it about its health alone", async () => {
    expect((await served.send("/v2/health/live")).status).to.equal(200);
    expect((await served.send("/v2/health/ready")).status).to.equal(200);
    for (const path of ["/v2", "/v2/models/layer", "/metrics", "/openapi.json", "/nothing"]) {
      const got = await served.send(path);
      expect(got.status, path).to.equal(401);
      expect(got.headers.get("www-authenticate")).to.contain("Bearer");
    }
    expect((await served.send("/v2/models/layer/infer", asked)).status).to.equal(401);
  });

  it("answers with it, and with no other", async () => {
    const bearing = (authorization: string) =>
      served.send("/v2/models/layer/infer", asked, { headers: { authorization } });
    expect((await bearing("Bearer s3cret")).status).to.equal(200);
    expect((await bearing("bearer s3cret")).status).to.equal(200);
    for (const wrong of ["Bearer s3cre", "Bearer s3crett", "Basic s3cret", "s3cret", "Bearer "]) {
      expect((await bearing(wrong)).status, wrong).to.equal(401);
    }
    expect(
      (await served.send("/openapi.json", undefined, { headers: { authorization: "Bearer s3cret" } })).json
        .security,
    ).to.deep.equal([{ token: [] }]);
  });
});
