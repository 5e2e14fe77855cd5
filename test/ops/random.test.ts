import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import {
  countersFrom,
  derivedKeys,
  randomBits,
  randomKey,
  randomNormal,
  randomUniform,
} from "../../src/ops/random.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";

/** As the paper has it, in words of 64 bits: squares32(ctr, key). */
function squares(counter: bigint, key: bigint): bigint {
  const word = (x: bigint) => BigInt.asUintN(64, x);
  const rotated = (x: bigint) => word((x >> 32n) | (x << 32n));
  const y = word(counter * key);
  const z = word(y + key);
  let x = rotated(word(y * y + y));
  x = rotated(word(x * x + z));
  x = rotated(word(x * x + y));
  return word(x * x + z) >> 32n;
}

/** The key of the paper's example. */
const paperKey = BigInt.asIntN(64, 0x548c9decbce65297n);
const counters = [0, 1, 2, 3, 1000, 2 ** 31, 2 ** 32 + 5, 2 ** 40 + 7, Number.MAX_SAFE_INTEGER];

describe("random numbers by key and counter", () => {
  const runtimes: Record<string, Runtime> = {};
  before(async () => {
    Object.assign(runtimes, { jit: jit(), "ort-cpu": await ortNode() });
  });

  for (const name of ["jit", "ort-cpu"]) {
    it(`are those of Widynski's function, bit for bit, on ${name}`, async () => {
      for (const key of [paperKey, randomKey(0), randomKey(123)]) {
        const b = new Builder();
        const at = b.input("at", "int64", [counters.length]);
        const k = b.input("k", "int64", []);
        const given = {
          at: tensor("int64", [counters.length], counters.map(BigInt)),
          k: tensor("int64", [], [key]),
        };
        const { bits } = await runGraph(runtimes[name]!, b.graph({ bits: randomBits(b, k, at) }), given);
        expect(Array.from(bits!.data as BigInt64Array)).to.deep.equal(
          counters.map((counter) => squares(BigInt(counter), BigInt.asUintN(64, key))),
        );
      }
    });
  }

  const drawn = async (what: "uniform" | "normal", dtype: "float32" | "float64", n: number) => {
    const b = new Builder();
    const k = b.input("k", "int64", []);
    const at = countersFrom(b, b.scalar("int64", 0), [n]);
    const x = what === "uniform" ? randomUniform(b, k, at, dtype) : randomNormal(b, k, at, n, dtype);
    const { x: found } = await runGraph(jit(), b.graph({ x }), { k: tensor("int64", [], [randomKey(7)]) });
    return numbers(found!);
  };
  const moment = (values: readonly number[], power: number) =>
    values.reduce((sum, value) => sum + value ** power, 0) / values.length;

  it("are uniform in [0, 1), in float32 too", async () => {
    for (const dtype of ["float32", "float64"] as const) {
      const values = await drawn("uniform", dtype, 20_000);
      expect(Math.min(...values)).to.be.within(0, 1e-3);
      expect(Math.max(...values)).to.be.within(0.999, 1 - 2 ** -25);
      // of 20 000 numbers, to three standard deviations: √(1/12 n) = 0.002, and as little for the square
      expect(moment(values, 1)).to.be.closeTo(1 / 2, 0.0062);
      expect(moment(values, 2)).to.be.closeTo(1 / 3, 0.0064);
    }
  });

  it("are normal by Box and Muller", async () => {
    const values = await drawn("normal", "float64", 20_000);
    // standard deviations of the moments: √(1, 2, 15, 96) / √n
    expect(moment(values, 1)).to.be.closeTo(0, 0.022);
    expect(moment(values, 2)).to.be.closeTo(1, 0.03);
    expect(moment(values, 3)).to.be.closeTo(0, 0.083);
    expect(moment(values, 4)).to.be.closeTo(3, 0.21);
  });

  it("are normal numbers of the same bits on jit and ONNX Runtime, and Box and Muller's to rounding", async () => {
    const n = 5000;
    const key = randomKey(3);
    for (const dtype of ["float32", "float64"] as const) {
      const b = new Builder();
      const at = b.input("at", "int64", [n]);
      const x = randomNormal(b, b.scalar("int64", key), at, n, dtype);
      const graph = b.graph({ x });
      const given = {
        at: tensor(
          "int64",
          [n],
          Array.from({ length: n }, (_, i) => BigInt(i)),
        ),
      };
      const [one, other] = await Promise.all(
        ["jit", "ort-cpu"].map(async (name) => (await runGraph(runtimes[name]!, graph, given)).x!),
      );
      expect(Buffer.from(one!.data.buffer).equals(Buffer.from(other!.data.buffer)), dtype).to.equal(true);
      if (dtype === "float32") continue;
      numbers(one!).forEach((value, i) => {
        const [u, v] = [i, i + n].map((c) => Number(squares(BigInt(c), BigInt.asUintN(64, key))) / 2 ** 32);
        const exact = Math.sqrt(-2 * Math.log(1 - u!)) * Math.cos(2 * Math.PI * v!);
        // a few roundings of numbers up to 7
        expect(value).to.be.closeTo(exact, 4e-15);
      });
    }
  });

  it("have keys of their own for other numbers, whatever they come from", async () => {
    const b = new Builder();
    const keys = derivedKeys(
      b,
      b.constant(tensor("int64", [3, 1], [0n, 1n, -1n])),
      b.constant(
        tensor(
          "int64",
          [1, 100],
          Array.from({ length: 100 }, (_, i) => BigInt(i)),
        ),
      ),
    );
    const { found } = await runGraph(jit(), b.graph({ found: keys }), {});
    const all = Array.from(found!.data as BigInt64Array);
    expect(new Set(all).size).to.equal(300);
    expect(all.every((key) => BigInt.asUintN(1, key) === 1n)).to.equal(true);
  });

  it("have odd keys, other ones for each seed", () => {
    const keys = Array.from({ length: 1000 }, (_, seed) => randomKey(seed));
    expect(new Set(keys).size).to.equal(1000);
    expect(keys.every((key) => BigInt.asUintN(1, key) === 1n)).to.equal(true);
  });
});
