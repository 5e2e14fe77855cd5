import { expect } from "chai";
import fc from "fast-check";
import { pullback } from "../../src/autodiff/vjp.js";
import { Random } from "../../src/core/random.js";
import { isFloat, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Op, Value } from "../../src/graph/graph.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { zerosLike } from "../../src/ops/generate.js";
import { operators, opset } from "../../src/ops/opset.js";
import type { Executable, Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { type Case, draw, isDraw, one, operandsOf } from "./cases.js";
import { cases, withoutRule } from "./opset-cases.js";

/**
 * Half the width of the central differences, a power of two so that x ± h is nearly exact. Their error is
 * h² f‴ / 6 ≈ 10⁻¹⁰ from the width and ε |f| / h ≈ 10⁻¹¹ from rounding, times the third derivatives and sums of the
 * cases (some tens); what a wrong rule gets wrong is of the size of the gradient.
 */
const h = 2 ** -16;
const tolerance = 1e-7;

/**
 * One graph with everything to compare: the scalar L = Σ ⟨w, y⟩, its gradient g by the rules, the scalar
 * S = Σ ⟨v, g⟩ for fixed v, and its gradient, again by the rules.
 */
interface Program {
  readonly executable: Executable;
  readonly names: readonly string[];
  readonly feeds: Readonly<Record<string, Tensor>>;
}

async function compile(runtime: Runtime, op: Op, test: Case, seed: number): Promise<Program> {
  const b = new Builder();
  const random = Random.seeded(seed + 1);
  const feeds: Record<string, Tensor> = {};
  const wrt: Value[] = [];
  const operands = operandsOf(test, "float64", seed).map((value, i) => {
    if (value === null) return null;
    if (!isDraw(test.operands[i]!)) return b.constant(value);
    const name = `x${i}`;
    feeds[name] = value;
    wrt.push(b.input(name, value.dtype, value.shape));
    return wrt.at(-1)!;
  });
  const constant = (like: Value) => {
    const size = (like.shape as number[]).reduce((p, d) => p * d, 1);
    return b.constant(
      tensor(
        "float64",
        like.shape as number[],
        Array.from({ length: size }, () => random.uniform(-1, 1)),
      ),
    );
  };
  const inner = (values: readonly Value[], weights: readonly Value[]) =>
    values.map((value, i) => reduceSum(b, mul(b, value, weights[i]!))).reduce((x, y) => add(b, x, y));
  const gradient = (outputs: readonly Value[], weights: readonly Value[]) =>
    pullback(b, outputs, weights, wrt).map((g, i) => g ?? zerosLike(b, wrt[i]!));

  const outputs = b.emit(op, operands, test.attributes).filter((value) => isFloat(value.dtype));
  const weights = outputs.map(constant);
  const first = gradient(outputs, weights);
  const directions = wrt.map(constant);
  const second = gradient(first, directions);
  const graph = b.graph({
    loss: inner(outputs, weights),
    slope: inner(first, directions),
    ...Object.fromEntries(first.map((value, i) => [`first_${wrt[i]!.name}`, value])),
    ...Object.fromEntries(second.map((value, i) => [`second_${wrt[i]!.name}`, value])),
  });
  return { executable: await runtime.compile(graph), names: wrt.map((value) => value.name!), feeds };
}

async function check(runtime: Runtime, op: Op, test: Case, seed: number): Promise<void> {
  const { executable, names, feeds } = await compile(runtime, op, test, seed);
  const run = async (given: Readonly<Record<string, Tensor>>) => {
    const uploaded = Object.fromEntries(Object.entries(given).map(([name, t]) => [name, runtime.upload(t)]));
    const results = await executable.run(uploaded);
    return async (name: string) => numbers(await runtime.download(results[name]!));
  };
  const rules = await run(feeds);
  for (const name of names) {
    const [first, second] = [await rules(`first_${name}`), await rules(`second_${name}`)];
    const { data } = feeds[name]!;
    for (let i = 0; i < data.length; i++) {
      const shifted = async (by: number) => {
        const moved = Float64Array.from(data as Float64Array).fill((data[i] as number) + by, i, i + 1);
        return run({ ...feeds, [name]: { ...feeds[name]!, data: moved } as Tensor });
      };
      const [above, below] = [await shifted(h), await shifted(-h)];
      for (const [what, byRule, of] of [
        ["first", first[i]!, "loss"],
        ["second", second[i]!, "slope"],
      ] as const) {
        if (what === "second" && test.firstOnly !== undefined) continue;
        const difference = ((await above(of))[0]! - (await below(of))[0]!) / (2 * h);
        const scale = 1 + Math.abs(difference);
        expect(
          byRule,
          `${what} derivative by element ${i} of ${name}, differences ${difference}`,
        ).to.be.closeTo(difference, tolerance * scale);
      }
    }
  }
  await executable.release();
}

describe("derivative rules", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  for (const [op, list] of cases) {
    describe(`${op.type} has the derivatives that differences show`, () => {
      for (const [i, test] of list.entries()) {
        it(test.label, () => check(runtime, op, test, 10 * i));
      }
    });
  }

  it("have a case for every operator, or a reason for having none", () => {
    const uncovered = operators.filter((op) => !cases.has(op) && !(op.type in withoutRule));
    expect(uncovered.map((op) => op.type)).to.deep.equal([]);
    // what is made of others, or written out as others wherever it is applied, has their rules
    const isWritten = (op: Op) =>
      op.decompose !== undefined || (op.fold === undefined && op.simplify !== undefined);
    const ruleless = [...cases.keys()].filter((op) => op.vjp === undefined && !isWritten(op));
    expect(ruleless.map((op) => op.type)).to.deep.equal([]);
    expect([...opset.keys()]).to.have.length(operators.length);
  });

  it("hold for any shapes that broadcast", async () => {
    const dim = fc.constantFrom(1, 1, 2, 3);
    const shape = fc.array(dim, { maxLength: 3 });
    const subshape = (full: number[], cut: number, ones: readonly boolean[]) =>
      full.slice(Math.min(cut, full.length)).map((d, i) => (ones[i] ? 1 : d));
    const ones = fc.array(fc.boolean(), { minLength: 3, maxLength: 3 });
    const operators = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"].map((type) => opset.get(type)!);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...operators),
        shape,
        fc.nat(3),
        ones,
        fc.nat(3),
        ones,
        async (op, full, cutX, onesX, cutY, onesY) => {
          const domain = { low: 0.5, high: 2 };
          const [x, y] = [subshape(full, cutX, onesX), subshape(full, cutY, onesY)];
          await check(runtime, op, one("", [draw(x, domain), draw(y, { low: 2.1, high: 3 })]), 5);
        },
      ),
      { numRuns: 40, seed: 7 },
    );
  });
});
