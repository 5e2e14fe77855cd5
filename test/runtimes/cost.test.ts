import { expect } from "chai";
import { type Tensor, tensor } from "../../src/core/tensor.js";
import { byPath } from "../../src/core/tree.js";
import { mlp } from "../../src/fields/mlp.js";
import { gridInputs, lossSetting } from "../../src/gradients/differentiator.js";
import type { GradientMethod } from "../../src/gradients/method.js";
import { graphGradientOf } from "../../src/gradients/method.js";
import { costsOf } from "../../src/gradients/one-graph.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { div } from "../../src/ops/arithmetic.js";
import { greater, where } from "../../src/ops/logic.js";
import { randomNormal } from "../../src/ops/random.js";
import { add, conv, convTranspose, gather, gru, loop, mul, sub } from "../../src/ops.js";
import { gradientProgram } from "../../src/programs/training.js";
import { prices, secondsOf, workOf } from "../../src/runtimes/cost.js";
import { randomTask } from "../support/gradients.js";

describe("the estimated work of a gradient", () => {
  const field = mlp({ dim: 2, hidden: [8] });
  const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.01 });
  const { fit } = randomTask({ field, stepSize: 0.01, saves: [1] });

  /** Multiplications of matrices, by the sizes of what goes in. */
  const multiplications = (method: GradientMethod): number => {
    const { graph } = gradientProgram(lossSetting(ode, { loss: mse(), fit }), graphGradientOf(method));
    const tensors = byPath<Tensor>(gridInputs(ode, fit.grid, { times: false, method }));
    const sizes = new Map<string, number>();
    for (const { name, shape } of graph.inputs) {
      shape.forEach((dim, axis) => {
        if (typeof dim === "string") sizes.set(dim, tensors[name!]!.shape[axis]!);
      });
    }
    return workOf(graph, sizes).products.float64;
  };

  const methods: GradientMethod[] = [
    { kind: "checkpoint" },
    { kind: "checkpoint", states: 4 },
    { kind: "reversible", refresh: 10 },
    { kind: "reversible", refresh: 7 },
  ];
  for (const method of methods) {
    it(`has the steps in it that are taken again: ${JSON.stringify(method)}`, () => {
      const simple: GradientMethod = { kind: method.kind === "checkpoint" ? "direct" : "reversible" };
      const [own, other] = [costsOf(ode, method, fit.grid), costsOf(ode, simple, fit.grid)];
      // an evaluation multiplies as often as it does going forward in the other
      const each = multiplications(simple) / (other.cost.evaluations + 2 * other.work.forward);
      const wanted = multiplications(simple) + each * own.work.recomputed;
      // each stretch counts for as many states as there are slots, though later ones are shorter
      expect(multiplications(method) / wanted).to.be.within(0.9, 1.5);
    });
  }
});

describe("the estimated work of convolutions and recurrent layers", () => {
  const works = (apply: (b: Builder) => Value) => {
    const b = new Builder();
    return workOf(b.graph({ y: apply(b) }), new Map()).products.float32;
  };
  const input = (b: Builder, name: string, ...shape: number[]) => b.input(name, "float32", shape);

  it("is that of the products which they are", () => {
    // each of 2·6·5·5 results is a sum over 4 channels and 3·3 offsets
    const size = { pads: [1, 1, 1, 1] };
    expect(works((b) => conv(b, input(b, "x", 2, 4, 5, 5), input(b, "w", 6, 4, 3, 3), null, size))).to.equal(
      300 * 36,
    );
    // each of 2·4·5·5 elements goes to 6 channels and 3·3 offsets
    expect(works((b) => convTranspose(b, input(b, "x", 2, 4, 5, 5), input(b, "w", 4, 6, 3, 3)))).to.equal(
      200 * 54,
    );
    // 7 times, 2 sequences, 3·5 gates of 4 inputs and 5 units
    const weights = (b: Builder) => ({ w: input(b, "w", 1, 15, 4), r: input(b, "r", 1, 15, 5) });
    expect(works((b) => gru(b, input(b, "x", 7, 2, 4), weights(b)).h)).to.equal(14 * (60 + 75));
  });
});

describe("the estimated work of choices", () => {
  it("is that of elements that are chosen by a condition, and of whole numbers that are divided", () => {
    const b = new Builder();
    const x = b.input("x", "float32", [3, 4]);
    const n = b.input("n", "int64", [5]);
    const graph = b.graph({
      y: where(b, greater(b, x, 0), x, 0),
      q: div(b, n, b.scalar("int64", 3)),
      z: div(b, x, 3),
    });
    const work = workOf(graph, new Map());
    expect(work.choices).to.equal(12 + 5);
    // those of Greater, too
    expect(work.elements.float32).to.equal(12 + 12 + 12 + 5);
  });

  it("sends random numbers to jit, as many as they are: ONNX Runtime divides and chooses one by one", () => {
    const b = new Builder();
    const [keys, counters] = [b.input("keys", "int64", [4096, 1]), b.input("counters", "int64", [1, 8])];
    const work = workOf(b.graph({ z: randomNormal(b, keys, counters, 1, "float32") }), new Map());
    // measured: 2.2 ns of each element of a quotient, and 2 to 8 of one that is chosen, where jit takes a few tenths
    expect(secondsOf(work, prices.jit)).to.be.below(0.8 * secondsOf(work, prices["ort-cpu"]));
    const none = { ...prices["ort-cpu"], choice: 0 };
    expect(secondsOf(work, none)).to.be.below(secondsOf(work, prices["ort-cpu"]));
  });
});

describe("the estimated work of loops", () => {
  const body = (b: Builder, x: Value) => mul(b, x, x);
  /** A loop that squares an element so often, in one that runs four times. */
  const nested = (tripsOf: (b: Builder, k: Value, offsets: Value) => Value) => {
    const b = new Builder();
    const offsets = b.input("offsets", "int64", [5]);
    const x = b.input("x", "float32", []);
    const { carried } = loop(b, { trips: 4, carried: [x] }, (outer, k, [state]) => ({
      carried: loop(outer, { trips: tripsOf(outer, k, offsets), carried: [state!] }, (inner, _, [value]) => ({
        carried: [body(inner, value!)],
      })).carried,
    }));
    return b.graph({ y: carried[0]! });
  };
  const steps = nested((b, k, offsets) =>
    sub(b, gather(b, offsets, add(b, k, b.scalar("int64", 1n))), gather(b, offsets, k)),
  );
  const squares = (given?: Record<string, Tensor>) =>
    workOf(steps, new Map(), { trips: 1, ...(given && { given }) }).elements.float32;

  it("has as many iterations as what is known of inputs says, and else those that are assumed", () => {
    const offsets = tensor("int64", [5], [0, 2, 5, 6, 10]);
    // beside the differences of offsets, two gathers and an addition in each of four iterations
    expect(squares({ offsets }) - squares({ offsets: tensor("int64", [5], [0, 1, 2, 3, 4]) })).to.equal(
      10 - 4,
    );
    expect(squares({})).to.equal(squares());
    expect(workOf(steps, new Map(), { trips: 7, given: {} }).elements.float32 - squares()).to.equal(4 * 6);
  });
});
