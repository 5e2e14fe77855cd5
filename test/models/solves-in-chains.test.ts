import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { runChain } from "../../src/chains/run-chain.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { fixedPoint } from "../../src/equilibrium/fixed-point.js";
import { reversibleIteration } from "../../src/equilibrium/reversible.js";
import type { Values } from "../../src/fields/field.js";
import { ReconstructionError } from "../../src/gradients/reconstruction-limit.js";
import { Builder } from "../../src/graph/builder.js";
import { encode } from "../../src/graph/encode.js";
import type { Value } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { sgd } from "../../src/learning/optimisers.js";
import { methodNamed } from "../../src/methods/named.js";
// under another name: linters take a call of fit for a focused test
import { type FitOptions, type FitResult, fit as trained } from "../../src/models/fit.js";
import { defineModel } from "../../src/models/model.js";
import { odeOnOwnSteps } from "../../src/models/own-steps.js";
import { odeAtOwnTimes, odeOver } from "../../src/models/own-times.js";
import { defineTask } from "../../src/models/task.js";
import type { Training } from "../../src/nn/layer.js";
import { alongObservations, type ObservedCell } from "../../src/nn/observed-cell.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { zerosLike } from "../../src/ops/generate.js";
import { transpose, unsqueeze } from "../../src/ops/reshape.js";
import { gather } from "../../src/ops/slicing.js";
import { told } from "../../src/ops/told.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { runGraph } from "../support/evaluate.js";
import { failure } from "../support/failure.js";

/** y' = a y */
function growing(a: number, solver: string, stepSize: number, coupling: number | null = null) {
  return neuralOde({
    field: {
      name: "growing",
      state: ["batch", 1],
      parameters: { a: { shape: [], initial: () => [a] } },
      apply: (b, theta, _t, y) => mul(b, theta.a!, y),
    },
    method: methodNamed(solver, coupling === null ? {} : { coupling, reversible: true }),
    stepSize,
  });
}

type Ode = ReturnType<typeof growing>;
type Apply = (b: Builder, theta: Values, times: Value, training: Training | null) => Value;

const times = [
  [0.5, 1.5, 3.5],
  [0.25, 0.75, 1],
];

/** What comes of a few updates of a model of times, and what it tells of each of them. */
async function fitted(
  parameters: Ode["field"]["parameters"],
  apply: Apply,
  options: Partial<FitOptions> = {},
) {
  const task = defineTask({
    model: defineModel({
      ...{ name: "growing", parameters, inputs: { times: { shape: [3] } } },
      apply: (b, theta, { times: own }, training) => ({ ys: apply(b, theta, own, training) }),
    }),
    targets: { ys_: { shape: [3, 1] } },
    loss: (b, { outputs, targets }) => mse().apply(b, outputs.ys, targets.ys_, null),
  });
  const data = {
    times: tensor("float64", [2, 3], times.flat()),
    ys_: tensor(
      "float64",
      [2, 3, 1],
      times.flat().map((t) => Math.exp(-0.4 * t)),
    ),
  };
  const seen: {
    readonly error: number | null;
    readonly drift: number | null;
    readonly residual: number | null;
  }[] = [];
  const result = await trained(task, data, {
    ...{ runtime: jit(), steps: 2, optimiser: sgd({ learningRate: 1e-12 }) },
    onUpdate: ({ reconstructionError: error, drift, residual }) => void seen.push({ error, drift, residual }),
    ...options,
  });
  return { result, seen };
}

const ones = (b: Builder, own: Value) => add(b, zerosLike(b, unsqueeze(b, gather(b, own, 0, 1), [1])), 1);

const atTimes =
  (ode: Ode, gradient: "reversible" | "direct", told = true): Apply =>
  (b, theta, own, training) =>
    odeAtOwnTimes(b, ode, { theta, y0: ones(b, own), times: own, gradient, ...(told ? { training } : {}) });

/** R(z) of EES(2, 5), of which R(z) R(−z) = 1 − z⁶/64: a step back leads that far from where it started. */
const growth = (z: number) => 1 + z + z ** 2 / 2 + z ** 3 / 8;

/**
 * How far states come back from so many steps over each interval: the worst of the samples, relative to the largest state of
 * all, in the worst interval.
 */
function lost(a: number, steps: number, among = times): number {
  const states = among.map(() => 1);
  const errors = among[0]!.map((_, k) => {
    const parts = among.map((row, i) => {
      const z = (a * (row[k]! - (row[k - 1] ?? 0))) / steps;
      const before = states[i]!;
      states[i] = before * growth(z) ** steps;
      return { error: before * (1 - (1 - z ** 6 / 64) ** steps), size: Math.max(before, states[i]!) };
    });
    return Math.max(...parts.map(({ error }) => error)) / Math.max(...parts.map(({ size }) => size));
  });
  return Math.max(...errors);
}

describe("solves that are steps of a chain", () => {
  it("tell training how far their states came back: the worst of all intervals and samples", async () => {
    const ode = growing(-0.5, "ees25", 1 / 8);
    const { seen, result } = await fitted(ode.field.parameters, atTimes(ode, "reversible"));
    expect(result.notes).to.deep.equal([]);
    expect(seen.length).to.equal(2);
    // rounding is 1e−8 of what is lost
    for (const { error } of seen) expect(error! / lost(-0.5, 8)).to.be.closeTo(1, 1e-6);
  });

  it("tell it of several chains, the worst of them, and of cells that somebody wrote himself", async () => {
    const [coarse, fine] = [growing(-0.5, "ees25", 1 / 4), growing(-0.5, "ees25", 1 / 8)];
    const cellOf = (ode: Ode): ObservedCell<readonly [Value]> => ({
      ...{ name: "a solve", parameters: ode.field.parameters, channels: 1, widths: [1], readWidth: 1 },
      evolve: (b, theta, duration, [y0], training = null) => [
        odeOver(b, ode, { theta, y0, duration, gradient: "reversible", training }),
      ],
      read: (_, __, [h]) => h,
      update: (_, __, ___, state) => state,
    });
    const along =
      (ode: Ode): Apply =>
      (b, theta, own, training) => {
        const values = add(b, zerosLike(b, unsqueeze(b, own, [2])), 1);
        const series = { values, mask: values, times: own };
        return alongObservations(b, cellOf(ode), theta, series, { start: [ones(b, own)], training }).before;
      };
    const halves = times.map((row) => row.map((t) => t / 2));
    for (const [first, second] of [
      [atTimes(fine, "reversible"), along(coarse)],
      [along(coarse), atTimes(fine, "reversible")],
    ] as const) {
      const { seen } = await fitted(fine.field.parameters, (b, theta, own, training) => {
        const half = mul(b, own, 0.5);
        return add(b, first(b, theta, half, training), second(b, theta, half, training));
      });
      expect(lost(-0.5, 4, halves)).to.be.above(2 * lost(-0.5, 8, halves));
      for (const { error } of seen) expect(error! / lost(-0.5, 4, halves)).to.be.closeTo(1, 1e-5);
    }
  });

  it("store states closer where they are lost, as solves outside of chains do, and go the way of stored steps", async () => {
    const ode = growing(-0.5, "ees25", 1 / 8);
    const learning = { steps: 12, optimiser: sgd({ learningRate: 0.5 }) };
    const faster = growing(-0.75, "ees25", 1 / 8);
    const undone = await fitted(ode.field.parameters, atTimes(faster, "reversible"), {
      ...learning,
      parameters: { a: tensor("float64", [], [-0.75]) },
    });
    const stored = await fitted(ode.field.parameters, atTimes(faster, "direct"), {
      ...learning,
      parameters: { a: tensor("float64", [], [-0.75]) },
    });
    expect(lost(-0.75, 8)).to.be.above(1e-6);
    expect(undone.result.notes.map(({ code, step }) => ({ code, step }))).to.deep.equal([
      { code: "refresh", step: 0 },
    ]);
    for (const { error } of undone.seen) expect(error!).to.be.within(1e-9, 1e-6);
    for (const [i, loss] of stored.result.losses.entries()) {
      expect(undone.result.losses[i]! / loss).to.be.closeTo(1, 1e-5);
    }
  });

  it("that were not handed the training are reported as well, and where they lose states the error says what to do", async () => {
    const within = growing(-0.5, "ees25", 1 / 8);
    const { seen } = await fitted(within.field.parameters, atTimes(within, "reversible", false));
    for (const { error } of seen) expect(error! / lost(-0.5, 8)).to.be.closeTo(1, 1e-6);
    const beyond = growing(-1, "ees25", 1 / 8);
    const error = await failure(
      fitted(beyond.field.parameters, atTimes(beyond, "reversible", false)),
      ReconstructionError,
    );
    expect(error.message)
      .to.match(/^At update 1: Undoing the steps of a solve gave its states back with a relative error of /)
      .and.include("Hand the solve the model's training");
  });

  it("with steps of each sample's own tell it, too", async () => {
    const ode = growing(-0.5, "ees25", 1);
    // each time in one step, over which R(z) R(−z) = 1 − z⁶/64
    const steps = times.map((row) => row.map((t, i) => (t - (row[i - 1] ?? 0)) / 8));
    const { seen } = await fitted(ode.field.parameters, (b, theta, own, training) => {
      const table = b.constant(
        tensor(
          "float64",
          [3, 2, 1],
          [0, 1, 2].flatMap((i) => steps.map((row) => row[i]!)),
        ),
      );
      const states = odeOnOwnSteps(b, ode, {
        ...{ theta, y0: ones(b, own), adjoint: "reversible", training },
        steps: { t0: mul(b, table, 0), h: table, drive: null },
      });
      return transpose(b, states, [1, 0, 2]);
    });
    const each = steps.map((row) => 1 - row.reduce((back, h) => back * (1 - (0.5 * h) ** 6 / 64), 1));
    // rounding is 1e−8 of what is lost
    for (const { error } of seen) expect(error! / Math.max(...each)).to.be.closeTo(1, 1e-5);
  });
});

describe("fixed points that are steps of a chain", () => {
  const cell = {
    name: "pull",
    parameters: {},
    apply: (b: Builder, { w, x }: Values, z: Value) => tanh(b, add(b, mul(b, z, w!), x!)),
  };
  const at = (b: Builder, w: Value, z0: Value) =>
    fixedPoint(b, cell, {
      ...{ given: { w, x: z0 }, z0, solver: reversibleIteration({ relaxation: 0.8 }) },
      ...{ stop: { rtol: 1e-4, maxSteps: 12 }, gradient: "reversible" },
    }).z;
  const inputs = {
    w: tensor("float64", [], [0.4]),
    z0: tensor("float64", [2, 3], [0.1, 0.5, -1, 2, 0.3, 0]),
  };

  it("tell what the same ones tell one after the other: residuals, and how far pairs came back", async () => {
    const of = async (build: (b: Builder, w: Value, z0: Value) => Value) => {
      const b = new Builder();
      const [w, z0] = [b.input("w", "float64", []), b.input("z0", "float64", [2, 3])];
      const pulled = pullback(b, [reduceSum(b, build(b, w, z0))], [b.scalar("float64", 1)], [w, z0]);
      const { reconstructionError: error, residual } = told(b);
      const graph = b.graph({ dw: pulled[0]!, dz0: pulled[1]!, error: error!, residual: residual! });
      const found = await runGraph(jit(), withoutRegions(graph), inputs);
      return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, numbers(value)]));
    };
    const chained = await of(
      (b, w, z0) =>
        runChain(
          b,
          { name: "fixed points", step: (inner, { shared }, z: Value) => at(inner, shared, z) },
          { start: z0, shared: w, rows: null, steps: 3 },
          { adjoint: "direct" },
        ).end,
    );
    const written = await of((b, w, z0) => at(b, w, at(b, w, at(b, w, z0))));
    expect(chained.error![0]).to.be.within(1e-17, 1e-9);
    expect(chained.error).to.deep.equal(written.error);
    expect(chained.residual).to.deep.equal(written.residual);
    for (const name of ["dw", "dz0"]) {
      chained[name]!.forEach((slope, i) => {
        expect(slope).to.be.closeTo(written[name]![i]!, 1e-12);
      });
    }
  });
});

describe("the two solutions of a coupled solve inside a model that drift apart", () => {
  const drifting = (result: FitResult) => result.warnings.map(({ code }) => code);

  it("are a warning of the fit, inside a chain and outside, and none where they stay together", async () => {
    // damping times step of 0.5, far beyond −ln λ
    const stiff = growing(-2, "midpoint", 1 / 8, 0.999);
    const { result, seen } = await fitted(stiff.field.parameters, atTimes(stiff, "direct"));
    expect(drifting(result)).to.deep.equal(["drift"]);
    expect(result.warnings[0]!.message)
      .to.match(
        /^In 2 of 2 updates, the first of them number 1: reversible\(midpoint\): y and its companion differ/,
      )
      .and.include("a smaller λ (now 0.999");
    expect(result.checkpoint.drift).to.include({ updates: 2, first: 1 });
    for (const { drift } of seen) expect(drift).to.be.above(0.01);
    const calm = growing(-0.5, "midpoint", 1 / 8, 0.999);
    const fine = await fitted(calm.field.parameters, atTimes(calm, "direct"));
    expect(drifting(fine.result)).to.deep.equal([]);
    for (const { drift } of fine.seen) expect(drift).to.be.within(1e-9, 0.01);
    const once = await fitted(stiff.field.parameters, (b, theta, own, training) => {
      const y = odeOver(b, stiff, {
        theta,
        y0: ones(b, own),
        duration: ones(b, own),
        gradient: "direct",
        training,
      });
      return mul(b, unsqueeze(b, y, [2]), add(b, zerosLike(b, unsqueeze(b, own, [2])), 1));
    });
    expect(drifting(once.result)).to.deep.equal(["drift"]);
  });

  it("are looked for where a solve is differentiated: one that the loss does not need is not done for the sake of it", () => {
    const stiff = growing(-2, "midpoint", 1 / 8, 0.999);
    const sizeWith = (metric: boolean) => {
      const b = new Builder();
      const [a, own] = [b.input("a", "float64", []), b.input("times", "float64", [2, 3])];
      const ys = atTimes(stiff, "direct")(b, { a }, own, null);
      if (metric) atTimes(stiff, "direct")(b, { a }, mul(b, own, 2), null);
      const [da] = pullback(b, [reduceSum(b, ys)], [b.scalar("float64", 1)], [a]);
      return encode(withoutRegions(b.graph({ da: da!, drift: told(b).drift! }))).length;
    };
    expect(sizeWith(true)).to.equal(sizeWith(false));
  });

  it("are counted on where a run is resumed", async () => {
    const stiff = growing(-2, "midpoint", 1 / 8, 0.999);
    const first = await fitted(stiff.field.parameters, atTimes(stiff, "direct"), { steps: 1 });
    const further = await fitted(stiff.field.parameters, atTimes(stiff, "direct"), {
      resume: first.result.checkpoint,
    });
    expect(further.result.warnings[0]!.message).to.match(/^In 2 of 2 updates, the first of them number 1/);
  });
});
