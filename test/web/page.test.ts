import { expect } from "chai";
import type { Page } from "playwright-core";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { decodeCheckpoint } from "../../src/deploy/checkpoint-file.js";
import { ownData } from "../../src/experiments/own-data.js";
import { whiteDwarf } from "../../src/experiments/white-dwarf.js";
import { initialParameters } from "../../src/fields/field.js";
import { importedField } from "../../src/fields/imported.js";
import { decode } from "../../src/graph/decode.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { methodNamed } from "../../src/methods/named.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { parseTimeSeries } from "../../src/storage/csv.js";
import { decodeSafetensors } from "../../src/storage/safetensors.js";
import { train } from "../../src/train/train.js";
import { distance } from "../support/distance.js";
import { type Driven, downloaded, ended, finding, openPage, readyPage } from "./driver.js";
import { whiteDwarfInNode } from "./white-dwarf.js";

/** Losses of a series of 100 000 updates in Node, of which some are done without a stop. */
async function seriesInNode(text: string, updates: number): Promise<readonly number[]> {
  const experiment = ownData("spiral.csv", parseTimeSeries(text, { source: "spiral.csv" }));
  const { protocol, field, data } = experiment;
  const ode = neuralOde({ field: field(), method: methodNamed("midpoint"), stepSize: protocol.stepSize });
  const runtime = jit();
  const stop = new AbortController();
  const { losses } = await train(ode, await data({ ode, runtime, file: null }), {
    ...{ runtime, steps: 100_000, loss: protocol.loss(), optimiser: protocol.optimiser({}) },
    ...{ schedule: protocol.schedule!(100_000), gradient: protocol.gradient, check: false },
    signal: stop.signal,
    onUpdate: ({ step }) => {
      if (step === updates) stop.abort();
    },
  });
  return losses;
}

describe("the page", () => {
  let driven: Driven | undefined;
  let page: Page;
  let wrong: string[] = [];

  before(async function () {
    const opened = await openPage();
    if ("reason" in opened) {
      console.log(`      skipped: ${opened.reason}`);
      this.skip();
    }
    driven = opened as Driven;
  });
  beforeEach(async () => {
    wrong = [];
    page = await readyPage(driven!, wrong);
  });
  afterEach(async () => {
    await page.close();
    expect(wrong, "errors in the page").to.deep.equal([]);
  });
  after(() => driven?.close());

  const choose = (label: string, value: string) =>
    page.getByRole("combobox", { name: label, exact: true }).selectOption(value);
  const trainFor = async (updates: number) => {
    await page.getByRole("spinbutton", { name: "Updates" }).fill(String(updates));
    await page.getByRole("button", { name: "Train" }).click();
    return ended(page);
  };

  it("trains white dwarf on jit to the loss of Node, and hands over a field that runs there", async () => {
    expect(await trainFor(1000)).to.equal("Done: 1000 updates.");
    const { losses } = decodeCheckpoint(
      await downloaded(page, "checkpoint.safetensors"),
      "the page's checkpoint",
    );
    const expected = await whiteDwarfInNode("float64", 1000);
    // engines differ in the last bits of Math.cos and Math.log, by which weights are drawn; a thousand updates carry that on
    expect(distance(losses, expected)).to.be.below(1e-9);
    expect(Math.abs(losses.at(-1)! / expected.at(-1)! - 1)).to.be.below(1e-9);
    expect(await finding(page, "lowest loss")).to.be.closeTo(Math.min(...expected), 1e-9);

    const { tensors } = decodeSafetensors(await downloaded(page, "parameters.safetensors"));
    const field = importedField(decode(await downloaded(page, "field.onnx")));
    const method = methodNamed("midpoint", { coupling: 0.999 });
    const times = [1, 3, 5];
    const request = { y0: tensor("float64", [1, 2], [1, 0]), t0: 0, saveAt: times };
    const again = await solve(neuralOde({ field, method, stepSize: 0.005 }), {
      ...{ ...request, runtime: await ortNode() },
      parameters: initialParameters(field, Random.seeded(0), "float64"),
    });
    const own = await solve(neuralOde({ field: whiteDwarf.field(), method, stepSize: 0.005 }), {
      ...{ ...request, runtime: jit(), parameters: tensors },
    });
    expect(distance(numbers(again.ys), numbers(own.ys))).to.be.below(1e-12);
  });

  it("trains on ONNX Runtime in WebAssembly to the losses of Node", async () => {
    await choose("Runtime", "ort-wasm");
    expect(await trainFor(2)).to.equal("Done: 2 updates.");
    const { losses } = decodeCheckpoint(await downloaded(page, "checkpoint.safetensors"), "the page's");
    expect(distance(losses, await whiteDwarfInNode("float64", 2))).to.be.below(1e-9);
  });

  it("trains a visitor's own series, stops, and goes on to the same losses as without a stop", async () => {
    const rows = Array.from({ length: 21 }, (_, i) => {
      const t = i / 4;
      return `${t},${i === 3 ? "" : Math.exp(-t / 3) * Math.cos(t)},${Math.exp(-t / 3) * Math.sin(t)}`;
    });
    const text = ["t,position,velocity", ...rows].join("\n");
    await choose("Experiment", "own data");
    const buffer = Buffer.from(text);
    await page.getByLabel(/Your series/).setInputFiles({ name: "spiral.csv", mimeType: "text/csv", buffer });
    await page.getByRole("spinbutton", { name: "Updates" }).fill("100000");
    await page.getByRole("button", { name: "Train" }).click();
    await page.locator("#number-step", { hasText: /^\d+ of/ }).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    expect(await ended(page)).to.match(/^Stopped after update \d+\.$/);
    const { step } = decodeCheckpoint(await downloaded(page, "checkpoint.safetensors"), "the page's");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator("#train-status", { hasText: "Training" }).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await ended(page);
    const found = decodeCheckpoint(await downloaded(page, "checkpoint.safetensors"), "the page's");
    expect(found.step).to.be.above(step);
    const expected = await seriesInNode(text, Math.min(found.step, step + 50));
    // a difference in the last bits of the first weights grows on the way
    expect(distance(found.losses.slice(0, expected.length), expected)).to.be.below(1e-6);
    const names = await page.locator("#charts .panel-title").allTextContents();
    expect(names).to.deep.equal(["position", "velocity"]);
    await page.getByRole("link", { name: "field.onnx", exact: true }).waitFor();
  });

  it("stops what is still being prepared, and says what was kept, not what was meant to be", async () => {
    await choose("Solver", "semi-implicit-euler");
    await page.getByRole("spinbutton", { name: "Updates" }).fill("100000");
    await page.getByRole("button", { name: "Train" }).click();
    await page.getByRole("button", { name: "Stop" }).click();
    expect(await ended(page)).to.equal("Stopped after update 0.");
    expect(await trainFor(3)).to.equal("Done: 3 updates.");
    // undoing its steps loses states here, which the first update finds out
    const kept = /^(\d+) states .* of 1001 \(32 kB\), reversible:(\d+)$/.exec(
      (await page.textContent("#number-kept"))!,
    );
    expect(kept).to.not.equal(null);
    expect(Number(kept![1])).to.equal(Math.ceil(1000 / Number(kept![2])));
  });

  it("says what is wrong with a series, and goes on working", async () => {
    await choose("Experiment", "own data");
    await page.getByRole("button", { name: "Train" }).click();
    await page.getByText("Choose a CSV file first.").waitFor();
    const buffer = Buffer.from("t,x\n0,1\n1,none\n");
    await page.getByLabel(/Your series/).setInputFiles({ name: "bad.csv", mimeType: "text/csv", buffer });
    expect(await trainFor(10)).to.match(/^DataError: bad\.csv, line 3, column "x": /);
    await choose("Experiment", "influenza");
    expect(await trainFor(20)).to.equal("Done: 20 updates.");
    expect(Number(await page.textContent("#number-loss"))).to.be.above(0);
    await choose("Experiment", "own data");
    expect(await trainFor(10)).to.match(/^DataError/);
    expect(await page.textContent("#number-loss"), "that of the run before").to.equal("–");
  });

  it("takes numbers that stand for missing values, and asks for them where some look like it", async () => {
    const give = async (gap: string) => {
      const rows = Array.from({ length: 12 }, (_, i) => `${i / 4},${i % 5 === 3 ? gap : Math.exp(-i / 12)}`);
      const buffer = Buffer.from(["t,x", ...rows].join("\n"));
      await page.getByLabel(/Your series/).setInputFiles({ name: "gaps.csv", mimeType: "text/csv", buffer });
    };
    await choose("Experiment", "own data");
    await give("-999");
    expect(await trainFor(2)).to.equal("Done: 2 updates.");
    expect(await page.textContent("#notes")).to.match(
      /-999 .*or name it above as missing, and train again\.$/,
    );
    await page.getByLabel(/stand for missing/).fill("-999, none");
    await page.getByRole("button", { name: "Train" }).click();
    await page
      .getByText('Missing values are numbers separated by commas, such as -999, but "none" is none.')
      .waitFor();
    // of no other experiment
    await choose("Experiment", "influenza");
    expect(await trainFor(2)).to.equal("Done: 2 updates.");
    await choose("Experiment", "own data");
    await page.getByLabel(/stand for missing/).fill("-999");
    expect(await trainFor(2)).to.equal("Done: 2 updates.");
    expect(await page.textContent("#notes")).to.not.include("-999");
    const loss = await page.textContent("#number-loss");
    await page.getByLabel(/stand for missing/).fill("");
    await give("");
    expect(await trainFor(2)).to.equal("Done: 2 updates.");
    expect(loss).to.equal(await page.textContent("#number-loss"));
  });

  it("offers the solvers that the equations of an experiment take, and the gradients that these have", async () => {
    const options = (label: string) =>
      page.getByRole("combobox", { name: label, exact: true }).locator("option:enabled").allTextContents();
    await choose("Experiment", "ou-sde-gan");
    expect(await options("Solver")).to.include.members(["reversible-heun", "midpoint"]);
    expect(await options("Solver"), "of Itô").to.not.include("euler-maruyama");
    // additive noise: equations of Itô and Stratonovich are the same
    await choose("Experiment", "turbulence");
    expect(await options("Solver"))
      .to.include("euler-maruyama")
      .and.to.not.include("euler");
    await choose("Solver", "euler-maruyama");
    expect(await options("Gradient")).to.not.include("reversible");
    expect(await page.getByLabel("couple the solver").isDisabled()).to.equal(true);
    expect(await trainFor(1)).to.equal("Done: 1 updates.");
    await choose("Experiment", "white-dwarf");
    expect(await options("Solver"))
      .to.include("euler")
      .and.to.not.include("euler-maruyama");
    expect(await options("Gradient")).to.include("reversible");
  });

  it("does not show the end of the run before while a file is read, and offers no stop then", async () => {
    expect(await trainFor(2)).to.equal("Done: 2 updates.");
    await page.evaluate(`{
      const { text } = File.prototype;
      File.prototype.text = function () {
        return new Promise((resolve) => setTimeout(() => resolve(text.call(this)), 500));
      };
    }`);
    await choose("Experiment", "own data");
    const buffer = Buffer.from("t,x\n0,1\n1,none\n");
    await page.getByLabel(/Your series/).setInputFiles({ name: "bad.csv", mimeType: "text/csv", buffer });
    await page.getByRole("button", { name: "Train" }).click();
    expect(await page.textContent("#train-status")).to.equal("Reading what is asked for …");
    expect(await page.getByRole("button", { name: "Stop" }).isDisabled()).to.equal(true);
    expect(await ended(page)).to.match(/^DataError/);
  });

  it("draws stability regions as λ is moved by the keyboard, with the areas of the figure", async () => {
    const area = async () =>
      Number(/area of ([\d.]+);/.exec((await page.textContent("#stability-status"))!)![1]);
    // published for λ = 0.8, within a box: 0.51
    expect(await area()).to.be.closeTo(0.51, 0.02);
    await page.locator("#stability-form").getByRole("slider").focus();
    for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowRight");
    await page.getByText("midpoint, coupled with λ = 0.82", { exact: true }).waitFor();
    expect(await area()).to.be.below(0.5);
    await page.locator("#stability-form").getByRole("combobox").selectOption("rk4");
    await page.getByText("rk4, coupled with λ = 0.82", { exact: true }).waitFor();
  });

  it("fits a phone, names every control, and shows where the focus is", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await trainFor(20)).to.equal("Done: 20 updates.");
    expect(await page.evaluate("document.documentElement.scrollWidth")).to.equal(360);
    const unnamed = await page.evaluate(
      () =>
        [...document.querySelectorAll("input, select, button, progress, svg[role=img], a")].filter(
          (part) => !(part.closest("label") ?? part.getAttribute("aria-label") ?? part.textContent?.trim()),
        ).length,
    );
    expect(unnamed).to.equal(0);
    await page.getByRole("button", { name: "Train" }).focus();
    await page.keyboard.press("Tab");
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).to.equal("solid");
  });

  it("is readable in the light and in the dark: text has 4.5 times the contrast of what is behind it", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      const colour = (name: string) =>
        page.evaluate(`getComputedStyle(document.documentElement).getPropertyValue("${name}").trim()`);
      for (const [text, behind] of pairs) {
        const [one, other] = [
          luminance((await colour(text)) as string),
          luminance((await colour(behind)) as string),
        ];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        expect(ratio, `${text} on ${behind}, ${colorScheme}`).to.be.above(4.5);
      }
    }
  });
});

/** Texts and what is behind them, by the names of their colours. */
const pairs: readonly (readonly [text: string, behind: string])[] = [
  ["--ink", "--paper"],
  ["--ink", "--raised"],
  ["--soft", "--paper"],
  ["--soft", "--raised"],
  ["--accent", "--paper"],
  ["--on-accent", "--accent"],
  ["--wrong", "--paper"],
];

/** Relative luminance of a colour like #1a2b3c, by WCAG 2. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
