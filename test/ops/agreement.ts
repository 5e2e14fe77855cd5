import { expect } from "chai";
import { type DType, isFloat, type Tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import type { Probe } from "./special-values.js";

// How results of single operators are compared: a runtime's with those that are folded.

/** What a runtime computes for operands that it is given as inputs, so that nothing folds. */
export async function computed(runtime: Runtime, probe: Probe): Promise<Tensor> {
  const b = new Builder();
  const feeds: Record<string, Tensor> = {};
  const values = probe.operands.map((value, i) => {
    if (probe.constants.includes(i)) return b.constant(value);
    feeds[`x${i}`] = value;
    return b.input(`x${i}`, value.dtype, value.shape);
  });
  const executable = await runtime.compile(b.graph({ y: b.apply(probe.op, values, probe.attributes) }));
  const results = await executable.run(
    Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, runtime.upload(value)])),
  );
  const result = await runtime.download(results.y!);
  await executable.release();
  return result;
}

/** What constants come to as a graph is built. */
export function folded({ op, operands, attributes }: Probe): Tensor {
  const b = new Builder();
  return b.apply(
    op,
    operands.map((operand) => b.constant(operand)),
    attributes,
  ).constant!;
}

const unit: Readonly<Partial<Record<DType, number>>> = { float32: 2 ** -23, float64: 2 ** -52 };
/** below this, numbers have fewer digits, and processors may take them for 0 */
const normal: Readonly<Partial<Record<DType, number>>> = { float32: 2 ** -126, float64: 2 ** -1022 };

/** What the rounding of a result is measured by, beside the result: it is made of terms that may cancel. */
function scale({ op }: Probe, sources: readonly number[]): number {
  const finite = sources.filter(Number.isFinite);
  if (/Sum$|Mean$|^Sum/.test(op.type)) return finite.reduce((sum, x) => sum + Math.abs(x), 0);
  // the logarithm of a sum near 1, 1 + erf near −1, the foot of a ramp
  if (/Log|Gelu|Hard/.test(op.type)) return Math.max(1, ...finite.map(Math.abs));
  return 0;
}

/** Whether two results are the same number: to the bit, but for the last digits of floats. */
function agree(x: number | bigint, y: number | bigint, dtype: DType, ulps: number, terms: number): boolean {
  if (Object.is(x, y)) return true;
  if (typeof x === "bigint" || typeof y === "bigint" || !isFloat(dtype) || (x === 0 && y === 0)) return false;
  return Math.abs(x - y) <= ulps * unit[dtype]! * Math.max(normal[dtype]!, Math.abs(y), terms);
}

/** Where a result differs from what is right, a line each, unless that is known. */
export function differences(
  probe: Probe,
  actual: Tensor,
  expected: Tensor,
  isKnown: (sources: readonly number[], ours: number | bigint, theirs: number | bigint) => boolean,
): string[] {
  expect(actual.dtype, probe.label).to.equal(expected.dtype);
  expect([...actual.shape], probe.label).to.deep.equal([...expected.shape]);
  const found: string[] = [];
  for (let i = 0; i < expected.data.length; i++) {
    const [theirs, ours] = [actual.data[i]!, expected.data[i]!];
    if (Object.is(theirs, ours)) continue;
    const sources = probe.sources(i);
    if (agree(theirs, ours, expected.dtype, 8, scale(probe, sources)) || isKnown(sources, ours, theirs))
      continue;
    if (found.length < 5)
      found.push(`${probe.label}: ${theirs}, not ${ours}, of ${sources.slice(0, 24).join(", ")}`);
  }
  return found;
}

/** What a runtime is known to compute otherwise, and why that is not what we compute. */
export interface Known {
  readonly operators: RegExp;
  readonly dtypes?: readonly DType[];
  readonly holds: (given: {
    readonly sources: readonly number[];
    readonly ours: number | bigint;
    readonly theirs: number | bigint;
    readonly probe: Probe;
    readonly from: DType;
    readonly to: DType;
  }) => boolean;
  /** whether it depends on the processor */
  readonly onSome?: true;
  readonly why: string;
}

/** Why a runtime has no result to compare with. */
export interface Refusal {
  readonly says: RegExp;
  readonly why: string;
}

/** What a runtime computes otherwise than it should, beside what is known of it; and what is said of it and was not seen. */
export async function disagreements(
  runtime: Runtime,
  all: readonly Probe[],
  known: readonly Known[],
  refusals: readonly Refusal[],
): Promise<{ readonly wrong: readonly string[]; readonly unmet: readonly string[] }> {
  const wrong: string[] = [];
  const met = new Set<Known | Refusal>();
  for (const probe of all) {
    const expected = folded(probe);
    const actual = await computed(runtime, probe).catch((cause: Error) => cause);
    if (actual instanceof Error) {
      const refusal = refusals.find(({ says }) => says.test(`${probe.label}: ${actual.message}`));
      if (refusal === undefined) wrong.push(`${probe.label}: ${actual.message}`);
      else met.add(refusal);
      continue;
    }
    wrong.push(
      ...differences(probe, actual, expected, (sources, ours, theirs) => {
        const found = known.find(
          ({ operators, dtypes, holds }) =>
            operators.test(probe.op.type) &&
            (dtypes?.includes(probe.operands[0]!.dtype) ?? true) &&
            holds({ sources, ours, theirs, probe, from: probe.operands[0]!.dtype, to: expected.dtype }),
        );
        if (found !== undefined) met.add(found);
        return found !== undefined;
      }),
    );
  }
  const everywhere = [...known.filter(({ onSome }) => !onSome), ...refusals];
  return { wrong, unmet: everywhere.filter((entry) => !met.has(entry)).map(({ why }) => why) };
}
