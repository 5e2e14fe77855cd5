import { expect } from "chai";
import fc from "fast-check";
import { RevortError } from "../../src/core/errors.js";
import { sampler } from "../../src/train/batches.js";

const seeded = { seed: 17 };

describe("mini-batches", () => {
  it("hold each trajectory once per epoch, but for what does not fill a batch", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 1, max: 39 }),
        fc.nat(),
        (n, m, seed) => {
          const size = Math.min(m, n - 1);
          const batches = sampler(n, size, seed);
          for (let epoch = 0; epoch < 3; epoch++) {
            const drawn = Array.from({ length: Math.floor(n / size) }, () => batches.next());
            for (const batch of drawn) expect(batch.length).to.equal(size);
            const all = drawn.flat();
            expect(new Set(all).size).to.equal(all.length);
            for (const i of all) expect(i).to.be.within(0, n - 1);
          }
        },
      ),
      seeded,
    );
  });

  it("come in another order each epoch, and with another seed", () => {
    const epoch = (batches: ReturnType<typeof sampler>) => [...batches.next(), ...batches.next()];
    const batches = sampler(50, 25, 1);
    const [first, second] = [epoch(batches), epoch(batches)];
    expect(first).to.have.members(second).and.not.to.have.ordered.members(second);
    expect(epoch(sampler(50, 25, 2))).not.to.have.ordered.members(first);
    expect(epoch(sampler(50, 25, 1))).to.have.ordered.members(first);
  });

  it("go on from a state, written as JSON, as if they had never stopped", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 30 }),
        fc.nat(),
        (size, k, seed) => {
          const [whole, stopped] = [sampler(12, size, seed), sampler(12, size, seed)];
          for (let i = 0; i < k; i++) {
            whole.next();
            stopped.next();
          }
          const resumed = sampler(12, size, JSON.parse(JSON.stringify(stopped.state())));
          for (let i = 0; i < 10; i++) expect(resumed.next()).to.deep.equal(whole.next());
        },
      ),
      seeded,
    );
  });

  it("are all trajectories in their order, where the batch is all of them", () => {
    const batches = sampler(4, 4, 3);
    expect([batches.next(), batches.next()]).to.deep.equal([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ]);
  });

  for (const size of [0, 4, 1.5, Number.NaN]) {
    it(`of ${size} out of 3 trajectories are refused`, () => {
      expect(() => sampler(3, size, 0)).to.throw(
        RevortError,
        `A batch must hold 1 to 3 trajectories, but ${size} were asked for.`,
      );
    });
  }

  it("do not go on from a state of another number of trajectories", () => {
    const batches = sampler(5, 2, 0);
    batches.next();
    expect(() => sampler(6, 2, batches.state())).to.throw(RevortError, "on 5 trajectories, but there are 6");
  });
});
