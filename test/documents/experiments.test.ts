import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { currentPage, recordedExperiments } from "../../scripts/experiments.js";
import { experiments } from "../../src/experiments/all.js";
import { taskExperiments } from "../../src/experiments/tasks.js";
import { docs } from "./blocks.js";

describe("the page of experiments", () => {
  it("says what the records in docs/experiments say; else run npx tsx scripts/experiments.ts", () => {
    expect(readFileSync(join(docs, "experiments.md"), "utf8")).to.equal(currentPage());
  });

  it("has every experiment that has a name", () => {
    const page = currentPage();
    for (const { name } of [...experiments, ...taskExperiments]) {
      expect(page, name).to.match(new RegExp(`\\| \`train ${name}( --data [^\`]*)?\` \\|`));
    }
  });

  it("shows means over three seeds or more", () => {
    for (const [name, { seeds, measures }] of recordedExperiments()) {
      expect(new Set(seeds).size, name).to.be.at.least(3);
      for (const values of Object.values(measures)) expect(values).to.have.length(seeds.length);
    }
  });
});
