import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { pageHosts } from "../../benchmarks/runtimes/page-hosts.js";
import { compare } from "../../src/cli/bench/comparison.js";
import { hostNames } from "../../src/cli/bench/hosts.js";
import { perceptron } from "../../src/cli/bench/subjects.js";
import { findChromium } from "../browser/chromium.js";

describe("a comparison of all runtimes, in Node and in a page", function () {
  this.timeout(600_000);

  it("has a row for each, right in float32 or with the reason why there is none", async function () {
    const chromium = findChromium();
    if ("reason" in chromium) {
      console.log(`      skipped: ${chromium.reason}`);
      this.skip();
    }
    const pages = pageHosts();
    const options = {
      runtimes: hostNames(pages),
      pages,
      batch: 2,
      steps: 4,
      rounds: 1,
      dtype: "float32",
      say: () => {},
    } as const;
    const rows = await compare(perceptron(8, 4), options);
    for (const { runtime, reason, gradientError } of rows) {
      // sines of a GPU aside, nothing here is less exact than float32
      if (reason === null) expect(gradientError, runtime).to.be.below(1e-4);
      else expect(reason.length, runtime).to.be.above(20);
    }
    for (const name of ["page/jit", "page/ort-wasm", "page/tfjs-wasm"])
      expect(rows.find(({ runtime }) => runtime === name)!.reason, name).to.equal(null);
  });

  it("holds nobody against itself: in float64 errors are those of another runtime", async () => {
    const rows = await compare(perceptron(4, 4), {
      ...{ batch: 3, steps: 4, rounds: 2, say: () => {}, pages: null },
      runtimes: ["ort-cpu"],
      dtype: "float64",
    });
    expect(rows[0]!.gradientError).to.be.within(1e-18, 1e-12);
  });
});

describe("scripts/bench.ts", () => {
  const bench = (...words: string[]) =>
    spawnSync(process.execPath, ["--import", "tsx", "scripts/bench.ts", ...words], { encoding: "utf8" });

  it("prints JSON alone, and leaves numbers and a plot behind", () => {
    const out = mkdtempSync(join(tmpdir(), "revort-bench-"));
    const { status, stdout, stderr } = bench(
      ...[
        "influenza",
        "--runtimes",
        "jit",
        "--batch",
        "1",
        "--rounds",
        "1",
        "--steps",
        "2",
        "--json",
        "--out",
        out,
      ],
    );
    expect(status, stderr).to.equal(0);
    const found = JSON.parse(stdout);
    expect(found).to.deep.include({
      model: "influenza",
      settings: { steps: 2, rounds: 1, dtype: "float32" },
    });
    expect(found.rows[0].gradientUs).to.be.above(0);
    expect(JSON.parse(readFileSync(join(out, "influenza.json"), "utf8"))).to.deep.equal(found);
    expect(readFileSync(join(out, "influenza.svg"), "utf8")).to.contain("<svg");
    rmSync(out, { recursive: true });
  }).timeout(120_000);
});
