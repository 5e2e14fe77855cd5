import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { Browser, Page } from "playwright-core";
import { bundlePackage, showSizes } from "../../scripts/web/bundle.js";
import { distance } from "../support/distance.js";
import { gpuInSoftware, openChromium, site } from "./site.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const ort = (name: string) => readFileSync(`${root}/node_modules/onnxruntime-web/dist/${name}`);
const wasm = "ort-wasm-simd-threaded.wasm";

/** Calls a function of a script in the page, with the package. */
const inPage = `
import * as revort from "/revort.min.js";
import { failures, task } from "/bundle-task.mjs";
window.revort = revort;
window.done = { task: () => task(revort), failures: () => failures(revort) };
try { new Function("return 1")(); window.evaluates = true; } catch { window.evaluates = false; }
`;

const inWorker = `
import * as revort from "/revort.min.js";
import { task } from "/bundle-task.mjs";
onmessage = async () => postMessage(await task(revort).catch((cause) => ({ failure: String(cause.stack) })));
`;

interface Result {
  readonly seen: readonly (readonly number[])[];
  readonly stopped: string;
  readonly losses: readonly number[];
  readonly ys: readonly number[];
  readonly file: readonly number[];
  readonly operators: number;
}

describe("revort.min.js", () => {
  let bundle: Awaited<ReturnType<typeof bundlePackage>>;
  let browser: Browser | undefined;
  let reason = "";
  let served: Awaited<ReturnType<typeof site>>;
  let page: Page;
  let inNode: Result;

  before(async () => {
    bundle = await bundlePackage();
    const { task } = await import(new URL("bundle-task.mjs", import.meta.url).href);
    inNode = await task(await import("../../src/browser.js"));
    const opened = await openChromium(gpuInSoftware);
    if ("reason" in opened) {
      reason = opened.reason;
      console.log(`      skipped in part: ${reason}`);
      return;
    }
    browser = opened;
    served = await site(
      new Map<string, Uint8Array | string>([
        ["index.html", '<!doctype html><title>revort</title><script type="module" src="/page.js"></script>'],
        ...([
          ["page.js", inPage],
          ["worker.js", inWorker],
        ] as const),
        ["bundle-task.mjs", readFileSync(new URL("bundle-task.mjs", import.meta.url), "utf8")],
        ["revort.min.js", bundle.code],
        [`elsewhere/${wasm}`, ort(wasm)],
        ["models/field.onnx", Uint8Array.from(inNode.file)],
      ]),
    );
  });
  beforeEach(async () => {
    if (browser === undefined) return;
    page = await browser.newPage();
    await page.goto(served.url);
    await page.waitForFunction("window.done !== undefined");
  });
  afterEach(() => page?.close());
  after(async () => {
    await browser?.close();
    await served?.close();
  });
  const withBrowser = (test: (this: Mocha.Context) => Promise<void>) =>
    async function (this: Mocha.Context) {
      if (browser === undefined) this.skip();
      await test.call(this);
    };

  it("is as large as the README says, to 5 %", () => {
    const said = /revort\.min\.js` \(([\d.]+) MB, ([\d.]+) MB gzipped\)/.exec(
      readFileSync(`${root}/README.md`, "utf8"),
    );
    const is = `The README is to say \`revort.min.js\` (${showSizes(bundle)}); find out what made it grow first.`;
    expect(said, is).to.not.equal(null);
    const [, bytes, gzipped] = said!.map(Number);
    expect(bundle.bytes / 1e6, is).to.be.within(bytes! * 0.95, bytes! * 1.05);
    expect(bundle.gzipped / 1e6, is).to.be.within(gzipped! * 0.95, gzipped! * 1.05);
  });

  it("asks for no other module", () => {
    const code = new TextDecoder().decode(bundle.code);
    expect(
      [...code.matchAll(/(?:^|[;}])import[^("]{0,200}"([^"]+)"/g)].map(([, name]) => name),
    ).to.deep.equal([]);
    expect(code).to.not.match(/from"node:/);
  });

  it("says nothing of runtimes that there are in Node alone, but where it knows that it is there", () => {
    const code = new TextDecoder().decode(bundle.code);
    expect(code).to.not.match(/ort-cuda|threadRuntime|autoNode/);
    // a name by itself is one of a table, not of a sentence
    for (const [found] of code.matchAll(/.ort-cpu./g)) expect(found).to.equal('"ort-cpu"');
    for (const [found] of code.matchAll(/.{25}ortNode/g))
      expect(found).to.equal('"await ortWasm()":"await ortNode');
  });

  /** As in Node, but for the last bits of tanh, which each engine has its own way to. */
  const expectAsInNode = (found: Result) => {
    expect(found.stopped).to.equal("aborted");
    expect(found.seen).to.have.length(8);
    expect(distance(found.losses, inNode.losses)).to.be.below(1e-12);
    expect(distance(found.ys, inNode.ys)).to.be.below(1e-12);
    expect(found.operators).to.equal(inNode.operators);
    expect(found.file.length).to.equal(inNode.file.length);
  };

  it(
    "solves, trains, stops, goes on and exports in a page without a bundler that forbids eval",
    withBrowser(async () => {
      expect(await page.evaluate("evaluates"), "whether the page may evaluate text").to.equal(false);
      expectAsInNode((await page.evaluate("done.task()")) as Result);
    }),
  );

  it(
    "does the same in a worker",
    withBrowser(async () => {
      const found = await page.evaluate(`new Promise((resolve, reject) => {
        const worker = new Worker("/worker.js", { type: "module" });
        worker.onerror = (event) => reject(new Error(event.message));
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage("go");
      })`);
      expectAsInNode(found as Result);
    }),
  );

  it(
    "throws errors that have their names, and that name no runtime which a browser lacks",
    withBrowser(async () => {
      const found = (await page.evaluate("done.failures()")) as Record<
        string,
        { name: string; message: string; isRevort: boolean }
      >;
      const names = Object.fromEntries(Object.entries(found).map(([kind, { name }]) => [kind, name]));
      expect(names).to.deep.equal({
        ...{ shape: "ShapeError", option: "OptionError", runtime: "OptionError" },
        ...{ missing: "ModelError", damaged: "ModelError" },
      });
      expect(Object.values(found).every(({ isRevort }) => isRevort)).to.equal(true);
      expect(found.runtime!.message).to.contain("await ortWasm()");
      expect(found.missing!.message).to.match(/none\.onnx cannot be fetched \(status 404\)/);
      expect(found.damaged!.message).to.match(/^mine\.onnx: /);
      for (const { message } of Object.values(found))
        expect(message).to.not.match(/ort-cpu|ort-cuda|ortNode/);
    }),
  );

  it(
    "loads a model from an address, relative or not, from bytes and from a file",
    withBrowser(async () => {
      const count = await page.evaluate(`(async () => {
        const { loadModel } = revort;
        const bytes = await (await fetch("/models/field.onnx")).arrayBuffer();
        const models = [
          await loadModel("models/field.onnx"),
          await loadModel(new URL("/models/field.onnx", location.href)),
          await loadModel(bytes),
          await loadModel(new File([bytes], "field.onnx")),
        ];
        return models.map((model) => [model.source, model.graph.nodes.length]);
      })()`);
      const address = `${served.url}models/field.onnx`;
      const { operators } = inNode;
      expect(count).to.deep.equal([
        ...[
          [address, operators],
          [address, operators],
          ["The ONNX model", operators],
          ["field.onnx", operators],
        ],
      ]);
    }),
  );

  it(
    "says where ONNX Runtime's WebAssembly is looked for, and takes it from where it is told",
    withBrowser(async () => {
      const refused = (await page.evaluate(
        "revort.ortWasm().then(() => null, ({ name, message }) => ({ name, message }))",
      )) as { name: string; message: string };
      expect(refused.name).to.equal("RuntimeUnavailableError");
      expect(refused.message)
        .to.contain(wasm)
        .and.contain(`ortWasm({ wasmPaths: { wasm: "https://…/${wasm}" } })`);
      const withGpu = await page.evaluate("revort.ortWebGpu().then(() => null, ({ message }) => message)");
      expect(withGpu).to.contain("ort-wasm-simd-threaded.asyncify.wasm").and.contain("ortWebGpu({ wasmPaths");
      // ONNX Runtime does not look twice
      await page.reload();
      await page.waitForFunction("window.done !== undefined");
      const [y] = (await page.evaluate(`(async () => {
        const { mlp, ortWasm, solve } = revort;
        const field = mlp({ dim: 1, hidden: [], time: false });
        const parameters = { "layers.0.weight": [[-1]], "layers.0.bias": [0] };
        const runtime = await ortWasm({ wasmPaths: { wasm: "/elsewhere/${wasm}" } });
        return [...(await solve(field, { runtime, parameters, y0: [1], t0: 0, t1: 1 })).ys.data];
      })()`)) as number[];
      // by steps with an error of 1e-6
      expect(y).to.be.closeTo(Math.exp(-1), 1e-6);
    }),
  );
});
