import { expect } from "chai";
import { type PeerRow, peerTargets } from "../../benchmarks/peer-targets.js";
import { lossesOf, lossList } from "../../benchmarks/report/lost.js";
import { type Result, resultSchema, target, unmeasured } from "../../benchmarks/result.js";

const row = (changed: Partial<PeerRow>): PeerRow => ({
  ...{ case: "large", library: "revort", scheme: "coupled", gradient: "reversible", variant: "jit" },
  ...{ work: "gradient", threads: 1, usPerStep: 1 },
  ...changed,
});

const rows: readonly PeerRow[] = [
  row({ usPerStep: 8 }),
  row({ usPerStep: 5, threads: 2, variant: "ort-cpu" }),
  row({ usPerStep: 4, scheme: "midpoint", gradient: "direct" }),
  row({ library: "diffrax", variant: "Midpoint", usPerStep: 20 }),
  row({ library: "diffrax", variant: "Midpoint", usPerStep: 15, threads: 2 }),
  row({ library: "diffrax", variant: "midpoint unrolled", usPerStep: 9 }),
  row({ library: "torchdiffeq", scheme: "midpoint", gradient: "direct", variant: "odeint", usPerStep: 3 }),
  row({ library: "JAX", variant: "by its formulas, lax.scan", usPerStep: 2 }),
  row({ library: "diffrax", variant: "Midpoint", usPerStep: 1, work: "update" }),
];

const named = (name: string) => peerTargets("large", rows).find((one) => one.name === `large/${name}`)!;

describe("targets of the peers", () => {
  it("compare the fastest of each side, on any number of threads", () => {
    const { measured, met, from } = named("diffrax-reversible");
    expect(measured).to.equal(3);
    expect(met).to.equal(true);
    expect(from).to.equal(
      "diffrax, coupled, reversible (Midpoint), 2 threads ÷ revort, coupled, reversible (ort-cpu), 2 threads",
    );
  });

  it("count any gradient of the libraries where any is asked for, and plain JAX nowhere", () => {
    expect(named("any").measured).to.equal(3 / 5);
    expect(named("any").met).to.equal(false);
  });

  it("hold other kinds of gradients against their own kind", () => {
    expect(named("direct").measured).to.equal(3 / 4);
  });

  it("say that there is none where a side was not measured", () => {
    const { measured, met, from } = named("continuous");
    expect([measured, met]).to.deep.equal([null, null]);
    expect(from).to.contain("revort");
  });

  it("are met on the bound itself", () => {
    const asked = { name: "a/b", what: "a" };
    expect(target({ ...asked, wanted: { atLeast: 2 } }, 2, "x").met).to.equal(true);
    expect(target({ ...asked, wanted: { atMost: 2 } }, 2, "x").met).to.equal(true);
    expect(target({ ...asked, wanted: { atMost: 2 } }, 2.1, "x").met).to.equal(false);
    expect(unmeasured({ ...asked, wanted: { atMost: 2 } }, "no gcc").met).to.equal(null);
  });
});

describe("what is lost", () => {
  const result: Result = {
    ...{ benchmark: "peers", date: "2026-01-01T00:00:00.000Z", command: "x", versions: {}, settings: {} },
    machine: { cpu: "x", cores: 2, platform: "x", load: 0 },
    ...{ rows: rows as unknown as Result["rows"], failures: [], targets: peerTargets("large", rows) },
  };
  const losses = lossesOf(new Map([["peers", result]])).map(({ what }) => what);

  it("is each target that was missed, and no other", () => {
    expect(losses.filter((what) => what.includes("was wanted")).length).to.equal(2);
    expect(losses.some((what) => what.includes("0.6×"))).to.equal(true);
  });

  it("is each row of others that is faster than the fastest of ours of its kind", () => {
    const faster = losses.filter((what) => what.includes("times faster"));
    expect(faster).to.deep.equal([
      "large: torchdiffeq, midpoint, direct (odeint) is 1.33 times faster than revort, midpoint, direct (jit).",
      "large: JAX, coupled, reversible (by its formulas, lax.scan) is 2.5 times faster than revort, coupled, reversible (ort-cpu), 2 threads.",
    ]);
  });

  it("is said to be nothing where it is nothing", () => {
    expect(lossList([])).to.contain("Nothing");
  });
});

describe("a result on disk", () => {
  it("is refused where it is not whole", () => {
    expect(resultSchema.safeParse({ benchmark: "peers", rows: [] }).success).to.equal(false);
  });
});
