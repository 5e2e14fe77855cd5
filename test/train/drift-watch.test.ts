import { expect } from "chai";
import { DriftWatch } from "../../src/train/drift-watch.js";

/** What is said after so many updates of which some drifted apart. */
function said(updates: number, drifting: readonly number[]): string | null {
  const watch = new DriftWatch(null);
  for (let update = 1; update <= updates; update++) watch.see(update, drifting.includes(update) ? 0.5 : 1e-4);
  return watch.warning(updates, (drift) => `a drift of ${drift}.`);
}

describe("updates whose two solutions drift apart", () => {
  it("are warned of where the last tenth of the updates has some", () => {
    expect(said(100, [3, 7, 91])).to.match(
      /^In 3 of 100 updates, the first of them number 3: a drift of 0\.5\./,
    );
    expect(said(1, [1])).to.match(/^In 1 of 1 updates/);
    expect(said(5, [5])).to.match(/^In 1 of 5 updates/);
  });

  it("are kept and not warned of where training left them behind", () => {
    expect(said(100, [1, 2, 3])).to.equal(null);
    expect(said(100, [90])).to.equal(null);
    expect(said(5, [4])).to.equal(null);
    const watch = new DriftWatch(null);
    watch.see(1, 0.5);
    watch.see(2, Number.POSITIVE_INFINITY);
    watch.see(3, 0);
    expect(watch.record).to.deep.equal({ updates: 2, first: 1, last: 2, largest: Number.POSITIVE_INFINITY });
  });

  it("are warned of where what is kept is of the time when they drifted", () => {
    const watch = new DriftWatch({ updates: 20, first: 1, last: 20, largest: 0.5 });
    expect(watch.warning(100, String)).to.equal(null);
    expect(watch.warning(100, String, 15)).to.match(/^In 20 of 100 updates/);
    expect(watch.warning(100, String, 25)).to.match(/^In 20 of 100 updates/);
    expect(watch.warning(100, String, 30)).to.equal(null);
  });

  it("are remembered by a run that goes on", () => {
    const before = new DriftWatch({ updates: 1, first: 4, last: 98, largest: 0.25 });
    expect(before.warning(100, String)).to.match(/^In 1 of 100 updates, the first of them number 4: 0\.25/);
    expect(before.warning(1000, String)).to.equal(null);
  });
});
