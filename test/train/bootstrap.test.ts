import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { bootstrapIntervals } from "../../src/train/bootstrap.js";
import { leastSquares } from "../../src/train/least-squares.js";

// A straight line, x₀ + x₁ t, whose standard errors are known: σ² (XᵀX)⁻¹ with σ² = Σ r² / (n − 2).

const times = Array.from({ length: 40 }, (_, i) => i / 10);
const random = Random.seeded(3);
const data = times.map((t) => 1 + 2 * t + 0.3 * random.normal());
const at = async (x: readonly number[]) => ({
  residuals: times.map((t, k) => x[0]! + x[1]! * t - data[k]!),
  jacobian: [times.map(() => 1), times],
});
const request = {
  ...{ names: ["x0", "x1"], low: [-Infinity, -Infinity], high: [Infinity, Infinity] },
  ...{ components: times.map(() => 0), dim: 1 },
};

describe("intervals by a bootstrap", () => {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const mean = sum(times) / times.length;
  const spread = sum(times.map((t) => (t - mean) ** 2));

  it("are those of normal theory for a straight line", async () => {
    const found = (await leastSquares(at, [0, 0]))!;
    const { named, problem } = await bootstrapIntervals(at, found, request, { replicates: 2000, seed: 0 });
    const error = Math.sqrt(found.cost / (times.length - 2) / spread);
    const { value, standardError, interval } = named.x1!;
    expect(problem).to.equal(null);
    // of 2000 replicates a deviation is known to 1.6 %, and a percentile of 2.5 % to about 0.06 of it
    expect(standardError!).to.be.closeTo(error, 0.08 * error);
    expect(interval![0]).to.be.closeTo(value - 1.96 * error, 0.2 * error);
    expect(interval![1]).to.be.closeTo(value + 1.96 * error, 0.2 * error);
  });

  it("are the same for the same seed", async () => {
    const found = (await leastSquares(at, [0, 0]))!;
    const once = () => bootstrapIntervals(at, found, request, { replicates: 50, seed: 7 });
    expect(await once()).to.deep.equal(await once());
  });

  it("are those of the replicates that there are where it is interrupted, and none of too few", async () => {
    const found = (await leastSquares(at, [0, 0]))!;
    const stopped = async (after: number) => {
      const stop = new AbortController();
      const onReplicate = (done: number) => (done === after ? stop.abort() : undefined);
      return bootstrapIntervals(at, found, request, {
        replicates: 200,
        seed: 0,
        signal: stop.signal,
        onReplicate,
      });
    };
    const many = await stopped(60);
    expect(many.problem).to.equal("The bootstrap was stopped after 60 of 200 replicates.");
    expect(many.named.x0!.interval).to.have.length(2);
    const few = await stopped(10);
    expect(few.problem).to.match(/There are 10 replicates, too few for intervals/);
    expect(few.named.x0!.interval).to.equal(null);
  });

  it("are refused where the data do not determine the parameters: replicates would stay where they are", async () => {
    const same = async (x: readonly number[]) => ({
      residuals: times.map((t, k) => (x[0]! + x[1]!) * t - data[k]!),
      jacobian: [times, times],
    });
    const found = (await leastSquares(same, [0, 0]))!;
    const { named, problem } = await bootstrapIntervals(same, found, request, { replicates: 50, seed: 0 });
    expect(problem).to.match(/do not determine the parameters/);
    expect(named.x0!.interval).to.equal(null);
  });

  it("are none of what no residual depends on, which every replicate leaves where it is", async () => {
    const more = async (x: readonly number[]) => {
      const { residuals, jacobian } = await at(x);
      return { residuals, jacobian: [...jacobian, times.map(() => 0)] };
    };
    const found = (await leastSquares(more, [0, 0, 5]))!;
    const wide = { ...request, names: ["x0", "x1", "x2"], low: Array(3).fill(-Infinity) };
    const asked = { replicates: 50, seed: 0 };
    const { named, problem } = await bootstrapIntervals(
      more,
      found,
      { ...wide, high: Array(3).fill(Infinity) },
      asked,
    );
    expect(named.x2).to.deep.equal({ value: 5, standardError: null, interval: null });
    expect(problem).to.match(/^x2 has no effect on what was observed/);
    // the others as if it were not there
    const plain = (await leastSquares(at, [0, 0]))!;
    expect(named.x1).to.deep.equal((await bootstrapIntervals(at, plain, request, asked)).named.x1);
  });
});
