import { expect } from "chai";
import type { ExperimentRow } from "../../benchmarks/experiments/contest.js";
import {
  eagerTargets,
  growthTarget,
  plainTargets,
  speedTargets,
  storedTarget,
} from "../../benchmarks/experiments/targets.js";

const row = (changed: Partial<ExperimentRow>): ExperimentRow => ({
  ...{
    case: "two-moons",
    library: "revort",
    scheme: "coupled",
    gradient: "reversible",
    threads: 1,
    batch: "whole",
  },
  ...{ seconds: 2, least: 2, lower: 2, upper: 2, processor: 2, peakMebibytes: 300, idleMebibytes: 100 },
  ...{ loss: 1, norm: 1, startSeconds: 1 },
  ...changed,
});

const rows = [
  row({}),
  row({ threads: 2, batch: "parts", seconds: 1 }),
  row({ gradient: "direct", seconds: 0.5, peakMebibytes: 2000 }),
  row({ library: "diffrax", scheme: "plain", gradient: "vmap, checkpoint", seconds: 12 }),
  row({ library: "diffrax", scheme: "plain", gradient: "batched, checkpoint", seconds: 4 }),
  row({ library: "JAX", scheme: "plain", gradient: "batched, remat", seconds: 3 }),
];

describe("targets of the experiments", () => {
  it("compare the way of the experiment on any number of threads, and no other gradient of revort", () => {
    const found = speedTargets("two-moons", rows, "reversible").map(({ measured, from }) => [measured, from]);
    expect(found).to.deep.equal([
      [12, "diffrax, plain, vmap, checkpoint ÷ revort, coupled, reversible, 2 threads"],
      [3, "JAX, plain, batched, remat ÷ revort, coupled, reversible, 2 threads"],
    ]);
  });

  it("ask for twice the speed of the fastest library elsewhere, which JAX by hand is none of", () => {
    const [found, ...others] = speedTargets("heat", rows, "reversible");
    expect(others).to.deep.equal([]);
    expect(found).to.include({ measured: 4, met: true });
  });

  it("say that there is none where a side was not measured", () => {
    const [found] = speedTargets("heat", rows.slice(0, 3), "reversible");
    expect(found).to.include({ measured: null, met: null, from: "the peers could not be measured" });
  });

  it("hold plain stored steps against the fastest library as well, where an experiment undoes coupled ones", () => {
    const plain = row({ scheme: "plain", gradient: "direct", threads: 2, batch: "parts", seconds: 0.8 });
    const [found] = plainTargets("heat", [...rows, plain]);
    expect(found).to.include({
      ...{ name: "experiment-peers/heat/plain", measured: 5, met: true },
      from: "diffrax, plain, batched, checkpoint ÷ revort, plain, direct, 2 threads",
    });
    expect(plainTargets("heat", rows)).to.deep.equal([]);
    expect(plainTargets("latent-spirals", [plain, ...rows.slice(3)])).to.deep.equal([]);
    expect(plainTargets("heat", [...rows.slice(0, 3), plain])[0]!.measured).to.equal(null);
  });

  it("hold memory against that of eager solvers where it is asked about", () => {
    const eager = row({ library: "torchdiffeq", gradient: "odeint", peakMebibytes: 3000 });
    expect(eagerTargets("two-moons", [...rows, eager], "reversible")[0]).to.include({
      measured: 0.1,
      met: true,
    });
    expect(eagerTargets("two-moons", rows, "reversible")[0]!.measured).to.equal(null);
    expect(eagerTargets("heat", rows, "reversible")).to.deep.equal([]);
  });

  it("hold the memory of undone steps against that of stored ones on whole batches", () => {
    expect(storedTarget("two-moons", rows)).to.include({ measured: 0.15, met: true });
    expect(storedTarget("two-moons", rows.slice(0, 2)).measured).to.equal(null);
    expect(growthTarget("two-moons", 4, 300, 315)).to.include({ measured: 1.05, met: true });
  });
});
