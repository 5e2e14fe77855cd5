import { expect } from "chai";
import fc from "fast-check";
import { RevortError } from "../../src/core/errors.js";
import { Random } from "../../src/core/random.js";

const seeded = { seed: 5 };
const draw = <T>(count: number, next: () => T): T[] => Array.from({ length: count }, next);

describe("Random", () => {
  it("is Blackman and Vigna's xoshiro128**", () => {
    const random = Random.restored([1, 2, 3, 4]);
    // what their C program prints, and the test of the Rust crate rand_xoshiro holds
    expect(draw(10, () => random.bits())).to.deep.equal([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it("draws the same from the same seed, and other numbers from any other", () => {
    const start = (seed: number) => {
      const random = Random.seeded(seed);
      return draw(4, () => random.bits()).join();
    };
    const seeds = [0, 1, 2, 3, 2 ** 31, 2 ** 32 - 1];
    expect(new Set(seeds.map(start)).size).to.equal(seeds.length);
    for (const seed of seeds) expect(start(seed)).to.equal(start(seed));
  });

  it("goes on from its state, written as JSON, as if it had never stopped", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 50 }), (seed, count) => {
        const random = Random.seeded(seed);
        for (let i = 0; i < count; i++) random.normal();
        const copy = Random.restored(JSON.parse(JSON.stringify(random.state)));
        expect(draw(5, () => copy.uniform())).to.deep.equal(draw(5, () => random.uniform()));
      }),
      seeded,
    );
  });

  it("gives away a state that later draws leave alone", () => {
    const random = Random.seeded(1);
    const { state } = random;
    const before = [...state];
    random.bits();
    expect([...state]).to.deep.equal(before);
  });

  const n = 100_000;

  it("draws uniform numbers of the right mean and spread, in 16 equal bins", () => {
    const random = Random.seeded(2);
    const bins = new Array<number>(16).fill(0);
    let [sum, squares, outside] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const x = random.uniform(-1, 3);
      if (!(x >= -1 && x < 3)) outside++;
      bins[Math.floor(((x + 1) / 4) * 16)]! += 1;
      sum += x;
      squares += (x - 1) ** 2;
    }
    expect(outside).to.equal(0);
    // within five standard errors: 4/√12 for one number, √(4/45)·4 for its square
    expect(sum / n).to.be.closeTo(1, (5 * 4) / Math.sqrt(12 * n));
    expect(squares / n).to.be.closeTo(16 / 12, (5 * 16 * Math.sqrt(1 / 180)) / Math.sqrt(n));
    const chiSquare = bins.reduce((total, count) => total + (count - n / 16) ** 2 / (n / 16), 0);
    // 15 degrees of freedom: beyond 44.3 once in 10 000 seeds
    expect(chiSquare).to.be.below(44.3);
  });

  it("draws normal numbers of mean 0, variance 1, and the right share beyond ±1 and ±2", () => {
    const random = Random.seeded(3);
    const values = draw(n, () => random.normal());
    const share = (limit: number) => values.filter((x) => Math.abs(x) > limit).length / n;
    // within five standard errors
    expect(values.reduce((sum, x) => sum + x, 0) / n).to.be.closeTo(0, 5 / Math.sqrt(n));
    expect(values.reduce((sum, x) => sum + x * x, 0) / n).to.be.closeTo(1, 5 * Math.sqrt(2 / n));
    expect(share(1)).to.be.closeTo(0.3173, 5 * Math.sqrt((0.3173 * 0.6827) / n));
    expect(share(2)).to.be.closeTo(0.0455, 5 * Math.sqrt((0.0455 * 0.9545) / n));
    expect(values.every(Number.isFinite)).to.equal(true);
  });

  it("puts each number into each place of a permutation equally often", () => {
    const random = Random.seeded(4);
    const counts = Array.from({ length: 5 }, () => new Array<number>(5).fill(0));
    for (let i = 0; i < 20_000; i++) {
      const order = random.permutation(5);
      if ([...order].sort().join() !== "0,1,2,3,4") throw new Error(`${order} is no permutation`);
      order.forEach((value, place) => {
        counts[value]![place]! += 1;
      });
    }
    // 4000 expected, with a deviation of 57
    for (const count of counts.flat()) expect(count).to.be.within(3700, 4300);
  });

  for (const seed of [-1, 1.5, Number.NaN, 2 ** 53]) {
    it(`refuses the seed ${seed}`, () => {
      expect(() => Random.seeded(seed)).to.throw(
        RevortError,
        `A seed must be a whole number, 0 or more, but ${seed} was given.`,
      );
    });
  }
});
