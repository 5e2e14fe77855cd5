import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { loadModel } from "../../src/deploy/load-model.js";
import { loadModel as loadFromWeb } from "../../src/deploy/load-model-web.js";
import { ExternalDataError, ModelError } from "../../src/graph/model.js";
import { failure } from "../support/failure.js";

const folder = new URL("../fixtures/pytorch/external-data-dynamo-18/", import.meta.url);
const file = (name: string) => readFileSync(new URL(name, folder));

describe("a model from the web, with tensor data in a file beside it", () => {
  let server: Server;
  let url = "";
  const asked: string[] = [];
  before(async () => {
    server = createServer((request, response) => {
      asked.push(request.url!);
      try {
        response.end(file(request.url!.replace("/models/", "")));
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/model.onnx`;
  });
  after(() => server.close());

  it("is what Node reads from its path, when it is fetched from an address", async () => {
    const found = await loadFromWeb(url);
    const expected = await loadModel(new URL("model.onnx", folder).pathname);
    expect(found.graph).to.deep.equal(expected.graph);
    expect(asked).to.deep.equal(["/models/model.onnx", "/models/model.onnx.data"]);
  });

  it("is the same from bytes, with those of the file", async () => {
    const external = { "model.onnx.data": file("model.onnx.data") };
    const found = await loadFromWeb(file("model.onnx"), { external });
    expect(found.graph).to.deep.equal((await loadFromWeb(url)).graph);
  });

  it("is refused without the file, and with one that is cut short", async () => {
    const missing = await failure(loadFromWeb(file("model.onnx"), { name: "mine.onnx" }), ExternalDataError);
    expect(missing.message).to.match(/^mine\.onnx: .*"model\.onnx\.data"\. Give its bytes as external/);
    const external = { "model.onnx.data": file("model.onnx.data").subarray(0, 8) };
    const short = await failure(loadFromWeb(file("model.onnx"), { external }), ExternalDataError);
    expect(short.message).to.match(/has 8 bytes.*cut short/);
  });

  it("is not asked for outside the model's folder", async () => {
    for (const location of [
      "../model.onnx.d",
      "//other.org/wts",
      "/absolute/paths",
      "a/../../data.12",
      "..\\models\\data1",
    ]) {
      const refused = await failure(
        fromAddress(renamed(file("model.onnx"), "model.onnx.data", location)),
        ExternalDataError,
      );
      expect(refused.message, location).to.match(/outside the model's folder/);
    }
    // what looks like an address is a name in the folder
    const asName = renamed(file("model.onnx"), "model.onnx.data", "http://a.org/wt");
    expect((await failure(fromAddress(asName), ModelError)).message).to.match(
      /models\/http%3A\/\/a\.org\/wt cannot be fetched \(status 404\)/,
    );
  });

  it("is stopped on its way, and refused where there is none", async () => {
    const stopped = await failure(loadFromWeb(url, { signal: AbortSignal.abort() }), Error);
    expect(stopped.name).to.equal("AbortError");
    const none = await failure(loadFromWeb(`${url}2`), ModelError);
    expect(none.message).to.match(/model\.onnx2 cannot be fetched \(status 404\)/);
    expect((await failure(loadFromWeb("no address"), ModelError)).message).to.match(/no address of a model/);
    expect((await failure(loadFromWeb(3 as never), ModelError)).message).to.match(
      /from an address, or from bytes/,
    );
  });

  /** Loads bytes as if they came from an address. */
  async function fromAddress(bytes: Uint8Array<ArrayBuffer>): Promise<unknown> {
    const other = createServer((request, response) => {
      if (request.url === "/models/model.onnx") response.end(bytes);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    try {
      return await loadFromWeb(`http://127.0.0.1:${(other.address() as AddressInfo).port}/models/model.onnx`);
    } finally {
      other.close();
    }
  }
});

/** A file with a text in it replaced by one of the same length. */
function renamed(bytes: Uint8Array, from: string, to: string): Uint8Array<ArrayBuffer> {
  expect(to).to.have.length(from.length);
  const text = Buffer.from(bytes).toString("latin1").replaceAll(from, to);
  return Uint8Array.from(Buffer.from(text, "latin1"));
}
