import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect } from "chai";
import { blocksOf, docs, pages, pageText } from "./blocks.js";

/** Pages that are made when the documentation is built. */
const made = /^\/reference\//;

describe("the documentation", () => {
  for (const page of pages) {
    it(`${page} leads nowhere that there is nothing`, () => {
      const links = [...pageText(page).matchAll(/\]\(((?!https?:)[^)#]+)[^)]*\)|^ +link: (\/\S+)$/gm)];
      for (const [, inText, inFront] of links) {
        const link = (inText ?? inFront)!;
        if (made.test(link)) continue;
        const path = link.startsWith("/") ? join(docs, link) : join(docs, dirname(page), link);
        expect(existsSync(normalize(path)) || existsSync(`${path}.md`), link).to.equal(true);
      }
    });

    it(`${page} names only scripts that there are`, () => {
      for (const [path] of pageText(page).matchAll(/scripts\/[\w.-]+\.ts/g)) {
        expect(existsSync(join(docs, "..", path)), path).to.equal(true);
      }
    });
  }

  it("has blocks that are run, and a language for each that is not plain", () => {
    const all = pages.flatMap(blocksOf);
    expect(all.filter(({ language }) => language === "sh").length).to.be.above(5);
    const known = new Set(["", "sh", "ts", "js", "csv", "python"]);
    for (const { language } of all) expect(known.has(language), language).to.equal(true);
  });
});
