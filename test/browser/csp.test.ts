import { expect } from "chai";
import { findChromium, inChromium } from "./chromium.js";

const taskFile = new URL("task.mjs", import.meta.url);

const script = `
import * as revort from "/dist/browser.js";
import { task } from "/test/browser/task.mjs";
let evaluates = true;
try { new Function("return 1")(); } catch { evaluates = false; }
const result = task(revort).then((found) => ({ ...found, evaluates }));
`;

describe("the compiled runtime in a browser that forbids eval", () => {
  it("computes what it computes in Node, to the bit", async function () {
    const chromium = findChromium();
    if ("reason" in chromium) {
      console.log(`      skipped: ${chromium.reason}`);
      this.skip();
    }
    const page = { project: "tsconfig.build.json", script, flags: ["--disable-gpu"] };
    const { evaluates, ...inBrowser } = (await inChromium(chromium.path, page)) as Record<string, unknown>;
    const { task } = await import(taskFile.href);
    const inNode = await task(await import(new URL("../../src/browser.ts", import.meta.url).href));
    expect(evaluates, "whether the page may evaluate text").to.equal(false);
    expect(inNode.ys).to.have.length(24);
    // WebAssembly leaves no freedom to the engine, but for the bits of NaN
    expect(inBrowser).to.deep.equal(inNode);
  });
});
