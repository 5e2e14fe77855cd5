import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { Random } from "../../src/core/random.js";
import { type FloatDType, numbers, type Tensor } from "../../src/core/tensor.js";
import type { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import type { Interval, State, System } from "../../src/methods/method.js";
import { CouplingError, reversible } from "../../src/methods/reversible.js";
import { rk4, tableaux } from "../../src/methods/tableaux.js";
import { systemIn } from "../../src/programs/inputs.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { tensorDistance } from "../support/distance.js";
import { evaluate, rows } from "../support/evaluate.js";
import { wavering } from "../support/fields.js";

const couplings = [0.9, 0.99, 0.999, 1];
const dim = 3;

/** What a step is taken from: 16 states y, each with a z near it. */
function start(dtype: FloatDType): Record<string, Tensor> {
  const random = Random.seeded(11);
  const y = Array.from({ length: 16 * dim }, () => random.normal());
  const z = y.map((value) => value + 0.01 * random.normal());
  const w = Array.from({ length: dim }, () => random.normal());
  return {
    y: rows(y, dim, dtype),
    z: rows(z, dim, dtype),
    w: rows(w, dim, dtype),
    t0: rows(0.3, 1, dtype),
    t1: rows(0.5, 1, dtype),
    h: rows(0.2, 1, dtype),
  };
}

type Values = Readonly<Record<string, Value>>;
const systemOf = (b: Builder, { w }: Values): System => systemIn(b, wavering(dim), { w: w! });
const interval = ({ t0, t1, h }: Values): Interval => ({ t0: t0!, t1: t1!, h: h! });
const pair = ({ y, z }: Values): State => [y!, z!];

describe("reversible", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  // numbers of size one to three go through some twenty roundings, and division by λ
  const rounding = { float64: 4e-15, float32: 2e-6 } as const;

  for (const dtype of ["float64", "float32"] as const) {
    for (const coupling of couplings) {
      it(`undoes a step of any tableau to rounding, at λ = ${coupling} in ${dtype}`, async () => {
        for (const tableau of tableaux) {
          const method = reversible(tableau, { coupling });
          const before = start(dtype);
          // two graphs, so that undoing shares no evaluation with the step
          const after = await evaluate(runtime, before, (b, values) => {
            const [y, z] = method.step(systemOf(b, values), interval(values), pair(values));
            return { y, z: z! };
          });
          expect(tensorDistance(after.y, before.y!), "the step does something").to.be.above(0.01);
          const again = await evaluate(runtime, { ...before, ...after }, (b, values) => {
            const [y, z] = method.undo(systemOf(b, values), interval(values), pair(values));
            return { y, z: z! };
          });
          expect(tensorDistance(again.y, before.y!), tableau.name).to.be.below(rounding[dtype]);
          expect(tensorDistance(again.z, before.z!), tableau.name).to.be.below(rounding[dtype]);
        }
      });
    }
  }

  it("starts with both states equal", async () => {
    const given = start("float64");
    const { y, z } = await evaluate(runtime, given, (b, values) => {
      const [first, second] = reversible(rk4).start(systemOf(b, values), values.t0!, values.y!);
      return { y: first, z: second! };
    });
    expect(numbers(y)).to.deep.equal(numbers(given.y!));
    expect(numbers(z)).to.deep.equal(numbers(given.y!));
  });

  // the same sums in another order
  const sameSums = 1e-13;

  for (const coupling of couplings) {
    it(`takes cotangents back as differentiating the step does, at λ = ${coupling}`, async () => {
      for (const tableau of tableaux) {
        const method = reversible(tableau, { coupling });
        const random = Random.seeded(5);
        const draw = () =>
          rows(
            Array.from({ length: 16 * dim }, () => random.normal()),
            dim,
          );
        const given: Record<string, Tensor> = { ...start("float64"), yBar: draw(), zBar: draw() };
        // cotangents of both parts of the state, of y alone (a last step), of z alone
        for (const present of [["yBar", "zBar"], ["yBar"], ["zBar"]]) {
          const bars = ({ yBar, zBar }: Values) =>
            [yBar!, zBar!].map((bar, i) => (present.includes(["yBar", "zBar"][i]!) ? bar : null));
          const expected = await evaluate(runtime, given, (b, values) => {
            const system = systemOf(b, values);
            const after = method.step(system, interval(values), pair(values));
            const [y, z, w] = pullback(b, after, bars(values), [...pair(values), ...system.parameters]);
            return { y: y!, z: z!, w: w! };
          });
          const after = await evaluate(runtime, given, (b, values) => {
            const [y, z] = method.step(systemOf(b, values), interval(values), pair(values));
            return { y, z: z! };
          });
          const actual = await evaluate(runtime, { ...given, ...after }, (b, values) => {
            const system = systemOf(b, values);
            const back = method.back(system, interval(values), pair(values), bars(values));
            return {
              y: back.cotangents[0]!,
              z: back.cotangents[1]!,
              w: back.parameters[0]!,
              y0: back.state[0],
              z0: back.state[1]!,
            };
          });
          for (const name of ["y", "z", "w"] as const) {
            expect(tensorDistance(actual[name], expected[name]), `${tableau.name} ${name}`).to.be.below(
              sameSums,
            );
          }
          expect(tensorDistance(actual.y0, given.y!)).to.be.below(rounding.float64);
          expect(tensorDistance(actual.z0, given.z!)).to.be.below(rounding.float64);
        }
      }
    });
  }

  it("has the coupling of the paper unless told otherwise", () => {
    expect(reversible(rk4).coupling).to.equal(0.999);
    expect(reversible(rk4, { coupling: 1 }).coupling).to.equal(1);
  });

  for (const coupling of [0, -0.5, 1 + 1e-12, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`refuses λ = ${coupling}, saying what is allowed`, () => {
      expect(() => reversible(rk4, { coupling }))
        .to.throw(CouplingError)
        .with.property("message")
        .that.contains(String(coupling))
        .and.contains("(0, 1]")
        .and.contains("0.999");
    });
  }
});
