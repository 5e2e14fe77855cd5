import { readFileSync } from "node:fs";
import { tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import type { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { add, div, mul, neg, sub } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { sqrt } from "../../src/ops/elementwise.js";
import { matmul } from "../../src/ops/linalg.js";
import { pow } from "../../src/ops/power.js";
import { concat, split } from "../../src/ops/slicing.js";
import { cos, sin } from "../../src/ops/trigonometry.js";

/**
 * The non-stiff problems of Hull, Enright, Fellen & Sedgwick 1972, "Comparing numerical methods for ordinary
 * differential equations", from t = 0 to 20, with references that SciPy computed (detest.py).
 */
export interface DetestProblem {
  readonly name: string;
  readonly field: VectorField;
  readonly y0: readonly number[];
  readonly y20: readonly number[];
}

type Components = (b: Builder, t: Value, y: readonly Value[]) => Value[];

const decayChain = (rates: readonly number[]): number[][] => {
  const n = rates.length + 1;
  return square(n, (to, from) => (to === from ? -(rates[from] ?? 0) : to === from + 1 ? rates[from]! : 0));
};
const heat = (n: number): number[][] => square(n, (i, j) => (i === j ? -2 : Math.abs(i - j) === 1 ? 1 : 0));
const counts = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

const orbit: Components = (b, _t, [x, y, u, v]) => {
  const r3 = pow(b, add(b, mul(b, x!, x!), mul(b, y!, y!)), 1.5);
  return [u!, v!, neg(b, div(b, x!, r3)), neg(b, div(b, y!, r3))];
};

const fields: { readonly [name: string]: Components | number[][] } = {
  A1: (b, _t, [y]) => [neg(b, y!)],
  A2: (b, _t, [y]) => [mul(b, mul(b, y!, mul(b, y!, y!)), -0.5)],
  A3: (b, t, [y]) => [mul(b, y!, cos(b, t))],
  A4: (b, _t, [y]) => [mul(b, mul(b, y!, 0.25), sub(b, 1, mul(b, y!, 0.05)))],
  A5: (b, t, [y]) => [div(b, sub(b, y!, t), add(b, y!, t))],
  B1(b, _t, [x, y]) {
    const meetings = mul(b, x!, y!);
    return [mul(b, sub(b, x!, meetings), 2), sub(b, meetings, y!)];
  },
  B2: [
    [-1, 1, 0],
    [1, -2, 1],
    [0, 1, -1],
  ],
  B3(b, _t, [x, y]) {
    const square = mul(b, y!, y!);
    return [neg(b, x!), sub(b, x!, square), square];
  },
  B4(b, _t, [x, y, z]) {
    const r = sqrt(b, add(b, mul(b, x!, x!), mul(b, y!, y!)));
    const turn = div(b, z!, r);
    return [neg(b, add(b, y!, mul(b, x!, turn))), sub(b, x!, mul(b, y!, turn)), div(b, x!, r)];
  },
  B5: (b, _t, [x, y, z]) => [mul(b, y!, z!), neg(b, mul(b, x!, z!)), mul(b, mul(b, x!, y!), -0.51)],
  C1: decayChain(new Array(9).fill(1)),
  C2: decayChain(counts(9)),
  C3: heat(10),
  C4: heat(51),
  C5: planets,
  D1: orbit,
  D2: orbit,
  D3: orbit,
  D4: orbit,
  D5: orbit,
  E1(b, t, [x, y]) {
    const s = add(b, t, 1);
    const stiffness = sub(b, 1, div(b, 0.25, mul(b, s, s)));
    return [y!, neg(b, add(b, div(b, y!, s), mul(b, stiffness, x!)))];
  },
  E2: (b, _t, [x, y]) => [y!, sub(b, mul(b, sub(b, 1, mul(b, x!, x!)), y!), x!)],
  E3(b, t, [x, y]) {
    const cubic = mul(b, mul(b, x!, mul(b, x!, x!)), 1 / 6);
    return [y!, add(b, sub(b, cubic, x!), mul(b, sin(b, mul(b, t, 2.78535)), 2))];
  },
  E4: (b, _t, [, v]) => [v!, sub(b, 0.032, mul(b, mul(b, v!, v!), 0.4))],
  E5: (b, t, [, v]) => [v!, div(b, sqrt(b, add(b, mul(b, v!, v!), 1)), sub(b, 25, t))],
};

/** The five outer planets around the sun. */
function planets(b: Builder, _t: Value, y: readonly Value[]): Value[] {
  const gravity = 2.95912208286;
  const sun = 1.00000597682;
  const masses = [
    0.000954786104043, 0.000285583733151, 0.0000437273164546, 0.0000517759138449, 0.00000277777777778,
  ];
  const positions = masses.map((_, j) => concat(b, y.slice(3 * j, 3 * j + 3), 1));
  const over = (x: Value) => div(b, x, pow(b, reduceSum(b, mul(b, x, x), [1], true), 1.5));
  const pull = positions.map(over);
  const accelerations = positions.map((own, j) => {
    let sum = mul(b, pull[j]!, -(sun + masses[j]!));
    for (const [k, other] of positions.entries()) {
      if (k !== j) sum = add(b, sum, mul(b, sub(b, over(sub(b, other, own)), pull[k]!), masses[k]!));
    }
    return mul(b, sum, gravity);
  });
  return [...y.slice(15), ...accelerations];
}

function square(n: number, entry: (i: number, j: number) => number): number[][] {
  return counts(n).map((i) => counts(n).map((j) => entry(i - 1, j - 1)));
}

const { problems } = JSON.parse(readFileSync(new URL("detest.json", import.meta.url), "utf8")) as {
  problems: { [name: string]: { y0: number[]; y20: number[] } };
};

export const detest: readonly DetestProblem[] = Object.entries(problems).map(([name, { y0, y20 }]) => {
  const rule = fields[name]!;
  const n = y0.length;
  const field: VectorField = {
    name,
    state: ["batch", n],
    parameters: {},
    apply(b, _theta, t, y) {
      if (typeof rule === "function") return concat(b, rule(b, t, split(b, y, 1, new Array(n).fill(1))), 1);
      const transposed = square(n, (i, j) => rule[j]![i]!).flat();
      return matmul(b, y, b.constant(tensor("float64", [n, n], transposed)));
    },
  };
  return { name, field, y0, y20 };
});
