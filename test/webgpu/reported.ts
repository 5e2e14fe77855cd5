import { type Report, skips, titlesOf } from "./report.js";

/** Declares a test for each check that is done elsewhere. `obtain` gives the report, or says why there is none. */
export function reported(
  name: string,
  own: object,
  obtain: () => Promise<Report | { readonly reason: string }>,
  skipped: Readonly<Record<string, string>> = skips,
): void {
  describe(name, function () {
    this.timeout(300_000);
    let report: Report = {};
    before(async function () {
      const obtained = await obtain();
      if ("reason" in obtained) {
        console.log(`      skipped: ${obtained.reason}`);
        this.skip();
      }
      report = obtained as Report;
    });
    for (const title of titlesOf(own)) {
      if (title in skipped) it.skip(`${title} (${skipped[title]})`);
      else
        it(title, () => {
          if (report[title] !== null) throw new Error(report[title] ?? "was not reported");
        });
    }
  });
}
