import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import {
  BrownianError,
  type BrownianMotion,
  keyedIncrements,
  keysOfPaths,
  virtualBrownianTree,
} from "../../src/systems/brownian.js";
import { runGraph } from "../support/evaluate.js";

interface Request {
  readonly motion: BrownianMotion;
  /** times of steps */
  readonly times: readonly number[];
  readonly paths: number;
  readonly motions?: number;
  readonly runtime?: Runtime;
}

/** Increments [paths, m] of steps between times, one after the other. */
async function increments({
  motion,
  times,
  paths,
  motions = 1,
  runtime = jit(),
}: Request): Promise<Tensor[]> {
  const b = new Builder();
  const keys = keysOfPaths(b, b.input("key", "int64", []), paths);
  const found = times.slice(1).map((to, i) => {
    const [t0, t1] = [b.input(`from${i}`, "float64", []), b.input(`to${i}`, "float64", [])];
    const h = b.scalar("float64", to - times[i]!);
    return motion.increment(b, { i: b.scalar("int64", i), t0, t1, h, keys, motions, dtype: "float64" });
  });
  const scalar = (x: number) => tensor("float64", [], [x]);
  const inputs = Object.fromEntries(
    times.slice(1).flatMap((to, i) => [
      [`from${i}`, scalar(times[i]!)],
      [`to${i}`, scalar(to)],
    ]),
  );
  const graph = b.graph(Object.fromEntries(found.map((value, i) => [`w${i}`, value])));
  const outputs = await runGraph(runtime, graph, { ...inputs, key: tensor("int64", [], [4]) });
  return found.map((_, i) => outputs[`w${i}`]!);
}

const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;

describe("Brownian motion from keys", () => {
  const tree = virtualBrownianTree({ t0: 0, t1: 2, tolerance: 1 / 64 });

  it("is the same bits on jit and ONNX Runtime", async () => {
    for (const motion of [keyedIncrements(), tree]) {
      const request = { motion, times: [0, 0.25, 0.3, 1], paths: 50, motions: 3 };
      const [one, other] = [
        await increments(request),
        await increments({ ...request, runtime: await ortNode() }),
      ];
      for (const [i, w] of one.entries()) {
        expect(Buffer.from(w.data.buffer).equals(Buffer.from(other[i]!.data.buffer)), motion.name).to.equal(
          true,
        );
      }
    }
  });

  it("has independent normal increments of the variance of their steps", async () => {
    const n = 4000;
    for (const motion of [keyedIncrements(), tree]) {
      const times = [0, 0.25, 0.75, 1.75];
      const all = (await increments({ motion, times, paths: n })).map(numbers);
      all.forEach((w, i) => {
        const h = times[i + 1]! - times[i]!;
        // three standard deviations of 4000 numbers: 3/√n = 0.047, 3 √(2/n) = 0.067, 3 √(96/n) = 0.46
        expect(mean(w) / Math.sqrt(h), "mean").to.be.closeTo(0, 0.047);
        expect(mean(w.map((x) => x * x)) / h, "variance").to.be.closeTo(1, 0.067);
        expect(mean(w.map((x) => x ** 4)) / h ** 2, "fourth moment").to.be.closeTo(3, 0.46);
      });
      const product = mean(all[0]!.map((x, i) => x * all[1]![i]!)) / Math.sqrt(0.25 * 0.5);
      expect(product, "correlation").to.be.closeTo(0, 0.047);
    }
  });

  it("as a tree is one path, whatever the steps are: increments add up", async () => {
    const fine = (await increments({ motion: tree, times: [0, 0.5, 0.9, 1.7, 2], paths: 5 })).map(numbers);
    const [whole] = (await increments({ motion: tree, times: [0, 2], paths: 5 })).map(numbers);
    whole!.forEach((w, i) => {
      // sums of a few numbers, rounded
      expect(fine.reduce((sum, each) => sum + each[i]!, 0)).to.be.closeTo(w, 1e-14);
    });
  });

  it("gives a path of its own key the same noise in any batch", async () => {
    const b = new Builder();
    const keys = keysOfPaths(b, b.input("keys", "int64", ["batch"]), "batch");
    const graph = b.graph({ keys });
    const of = async (...seeds: bigint[]) =>
      (await runGraph(jit(), graph, { keys: tensor("int64", [seeds.length], seeds) })).keys!
        .data as BigInt64Array;
    expect((await of(3n, 8n, 9n))[1]).to.equal((await of(8n))[0]);
  });

  it("says what it takes", () => {
    const b = new Builder();
    expect(() => virtualBrownianTree({ t0: 1, t1: 1, tolerance: 0.1 })).to.throw(BrownianError, "later t1");
    expect(() => tree.check([0, 3], "stratonovich")).to.throw(BrownianError, "goes to 3");
    // pieces of 1 / 64: steps that end inside of them are solved otherwise by Itô's methods
    for (const times of [
      [0, 1 / 128, 1 / 64],
      [0, 0.05, 0.1],
    ]) {
      expect(() => tree.check(times, "ito")).to.throw(
        BrownianError,
        /Give the tree a tolerance of 0\.\d+ or less/,
      );
      expect(() => tree.check(times, "stratonovich")).to.not.throw();
    }
    const many = Array.from({ length: 300_001 }, (_, i) => (i * 2) / 300_000);
    expect(() => tree.check(many, "ito")).to.throw(BrownianError, "the shortest step");
    for (const times of [
      [0, 1 / 64, 1 / 32],
      [0, 0.1, 0.2],
    ]) {
      expect(() => tree.check(times, "ito")).to.not.throw();
    }
    expect(() => keysOfPaths(b, b.scalar("int64", 1), "batch")).to.throw(
      BrownianError,
      "a key for each path",
    );
    expect(() => keysOfPaths(b, b.scalar("float64", 1), 3)).to.throw(BrownianError, "int64");
  });
});
