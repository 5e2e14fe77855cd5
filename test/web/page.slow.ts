import { expect } from "chai";
import type { Page } from "playwright-core";
import { decodeCheckpoint } from "../../src/deploy/checkpoint-file.js";
import { distance } from "../support/distance.js";
import { type Driven, downloaded, ended, openPage, readyPage } from "./driver.js";
import { whiteDwarfInNode } from "./white-dwarf.js";

// On a GPU in software each of the thousand steps is some hundred operators: half a minute or so an update.

describe("the page, at length", function () {
  this.timeout(900_000);
  let driven: Driven | undefined;
  let page: Page;
  const wrong: string[] = [];

  before(async function () {
    const opened = await openPage();
    if ("reason" in opened) {
      console.log(`      skipped: ${opened.reason}`);
      this.skip();
    }
    driven = opened as Driven;
  });
  beforeEach(async () => {
    page = await readyPage(driven!, wrong);
  });
  afterEach(async () => {
    await page.close();
    expect(wrong.splice(0), "errors in the page").to.deep.equal([]);
  });
  after(() => driven?.close());

  const lossesOf = async (runtime: string, updates: number) => {
    await page.getByRole("combobox", { name: "Runtime", exact: true }).selectOption(runtime);
    await page.getByRole("spinbutton", { name: "Updates" }).fill(String(updates));
    await page.getByRole("button", { name: "Train" }).click();
    expect(await ended(page, 800_000)).to.equal(`Done: ${updates} updates.`);
    return decodeCheckpoint(await downloaded(page, "checkpoint.safetensors"), "the page's").losses;
  };

  it("trains white dwarf on ONNX Runtime in WebAssembly to the loss of Node", async () => {
    // engines and runtimes differ in the last bits
    expect(distance(await lossesOf("ort-wasm", 200), await whiteDwarfInNode("float64", 200))).to.be.below(
      1e-9,
    );
  });

  it("trains white dwarf on a GPU to the loss of Node in float32", async function () {
    const offer = page
      .getByRole("combobox", { name: "Runtime", exact: true })
      .locator("option[value=ort-webgpu]");
    if (await offer.isDisabled()) {
      console.log(`      skipped: ${await offer.textContent()}`);
      this.skip();
    }
    const found = await lossesOf("ort-webgpu", 3);
    const expected = await whiteDwarfInNode("float32", 3);
    for (const [i, loss] of found.entries()) expect(loss / expected[i]! - 1).to.be.within(-0.01, 0.01);
  });

  it("measures gradients on every runtime that works, and all agree", async () => {
    await page.getByRole("button", { name: "Measure" }).click();
    await page.locator("#benchmark-status", { hasText: /^Measured|Error/ }).waitFor({ timeout: 800_000 });
    const rows = await page.locator("#timings tbody tr").all();
    const cells = await Promise.all(rows.map((row) => row.locator("td").allTextContents()));
    expect(cells.length).to.be.within(12, 15);
    for (const [model, runtime, dtype, , each, error] of cells) {
      expect(Number(each), `${model} on ${runtime}`).to.be.above(0);
      expect(Number(error), `${model} on ${runtime}`).to.be.below(dtype === "float64" ? 1e-12 : 1e-3);
    }
  });

  it("trains the flow of two moons, and hands over its sampler", async () => {
    await page.getByRole("combobox", { name: "Experiment", exact: true }).selectOption("two-moons");
    const losses = await lossesOf("jit", 20);
    expect(losses.at(-1)).to.be.below(losses[0]!);
    expect((await downloaded(page, "sample.onnx")).length).to.be.above(1000);
    expect(await page.locator("#charts figure").first().locator("svg[role=img]").count()).to.equal(6);
  });
});
