import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/deploy/checkpoint-file.js";
import type { Tensors, VectorField } from "../../src/fields/field.js";
import { ReconstructionError } from "../../src/gradients/reconstruction-limit.js";
import { DriftError } from "../../src/integrate/failures.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse, scaledLoss } from "../../src/learning/losses.js";
import { adamw } from "../../src/learning/optimisers.js";
import { alf } from "../../src/methods/alf.js";
import { explicit } from "../../src/methods/explicit.js";
import type { Method } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint, rk4 } from "../../src/methods/tableaux.js";
import { mul, sub } from "../../src/ops/arithmetic.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import type { Checkpoint } from "../../src/train/checkpoint.js";
import { isCouplingLook, updatesToCouplingLook } from "../../src/train/coupling-looks.js";
import type { Trajectories } from "../../src/train/data.js";
import { type TrainOptions, type TrainResult, train } from "../../src/train/train.js";
import { failure } from "../support/failure.js";

/** y' = a (y − 1), whose solution from 2 is 1 + e^(a t). */
const relaxing = (a: number): VectorField => ({
  name: "relaxing",
  state: ["batch", 1],
  parameters: { a: { shape: [], initial: () => [a] } },
  apply: (b, theta, _t, y) => mul(b, theta.a!, sub(b, y, 1)),
});

/** Exact values of the solution for some a. */
function relaxed(a: number, times: readonly number[]): Trajectories {
  return {
    ...{ t0: 0, times, y0: tensor("float64", [1, 1], [2]) },
    observations: tensor(
      "float64",
      [times.length, 1, 1],
      times.map((t) => 1 + Math.exp(a * t)),
    ),
  };
}

interface Fitting extends Partial<TrainOptions> {
  readonly method: Method;
  readonly stepSize: number;
  /** what is fitted to data for what is right, at some times */
  readonly from: number;
  readonly to: number;
  readonly times: readonly number[];
}

function fitted({ method, stepSize, from, to, times, ...options }: Fitting): Promise<TrainResult> {
  const ode = neuralOde({ field: relaxing(from), method, stepSize });
  return train(ode, relaxed(to, times), {
    ...{ runtime: jit(), steps: 60, optimiser: adamw({ learningRate: 0.05, weightDecay: 0 }), check: false },
    ...options,
  });
}

const aOf = ({ parameters }: Pick<TrainResult, "parameters">) => numbers(parameters.a!)[0]!;
const values = (tensors: Tensors) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, value]: [string, Tensor]) => [name, numbers(value)]),
  );

/** All that a run leaves behind but the time it took. */
function traceOf({ losses, warnings, gradient, coupling, checkpoint }: TrainResult) {
  const { trained, memory, scheme, drift, step } = checkpoint;
  return {
    ...{ losses, warnings, gradient, coupling, scheme, drift, step },
    ...{ trained: values(trained), memory: values(memory) },
  };
}

/** The greatest relative difference of two lists. */
const apart = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((x, i) => Math.abs(x - b[i]!) / Math.abs(b[i]!)));

describe("training by steps that are undone", () => {
  describe("at a λ that must lose the reconstruction, 0.9 over 4000 steps", () => {
    const of: Fitting = {
      ...{ method: reversible(rk4, { coupling: 0.9 }), stepSize: 0.005 },
      ...{ from: -0.1, to: -0.4, times: [0.5, 0.75, 2, 20] },
    };

    it("stores states from the first update on, says so, and goes the way of stored steps to what is right", async () => {
      const [undone, stored] = [
        await fitted({ ...of, gradient: "reversible" }),
        await fitted({ ...of, gradient: "direct" }),
      ];
      expect(undone.gradient).to.equal("reversible:167");
      expect(undone.notes.map(({ code, step }) => [code, step])).to.deep.equal([["gradient", 0]]);
      expect(undone.notes[0]!.message).to.include("4000 steps").and.include("1/λ = 1.11");
      // what is left of a limit of 1e−6 on the states, after 60 updates
      expect(apart(undone.losses, stored.losses)).to.be.below(1e-6);
      expect(aOf(undone)).to.be.closeTo(-0.4, 0.02);
      expect(undone.warnings).to.deep.equal([]);
    });

    it("does so on ONNX Runtime", async () => {
      const options = { ...of, steps: 3 };
      const [ort, own] = [await fitted({ ...options, runtime: await ortNode() }), await fitted(options)];
      expect(apart(ort.losses, own.losses)).to.be.below(1e-9);
      expect(ort.gradient).to.equal("reversible:167");
    });
  });

  describe("where the field comes to damp so fast that rounding grows on the way back", () => {
    // at a = −0.3, e^9; at a = −1.2, e^36 times a rounding of 1e−16
    const of: Fitting = {
      ...{ method: reversible(rk4, { coupling: 0.99 }), stepSize: 0.04 },
      ...{ from: -0.3, to: -1.2, times: [0.5, 1, 2, 30] },
      steps: 45,
    };

    it("does the update again from stored states, says so, and goes on the way of stored steps", async () => {
      const errors: (number | null)[] = [];
      const [undone, stored] = [
        await fitted({
          ...of,
          onUpdate: ({ reconstructionError }) => {
            errors.push(reconstructionError);
          },
        }),
        await fitted({ ...of, gradient: "direct" }),
      ];
      const [note] = undone.notes;
      expect(note).to.include({ code: "refresh" });
      expect(note!.step).to.be.within(2, 44);
      expect(note!.message).to.include(`At update ${note!.step + 1}: Undoing the steps`);
      expect(undone.gradient).to.match(/^reversible:\d+$/);
      expect(errors).to.have.length(45);
      for (const error of errors) expect(error).to.be.within(0, 1e-6);
      expect(apart(undone.losses, stored.losses)).to.be.below(1e-5);
    });

    it("gives to the bit what one update at a time gives, and what goes on from any update", async () => {
      const kept: Checkpoint[] = [];
      const one = await fitted({
        ...of,
        updatesPerRun: 1,
        onUpdate: async ({ checkpoint }) => {
          kept.push(decodeCheckpoint(encodeCheckpoint(await checkpoint()), "kept"));
        },
      });
      const many = await fitted({ ...of, updatesPerRun: 16 });
      expect(traceOf(many)).to.deep.equal(traceOf(one));
      const { step } = one.notes[0]!;
      for (const at of [step - 2, step, step + 3]) {
        const further = await fitted({ ...of, resume: kept[at - 1]! });
        expect(traceOf(further), `from update ${at}`).to.deep.equal(traceOf(one));
      }
    });
  });

  it("is refused by name where not one step can be undone", async () => {
    // undoing a step divides by 1e−20: what is rounded away does not come back from any stored state but its own
    const method = reversible(midpoint, { coupling: 1e-20 });
    const error = await failure(
      fitted({ method, stepSize: 0.1, from: -0.1, to: -0.4, times: [1, 2] }),
      ReconstructionError,
    );
    expect(error.message).to.include("lost within a single step").and.include("λ nearer to 1");
  });

  it("goes on by another gradient, where another is asked for than before", async () => {
    const of: Fitting = {
      ...{ method: reversible(rk4, { coupling: 0.9 }), stepSize: 0.01 },
      ...{ from: -0.1, to: -0.4, times: [1, 10] },
    };
    const { checkpoint } = await fitted({ ...of, steps: 5 });
    expect(checkpoint.scheme).to.include({ asked: "reversible", gradient: "reversible:167", coupling: 0.9 });
    expect((await fitted({ ...of, steps: 7, resume: checkpoint })).gradient).to.equal("reversible:167");
    expect((await fitted({ ...of, steps: 7, resume: checkpoint, gradient: "direct" })).gradient).to.equal(
      "direct",
    );
  });
});

describe("the two solutions of a coupled method in training", () => {
  // a h = 0.2 against −ln λ = 0.001: unstable
  const of: Fitting = {
    ...{ method: reversible(midpoint), stepSize: 0.1 },
    ...{ from: -2, to: -1.5, times: [1, 2, 5] },
    steps: 20,
  };

  it("are watched, by stored steps as well: that they drift apart is a warning, with the damping that explains it", async () => {
    for (const gradient of ["reversible", "reversible:10", "direct", "checkpoint"] as const) {
      const drifts: (number | null)[] = [];
      const { warnings, checkpoint } = await fitted({
        ...{ ...of, gradient },
        onUpdate: ({ drift }) => {
          drifts.push(drift);
        },
      });
      expect(Math.max(...(drifts as number[])), gradient).to.be.above(0.01);
      expect(
        warnings.map(({ code }) => code),
        gradient,
      ).to.deep.equal(["drift", "stability"]);
      expect(warnings[0]!.message).to.match(
        /^In \d+ of 20 updates, the first of them number 1: reversible\(midpoint\): y and its companion differ by/,
      );
      expect(checkpoint.drift).to.include({ first: 1 });
    }
  });

  it("are an error where that was asked for, naming the update", async () => {
    const error = await failure(fitted({ ...of, strict: true }), DriftError);
    expect(error.message).to.match(/^At update 1: reversible\(midpoint\): y and its companion differ by/);
    expect(error.time).to.equal(5);
  });

  it("are no matter where a method has one, or where they stay together", async () => {
    for (const method of [explicit(midpoint), alf(), reversible(midpoint, { coupling: 0.7 })]) {
      expect((await fitted({ ...of, method, strict: true })).warnings, method.name).to.deep.equal([]);
    }
  });

  it("are held against a solution of any size", async () => {
    for (const size of [1e300, 1, 1e-300]) {
      // y' = a y is as large as it starts, and λ = 0.7 keeps its two solutions together
      const linear: VectorField = {
        ...relaxing(-0.5),
        apply: (b, theta, _t, y) => mul(b, theta.a!, y),
      };
      const drifts = async (coupling: number) => {
        let largest = 0;
        const ode = neuralOde({ field: linear, method: reversible(midpoint, { coupling }), stepSize: 0.1 });
        const times = [1, 20];
        const observations = times.map((t) => size * Math.exp(-0.5 * t));
        await train(
          ode,
          {
            ...{ t0: 0, times, y0: tensor("float64", [1, 1], [size]) },
            observations: tensor("float64", [2, 1, 1], observations),
          },
          {
            ...{ runtime: jit(), steps: 3, loss: scaledLoss(mse(), [size]), check: false },
            onUpdate({ drift }) {
              largest = Math.max(largest, drift!);
            },
          },
        );
        return largest;
      };
      expect(await drifts(0.7), `${size}`).to.be.below(1e-2);
      expect(await drifts(0.999), `${size}`).to.be.within(1e-2, 1e3);
    }
  });

  it("keep their record in a checkpoint", async () => {
    const whole = await fitted(of);
    const { checkpoint } = await fitted({ ...of, steps: 7 });
    const kept = decodeCheckpoint(encodeCheckpoint(checkpoint), "kept");
    expect(traceOf(await fitted({ ...of, resume: kept }))).to.deep.equal(traceOf(whole));
  });
});

describe("λ chosen anew in training", () => {
  const of: Fitting = {
    ...{ method: reversible(midpoint), stepSize: 0.1, coupling: "auto" },
    ...{ from: -0.3, to: -2, times: [0.25, 0.5, 1, 2, 5] },
    steps: 80,
  };

  it("is looked at after 8, 16, 32 and 64 updates, and then each 128", () => {
    const looks = Array.from({ length: 600 }, (_, step) => step).filter(isCouplingLook);
    expect(looks).to.deep.equal([0, 8, 16, 32, 64, 128, 256, 384, 512]);
    let step = 0;
    while (step < 512) {
      step += updatesToCouplingLook(step);
      expect(looks).to.include(step);
    }
  });

  it("follows the field as it comes to damp faster, and says so", async () => {
    const result = await fitted({ ...of, steps: 160 });
    const changes = result.notes.filter(({ code }) => code === "coupling");
    expect(changes[0]).to.include({ step: 0 });
    expect(changes.length).to.be.above(1);
    expect(changes.at(-1)!.message).to.match(/^After \d+ updates: λ = [\d.]+ for damping at a rate of up to/);
    // the field damps at −a: e^(−2 |a| h), chosen for twice the damping, and kept up to it
    const damping = -aOf(result) * 0.1;
    expect(-Math.log(result.coupling!) / damping).to.be.within(1, 4);
    expect(result.warnings).to.deep.equal([]);
    expect(aOf(result)).to.be.closeTo(-2, 0.1);
  });

  it("gives to the bit what one update at a time gives, and what goes on from any update", async () => {
    const kept: Checkpoint[] = [];
    const one = await fitted({
      ...{ ...of, updatesPerRun: 1 },
      onUpdate: async ({ checkpoint }) => {
        kept.push(decodeCheckpoint(encodeCheckpoint(await checkpoint()), "kept"));
      },
    });
    expect(traceOf(await fitted(of))).to.deep.equal(traceOf(one));
    for (const at of [5, 8, 16, 40]) {
      expect(traceOf(await fitted({ ...of, resume: kept[at - 1]! })), `from ${at}`).to.deep.equal(
        traceOf(one),
      );
    }
  });
});
