import { readFileSync } from "node:fs";
import { expect } from "chai";
import { bundlePackage } from "../../scripts/web/bundle.js";
import { buildPage } from "../../scripts/web/page.js";
import { distance } from "../support/distance.js";
import { whiteDwarfInNode } from "../web/white-dwarf.js";
import { findFirefox, inFirefox } from "./firefox.js";

interface Result {
  readonly stopped: string;
  readonly losses: readonly number[];
  readonly ys: readonly number[];
  readonly operators: number;
}

const script = `
import * as revort from "/revort.min.js";
import { failures, task } from "/bundle-task.mjs";
let evaluates = true;
try { new Function("return 1")(); } catch { evaluates = false; }
const inWorker = new Promise((resolve, reject) => {
  const worker = new Worker("/worker.js", { type: "module" });
  worker.onerror = (event) => reject(new Error(event.message));
  worker.onmessage = ({ data }) => resolve(data);
  worker.postMessage("go");
});
const sent = await (async () => ({
  evaluates, page: await task(revort), failures: await failures(revort), worker: await inWorker,
}))().catch((cause) => ({ failure: String(cause.stack ?? cause) }));
await fetch("/result", { method: "POST", body: JSON.stringify(sent) });
`;

const worker = `
import * as revort from "/revort.min.js";
import { task } from "/bundle-task.mjs";
onmessage = async () => postMessage(await task(revort).catch((cause) => ({ failure: String(cause.stack) })));
`;

/** Clicks through the page in its stead, since nothing drives this browser. */
const clicks = `
const until = async (holds) => { while (!holds()) await new Promise((resolve) => setTimeout(resolve, 50)); };
const start = document.querySelector("#train-form button[name=start]");
const status = () => document.querySelector("#train-status").textContent;
await until(() => !start.disabled);
start.click();
await until(() => /^(Done|Stopped|\\w*Error)/.test(status()));
const findings = [...document.querySelectorAll("#findings > div")].map((pair) => [...pair.children].map((part) => part.textContent));
const sent = { status: status(), findings: Object.fromEntries(findings), pictures: document.querySelectorAll("#charts svg[role=img]").length };
await fetch("/result", { method: "POST", body: JSON.stringify(sent) });
`;

describe("revort.min.js in Firefox", () => {
  it("does in a page and in a worker what it does in Node, and its errors have their names", async function () {
    const firefox = findFirefox();
    if ("reason" in firefox) {
      console.log(`      skipped: ${firefox.reason}`);
      this.skip();
    }
    const tasks = new URL("bundle-task.mjs", import.meta.url);
    const files = new Map<string, Uint8Array | string>([
      ["index.html", '<!doctype html><title>revort</title><script type="module" src="/page.js"></script>'],
      ["page.js", script],
      ["worker.js", worker],
      ["bundle-task.mjs", readFileSync(tasks, "utf8")],
      ["revort.min.js", (await bundlePackage()).code],
    ]);
    const found = (await inFirefox(firefox.path, files)) as {
      readonly failure?: string;
      readonly evaluates: boolean;
      readonly page: Result;
      readonly worker: Result;
      readonly failures: Readonly<Record<string, { readonly name: string }>>;
    };
    expect(found.failure).to.equal(undefined);
    expect(found.evaluates, "whether the page may evaluate text").to.equal(false);
    const { task } = await import(tasks.href);
    const inNode: Result = await task(await import("../../src/browser.js"));
    for (const own of [found.page, found.worker]) {
      expect(own.stopped).to.equal("aborted");
      expect(own.operators).to.equal(inNode.operators);
      // another engine compiles the same WebAssembly, whose arithmetic is the same
      expect(distance(own.losses, inNode.losses)).to.be.below(1e-12);
      expect(distance(own.ys, inNode.ys)).to.be.below(1e-12);
    }
    expect(Object.values(found.failures).map(({ name }) => name)).to.deep.equal([
      ...["ShapeError", "OptionError", "OptionError", "ModelError", "ModelError"],
    ]);
  });
});

describe("the page in Firefox", () => {
  it("trains white dwarf to the loss of Node", async function () {
    const firefox = findFirefox();
    if ("reason" in firefox) {
      console.log(`      skipped: ${firefox.reason}`);
      this.skip();
    }
    const built = new Map<string, Uint8Array | string>(await buildPage());
    const html = new TextDecoder().decode(built.get("index.html") as Uint8Array);
    built.set(
      "index.html",
      html.replace("</body>", '<script type="module" src="clicks.js"></script></body>'),
    );
    const found = (await inFirefox(firefox.path, built.set("clicks.js", clicks))) as {
      readonly status: string;
      readonly findings: Readonly<Record<string, string>>;
      readonly pictures: number;
    };
    expect(found.status).to.equal("Done: 1000 updates.");
    const losses = await whiteDwarfInNode("float64", 1000);
    // as the page writes it
    expect(found.findings["lowest loss"]).to.equal(Math.min(...losses).toPrecision(6));
    expect(found.pictures).to.equal(3);
  });
});
