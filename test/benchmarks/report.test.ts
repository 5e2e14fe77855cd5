import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { MarkerError, withBenchmarks } from "../../benchmarks/report/markdown.js";
import { reports } from "../../benchmarks/report/tables.js";
import { whyLost } from "../../benchmarks/report/why.js";
import { reportedDocuments } from "../../benchmarks/report.js";
import { readResults, resultsFolder } from "../../benchmarks/results.js";

describe("documents that say how fast revort is", () => {
  for (const [file, text] of reportedDocuments()) {
    it(`${file} says what the results in benchmarks/results say; else run npm run bench:report`, () => {
      expect(readFileSync(file, "utf8")).to.equal(text);
    });
  }

  it("show every result that there is", () => {
    const results = [...readResults().keys()];
    expect(results.length).to.be.above(3);
    expect(results.filter((name) => !(name in reports))).to.deep.equal([]);
  });

  it("name only plots that there are", () => {
    for (const text of reportedDocuments().values()) {
      for (const [, plot] of text.matchAll(/results\/([\w-]+\.svg)/g)) {
        expect(existsSync(join(resultsFolder, plot!)), plot).to.equal(true);
      }
    }
  });

  it("have a reason for each target that is missed", () => {
    const missed = [...readResults().values()].flatMap(({ targets }) =>
      targets.filter(({ met }) => met === false),
    );
    for (const { name } of missed) expect(whyLost(name), name).to.not.contain("Nobody");
  });

  it("keep what stands around the place for numbers, and need one", () => {
    const document = "# A\n\n<!-- benchmarks:start -->\nold\n<!-- benchmarks:end -->\n\nB\n";
    const once = withBenchmarks(document, "new");
    expect(once).to.match(/^# A\n\n<!-- benchmarks:start -->\n\nnew\n\n<!-- benchmarks:end -->\n\nB\n$/);
    expect(withBenchmarks(once, "new")).to.equal(once);
    expect(() => withBenchmarks("# A", "new")).to.throw(MarkerError, "benchmarks:start");
  });
});
