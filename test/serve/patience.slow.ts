import { expect } from "chai";
import { layer, raw, requestHead, rounds, rowsAsked, type Served, serving, slow } from "./served.js";

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("a server whose patience ends", () => {
  let served: Served;
  before(async () => {
    served = await serving({ "layer.onnx": layer(), "slow.onnx": slow() }, { timeout: 6 });
  });
  after(() => served.close());

  const infer = () => served.send("/v2/models/layer/infer", rowsAsked([[1, 2, 3, 4, 5]]));

  it("gives up what takes too long, and goes on", async () => {
    const started = performance.now();
    const got = await served.send("/v2/models/slow/infer", rounds(50_000_000));
    expect(got.status).to.equal(504);
    expect(performance.now() - started).to.be.within(5900, 10_000);
    expect((await infer()).status).to.equal(200);
  });

  it("says so when a request kills one worker after the other", async () => {
    const poison = served.send("/v2/models/slow/infer", rounds(200_000));
    for (let i = 0; i < 2; i++) {
      for (let waited = 0; waited < 500 && served.scheduler.busy === 0; waited++) await pause(20);
      await pause(100);
      for (const { worker, busy } of served.scheduler.places) if (busy) worker.end("killed");
      await pause(20);
    }
    const got = await poison;
    expect(got.status).to.equal(500);
    expect(got.json.error).to.contain("2 workers ended");
    expect((await infer()).status).to.equal(200);
  });

  it("does not wait for ever for what comes slowly or not at all", async () => {
    const [headers, body] = await Promise.all([
      raw(served.url, "GET /v2 HT"),
      raw(served.url, `${requestHead}Content-Length: 100\r\n\r\n`, "{"),
    ]);
    expect(headers).to.match(/^HTTP\/1.1 408 /);
    expect(body).to.match(/^HTTP\/1.1 408 /);
  });
});
