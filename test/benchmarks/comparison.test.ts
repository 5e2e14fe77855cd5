import { spawnSync } from "node:child_process";
import { expect } from "chai";
import { compare } from "../../src/cli/bench/comparison.js";
import { perceptron } from "../../src/cli/bench/subjects.js";
import { comparisonChart } from "../../src/cli/bench/table.js";
import { renderChart } from "../../src/plot/chart.js";

const options = { batch: 3, steps: 4, rounds: 2, say: () => {}, pages: null };

describe("a comparison of runtimes", function () {
  this.timeout(120_000);

  it("times and checks each in a process of its own, and says why one does not work", async () => {
    const runtimes = ["jit", "ort-cpu", "tfjs-webgl"];
    const rows = await compare(perceptron(4, 4), { ...options, runtimes, dtype: "float32" });
    expect(rows.map(({ runtime }) => runtime)).to.deep.equal(runtimes);
    for (const row of rows.slice(0, 2)) {
      expect(row.reason).to.equal(null);
      for (const name of ["openMs", "firstMs", "evaluationUs", "stepUs", "gradientUs", "memoryMiB"] as const)
        expect(row[name], name).to.be.above(0);
      // float32: some roundings of 6e-8 each, but not none
      for (const name of ["evaluationError", "gradientError"] as const)
        expect(row[name], name).to.be.within(1e-9, 1e-5);
    }
    expect(rows[2]).to.include({ evaluationUs: null, gradientUs: null, timesJit: null });
    expect(rows[2]!.reason).to.match(/webgl/);
    const { svg } = await renderChart(comparisonChart(rows, "title"));
    expect(svg).to.contain("ort-cpu").and.not.contain("tfjs-webgl");
  });
});

describe("scripts/bench.ts", () => {
  const bench = (...words: string[]) =>
    spawnSync(process.execPath, ["--import", "tsx", "scripts/bench.ts", ...words], { encoding: "utf8" });

  it("refuses what it does not know, and says what there is", () => {
    const { status, stderr } = bench("influenza", "--runtimes", "cuda");
    expect(status).to.equal(2);
    expect(stderr).to.match(/^revort: --runtimes takes one of jit, .*"cuda"/);
  }).timeout(60_000);
});
