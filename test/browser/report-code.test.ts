import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { build } from "esbuild";
import type { Browser } from "playwright-core";
import { usageOf } from "../../src/cli/report/usage.js";
import { tensor } from "../../src/core/tensor.js";
import { loadModel } from "../../src/deploy/load-model.js";
import { fixture } from "../cli/command.js";
import { bareSession } from "../deploy/bare.js";
import { openChromium, site } from "./site.js";

const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));

describe("the code for browsers in report.html", () => {
  let browser: Browser | undefined;
  before(async function () {
    const opened = await openChromium();
    if (!("reason" in opened)) {
      browser = opened;
      return;
    }
    console.log(`      skipped: ${opened.reason}`);
    this.skip();
  });
  after(() => browser?.close());

  it("prints what ONNX Runtime computes in Node, once a bundler has found onnxruntime-web", async () => {
    const path = fixture("mlp-dynamo-20-float64.onnx");
    const code = usageOf("field.onnx", await loadModel(path), { t: [0.5], y: [0.3, -0.7] }).find(
      ({ title }) => title.startsWith("Browser"),
    )!.code;
    const bundled = await build({
      ...{ stdin: { contents: code, resolveDir: process.cwd() }, bundle: true, format: "esm", write: false },
    });
    const wasm = ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.jsep", "ort-wasm-simd-threaded.asyncify"];
    const served = await site(
      new Map<string, Uint8Array | string>([
        ["index.html", '<!doctype html><title>code</title><script type="module" src="/use.js"></script>'],
        ["use.js", bundled.outputFiles[0]!.text],
        ["field.onnx", readFileSync(path)],
        ...wasm
          .flatMap((name) => [`${name}.wasm`, `${name}.mjs`])
          .map((name) => [name, readFileSync(join(dist, name))] as const),
      ]),
    );
    try {
      const page = await browser!.newPage();
      const printed = new Promise<number[]>((resolve, reject) => {
        page.on("pageerror", reject);
        page.on("console", async (message) => {
          if (message.type() !== "log") return;
          resolve(await message.args()[0]!.evaluate((data: Float64Array) => Array.from(data)));
        });
      });
      await page.goto(served.url);
      const found = await printed;
      const session = await bareSession(readFileSync(path));
      const [own] = Object.values(
        await session.run({ t: tensor("float64", [], [0.5]), y: tensor("float64", [1, 2], [0.3, -0.7]) }),
      );
      // the same kernels in float64, compiled for other vectors
      for (const [i, value] of Array.from(own!.data as Float64Array).entries()) {
        expect(found[i]).to.be.closeTo(value, 1e-12);
      }
      expect(found).to.have.length(2);
    } finally {
      await served.close();
    }
  });
});
