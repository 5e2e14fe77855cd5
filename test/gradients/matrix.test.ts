import { expect } from "chai";
import { GradientMethodError } from "../../src/chains/syntax.js";
import { type Control, ControlError, constantStep, givenTimes, pid } from "../../src/control/control.js";
import { type FloatDType, numbers, tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { gridOfTimes } from "../../src/gradients/differentiator.js";
import {
  differentiator,
  type Fit,
  type Gradients,
  gradientOf,
  lossFunction,
} from "../../src/gradients/evaluate.js";
import {
  type GradientSpec,
  gradientMethodOf,
  parseGradientMethod,
  showGradientMethod,
} from "../../src/gradients/method.js";
import { type NeuralOde, neuralOde } from "../../src/integrate/neural-ode.js";
import { solve, upload } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { adam } from "../../src/learning/optimisers.js";
import { alf } from "../../src/methods/alf.js";
import { effectivelySymmetric } from "../../src/methods/effectively-symmetric.js";
import { explicit } from "../../src/methods/explicit.js";
import { lawson } from "../../src/methods/lawson.js";
import { isReversible, type Method } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { reversibleHeun } from "../../src/methods/reversible-heun.js";
import { bosh3, ees27, midpoint, rk4 } from "../../src/methods/tableaux.js";
import { mul, neg } from "../../src/ops/arithmetic.js";
import { concat, split } from "../../src/ops/slicing.js";
import { sin } from "../../src/ops/trigonometry.js";
import { adjointFor, solveAdjoints } from "../../src/programs/adjoints.js";
import { type Grid, gridThrough, stepsOf, TimeError } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { train } from "../../src/train/train.js";
import { distance, tensorsDistance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import {
  along,
  directionalDerivatives,
  randomDirections,
  randomTask,
  type Task,
} from "../support/gradients.js";

/** concat[t, y] → tanh → dy/dt: nonlinear, and time matters. */
const field = mlp({ dim: 3, hidden: [8] });
const stepSize = 0.01;

const methods: Readonly<Record<string, Method>> = {
  "plain rk4": explicit(rk4),
  "coupled rk4": reversible(rk4, { coupling: 0.99 }),
  alf: alf(),
  "reversible Heun": reversibleHeun(),
  "Rex, of rk4": lawson(reversible(rk4, { coupling: 0.99 }), { rates: -0.5 }),
  // undone to h^7, which is rounding for h = 0.01
  ees27: effectivelySymmetric(ees27),
};

const saveTimes = {
  "the final time": [1],
  "times between": [0, 0.13, 0.5, 1],
  "some times twice": [0, 0, 0.13, 0.5, 0.5, 0.5, 1, 1],
  "every step": Array.from({ length: 100 }, (_, i) => (i + 1) / 100),
} as const;

const exact = ["reversible", "reversible:7", "checkpoint", "checkpoint:2"] as const;
const tried: readonly GradientSpec[] = ["direct", ...exact, "continuous"];

const all = ({ parameters, y0 }: Gradients) => ({ ...parameters, y0 });

describe("every gradient method", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  it("is among those tried here", () => {
    const names = new Set(tried.map((spec) => adjointFor(gradientMethodOf(spec)).name));
    expect([...names]).to.have.members(solveAdjoints.map(({ name }) => name));
  });

  const gradient = (ode: NeuralOde, how: GradientSpec, task: Task, times = false): Promise<Gradients> =>
    gradientOf(ode, { runtime, loss: mse(), gradient: how, times, ...task });
  const odeOf = (method: Method, dtype: FloatDType = "float64") =>
    neuralOde({ field, method, stepSize, dtype });

  for (const [name, method] of Object.entries(methods)) {
    for (const [situation, saves] of Object.entries(saveTimes)) {
      const options = { field, stepSize, saves, batch: 2 };
      const meaningful = exact.filter((how) => isReversible(method) || !how.startsWith("reversible"));

      it(`of ${name}, saving ${situation}, agrees with stored steps and with differences in float64`, async () => {
        const task = randomTask(options);
        const ode = odeOf(method);
        const direct = await gradient(ode, "direct", task);
        const directions = randomDirections(task, 2);
        const differences = await directionalDerivatives(ode, { runtime, loss: mse() }, task, directions);
        for (const how of ["direct", ...meaningful] as const) {
          const found = await gradient(ode, how, task);
          expect(found.loss).to.be.closeTo(direct.loss, 1e-13 * direct.loss);
          // exact up to rounding, 1e−16 over 100 steps, which λ = 0.99 lets grow by 1 / 0.99^100 = 2.7
          expect(tensorsDistance(all(found), all(direct)), how).to.be.below(1e-12);
          for (const [i, difference] of differences.entries()) {
            expect(along(found, directions[i]!) / difference, how).to.be.closeTo(1, 1e-8);
          }
        }
        // of the method's order in h = 0.01, two at least
        const continuous = await gradient(ode, "continuous", task);
        expect(tensorsDistance(all(continuous), all(direct))).to.be.below(method.order >= 4 ? 1e-8 : 1e-4);
      });

      it(`of ${name}, saving ${situation}, is in float32 that of float64 but for rounding`, async () => {
        const direct = await gradient(odeOf(method), "direct", randomTask(options));
        const task = randomTask({ ...options, dtype: "float32" });
        for (const how of ["direct", ...meaningful, "continuous"] as const) {
          const found = await gradient(odeOf(method, "float32"), how, task);
          expect(found.y0.dtype).to.equal("float32");
          // 6e−8 a rounding, over 100 steps; the continuous adjoint is off by its order besides
          const tolerance = how === "continuous" && method.order < 4 ? 1e-4 : 2e-5;
          expect(tensorsDistance(all(found), all(direct)), how).to.be.below(tolerance);
        }
      });
    }
  }

  it("comes within 1e-5 of the gradient of the solve, for the continuous adjoint, with fine steps of order 2", async () => {
    const task = randomTask({ field, stepSize: 0.002, saves: [0.3, 1] });
    const ode = neuralOde({ field, method: explicit(midpoint), stepSize: 0.002 });
    const [direct, found] = [await gradient(ode, "direct", task), await gradient(ode, "continuous", task)];
    expect(tensorsDistance(all(found), all(direct))).to.be.below(1e-5);
  });

  describe("of the times", () => {
    /** The grid with as many steps in each stretch, through other times. */
    const through = ([first, ...saves]: readonly number[], { offsets }: Grid): Grid => {
      const times = [first!];
      for (const [k, to] of saves.entries()) {
        const from = k === 0 ? first! : saves[k - 1]!;
        const count = offsets[k + 1]! - offsets[k]!;
        for (let i = 1; i <= count; i++) times.push(i === count ? to : from + ((to - from) * i) / count);
      }
      return { times, offsets };
    };

    /** ∂L/∂t of each time but a save at t0, by central differences: δ² = 1e−10 and 1e−16 / δ = 1e−11. */
    async function differences(ode: NeuralOde, { fit, parameters }: Task, times: readonly number[]) {
      const lossWith = async (grid: Grid) => {
        const compiled = await lossFunction(ode, { runtime, loss: mse(), fit: { ...fit, grid } });
        const value = await compiled.run({ parameters: upload(runtime, parameters) });
        await compiled.release();
        return value;
      };
      const found: number[] = [];
      for (const k of times.keys()) {
        const moved = (by: number) =>
          lossWith(
            through(
              times.map((t) => (t === times[k] ? t + by : t)),
              fit.grid,
            ),
          );
        found.push(((await moved(1e-5)) - (await moved(-1e-5))) / 2e-5);
      }
      return found;
    }

    for (const [name, method] of Object.entries(methods)) {
      it(`of ${name}: of t0 and of each save, as by differences`, async () => {
        const saves = [0.23, 0.5, 1];
        const task = randomTask({ field, stepSize: 0.05, saves, batch: 2 });
        const ode = neuralOde({ field, method, stepSize: 0.05 });
        const expected = await differences(ode, task, [0, ...saves]);
        for (const how of ["direct", ...exact] as const) {
          if (how.startsWith("reversible") && !isReversible(method)) continue;
          const { times, loss } = await gradient(ode, how, task, true);
          expect(loss).to.be.finite;
          expect(distance([times!.t0, ...times!.saves], expected), how).to.be.below(1e-8);
        }
        // the continuous adjoint is off by its order, of h = 0.05
        const { times } = await gradient(ode, "continuous", task, true);
        expect(distance([times!.t0, ...times!.saves], expected)).to.be.below(5e-3);
      });
    }

    it("counts a first save at t0 as t0, which moves it along", async () => {
      const saves = [0, 0.5, 1];
      const task = randomTask({ field, stepSize: 0.05, saves });
      const ode = neuralOde({ field, method: explicit(rk4), stepSize: 0.05 });
      const expected = await differences(ode, task, [0, ...saves]);
      for (const how of ["direct", "checkpoint:3", "continuous"] as const) {
        const { times } = await gradient(ode, how, task, true);
        expect(times!.saves[0]).to.equal(0);
        expect(
          distance([times!.t0, ...times!.saves.slice(1)], [expected[0]!, ...expected.slice(2)]),
        ).to.be.below(1e-6);
      }
    });

    it("is none unless asked for", async () => {
      const task = randomTask({ field, stepSize: 0.1, saves: [1] });
      for (const how of ["direct", "checkpoint", "continuous"] as const) {
        expect((await gradient(odeOf(explicit(rk4)), how, task)).times).to.equal(null);
      }
    });

    it("finds the time at which a solution arrives, by descent", async () => {
      // u' = v, v' = −u: from (0, 1), u = sin t
      const turning: VectorField = {
        name: "turning",
        state: ["batch", 2],
        parameters: {},
        apply(b, _theta, _t, y) {
          const [u, v] = split(b, y, 1, [1, 1]);
          return concat(b, [v!, neg(b, u!)], 1);
        },
      };
      const ode = neuralOde({ field: turning, method: reversible(rk4), stepSize: 0.05 });
      const fitUntil = (t1: number): Fit => ({
        grid: gridThrough(0, [t1], 0.05),
        y0: tensor("float64", [1, 2], [0, 1]),
        target: tensor("float64", [1, 1, 2], [Math.sin(1.3), Math.cos(1.3)]),
        weight: null,
      });
      let t1 = 0.4;
      for (let update = 0; update < 30; update++) {
        const { times } = await gradient(ode, "reversible", { fit: fitUntil(t1), parameters: {} }, true);
        // L = 1 − cos(t1 − 1.3)
        t1 -= times!.saves[0]!;
      }
      // RK4 at h = 0.05
      expect(t1).to.be.closeTo(1.3, 1e-6);
    });
  });

  describe("with chosen steps", () => {
    const saves = [0, 0.3, 2];
    const chosen = { "plain bosh3": explicit(bosh3), "coupled bosh3": reversible(bosh3) };
    const control = pid({ rtol: 1e-5, atol: 1e-7 });
    const taskOf = (dtype: FloatDType = "float64") => {
      const task = randomTask({ field, stepSize: 1, saves, batch: 2, dtype });
      return { ...task, fit: { ...task.fit, grid: gridOfTimes(0, saves) } };
    };
    const found = (ode: NeuralOde, how: GradientSpec, task: Task, by: Control = control, times = false) =>
      gradientOf(ode, { runtime, loss: mse(), gradient: how, control: by, times, ...task });

    for (const [name, method] of Object.entries(chosen)) {
      it(`of ${name}, is that of the solve over the steps that it accepted`, async () => {
        const task = taskOf();
        const ode = neuralOde({ field, method });
        const { y0 } = task.fit;
        const solution = await solve(ode, {
          runtime,
          y0,
          t0: 0,
          saveAt: saves,
          control,
          parameters: task.parameters,
        });
        const { grid } = solution;
        const onGrid = { ...task, fit: { ...task.fit, grid } };
        const direct = await gradient(ode, "direct", onGrid, true);
        const directions = randomDirections(onGrid, 2);
        const differences = await directionalDerivatives(ode, { runtime, loss: mse() }, onGrid, directions);
        for (const how of ["direct", ...exact] as const) {
          if (how.startsWith("reversible") && !isReversible(method)) continue;
          const result = await found(ode, how, task, control, true);
          expect(result.loss).to.be.closeTo(direct.loss, 1e-13 * direct.loss);
          expect(tensorsDistance(all(result), all(direct)), how).to.be.below(1e-12);
          for (const [i, difference] of differences.entries()) {
            expect(along(result, directions[i]!) / difference, how).to.be.closeTo(1, 1e-8);
          }
          const times = ({ times }: Gradients) => [times!.t0, ...times!.saves];
          expect(distance(times(result), times(direct)), how).to.be.below(1e-12);
          // what the solve that chose the steps took, rejected ones among them, and the gradient over the others
          expect(result.cost.steps).to.equal(stepsOf(grid));
          expect(result.work.forward).to.equal(solution.stats.evaluations);
          expect(result.cost.evaluations).to.be.at.least(result.work.forward + direct.cost.evaluations);
        }
      });

      it(`of ${name}, is in float32 that of float64 to the tolerance`, async () => {
        const double = await found(neuralOde({ field, method }), "direct", taskOf());
        for (const how of ["direct", "checkpoint", "continuous"] as const) {
          const single = await found(neuralOde({ field, method, dtype: "float32" }), how, taskOf("float32"));
          // rtol 1e−5 per step, and rounding 6e−8
          expect(tensorsDistance(all(single), all(double)), how).to.be.below(2e-4);
        }
      });

      it(`of ${name}, comes with tight tolerances within 1e-5 for the continuous adjoint, seminorm or not`, async () => {
        const task = taskOf();
        const tight = pid({ rtol: 1e-7, atol: 1e-9 });
        const ode = neuralOde({ field, method });
        const direct = await found(ode, "direct", task, tight, true);
        const [whole, semi] = [
          await found(ode, "continuous", task, tight, true),
          await found(ode, "continuous:seminorm", task, tight, true),
        ];
        for (const result of [whole, semi]) {
          expect(result.loss).to.be.closeTo(direct.loss, 1e-13 * direct.loss);
          expect(tensorsDistance(all(result), all(direct))).to.be.below(1e-5);
          expect(
            distance([result.times!.t0, ...result.times!.saves], [direct.times!.t0, ...direct.times!.saves]),
          ).to.be.below(1e-4);
          expect(result.cost.storedStates).to.equal(1);
        }
      });
    }

    it("is that of each save where several are at one time, or at one that float32 does not tell from it", async () => {
      const twice = [0, 0, 0.3, 0.3, 2, 2];
      for (const dtype of ["float64", "float32"] as const) {
        // 2^-30 above 0.3: counted as 0.3 in float32
        const near = dtype === "float32" ? [0, 2 ** -160, 0.3, 0.3 + 2 ** -30, 2, 2] : twice;
        const task = randomTask({ field, stepSize: 1, saves: twice, batch: 2, dtype });
        const fit = { ...task.fit, grid: gridOfTimes(0, near) };
        const ode = neuralOde({ field, method: reversible(bosh3), dtype });
        // the loss of one save at each time: mean (y − d₁)² + mean (y − d₂)² = 2 mean (y − (d₁ + d₂) / 2)² + …
        const values = numbers(task.fit.target);
        const size = values.length / 6;
        const middle = [0, 2, 4].flatMap((save) =>
          Array.from(
            { length: size },
            (_, i) => (values[save * size + i]! + values[(save + 1) * size + i]!) / 2,
          ),
        );
        const once = {
          ...task,
          fit: { ...task.fit, grid: gridOfTimes(0, [0, 0.3, 2]), target: tensor(dtype, [3, 2, 3], middle) },
        };
        const expected = await found(ode, "direct", once);
        for (const how of ["direct", "reversible", "reversible:3", "checkpoint:2", "continuous"] as const) {
          const both = await found(ode, how, { ...task, fit });
          // rounding over some tens of steps; the continuous adjoint is off by its tolerance
          const tolerance = how === "continuous" ? 1e-3 : dtype === "float32" ? 1e-4 : 1e-12;
          expect(tensorsDistance(all(both), all(expected)), `${how}, ${dtype}`).to.be.below(tolerance);
          const error = await failure(found(ode, how, { ...task, fit }, control, true), TimeError);
          expect(error.message).to.include("saves 0 and 1");
        }
      }
    });

    it("takes the steps that a solve in float32 chose, where they are given", async () => {
      const task = randomTask({ field, stepSize: 1, saves: [0.3, 0.7], batch: 2, dtype: "float32" });
      const fit = { ...task.fit, grid: gridOfTimes(0, [0.3, 0.7]) };
      const ode = neuralOde({ field, method: explicit(bosh3), dtype: "float32" });
      const request = { runtime, y0: fit.y0, t0: 0, saveAt: [0.3, 0.7], parameters: task.parameters };
      const { grid } = await solve(ode, { ...request, control });
      // 0.7 is above the number of float32 that stands for it, 0.3 below
      const given = await found(ode, "direct", { ...task, fit }, givenTimes(grid.times));
      expect(given.cost.steps).to.equal(stepsOf(grid));
    });

    it("takes fewer steps back with a seminorm, where the gradient of the parameters moves fastest", async () => {
      // of y' = a(t) y the state is slow and the gradient of a fast, sampled by sin 40 t
      const fast: VectorField = {
        name: "fast",
        state: ["batch", 1],
        parameters: { a: { shape: [], initial: () => [1e-3] } },
        apply: (b, theta, t, y) => mul(b, y, mul(b, theta.a!, sin(b, mul(b, t, 40)))),
      };
      const ode = neuralOde({ field: fast, method: explicit(bosh3) });
      const task: Task = {
        fit: {
          grid: gridOfTimes(0, [2]),
          y0: tensor("float64", [1, 1], [1]),
          target: tensor("float64", [1, 1, 1], [0]),
          weight: null,
        },
        parameters: { a: tensor("float64", [], [1e-3]) },
      };
      const tight = pid({ rtol: 1e-7, atol: 1e-9 });
      const [whole, semi] = [
        await found(ode, "continuous", task, tight),
        await found(ode, "continuous:seminorm", task, tight),
      ];
      expect(semi.work.backward).to.be.below(whole.work.backward / 2);
    });

    it("serves grids that differ with what was compiled once", async () => {
      const { fit, parameters } = taskOf();
      for (const how of ["reversible", "checkpoint:4", "continuous"] as const) {
        let compilations = 0;
        const counted: Runtime = {
          ...runtime,
          compile(graph, options) {
            compilations++;
            return runtime.compile(graph, options);
          },
        };
        const ode = neuralOde({ field, method: reversible(bosh3) });
        const options = { runtime: counted, loss: mse(), gradient: how, control, fit };
        const compiled = await differentiator(ode, options);
        const before = compilations;
        const counts: number[] = [];
        for (const factor of [1, 3, 0.2]) {
          const scaled = Object.entries(parameters).map(([name, value]) => {
            const values = numbers(value).map((x) => x * factor);
            return [name, tensor("float64", value.shape, values)] as const;
          });
          const point = Object.fromEntries(scaled);
          const results = await compiled.run({ parameters: upload(runtime, point) }, compiled.fixed(fit));
          const once = await found(ode, how, { fit, parameters: point });
          const y0 = await runtime.download(results.gradients.y0);
          expect(numbers(y0)).to.deep.equal(numbers(once.y0));
          counts.push(compiled.cost.steps);
        }
        expect(new Set(counts).size).to.equal(3);
        expect(compilations).to.equal(before);
        await compiled.release();
      }
    });

    it("trains", async () => {
      const { fit } = taskOf();
      const data = { t0: 0, times: saves, y0: fit.y0, observations: fit.target };
      const options = { runtime, control, steps: 10, seed: 3, optimiser: adam({ learningRate: 0.02 }) };
      const ode = neuralOde({ field, method: explicit(bosh3) });
      const direct = await train(ode, data, { ...options, gradient: "direct" });
      expect(direct.losses.at(-1)).to.be.below(0.9 * direct.losses[0]!);
      for (const how of ["checkpoint:4", "continuous:seminorm"] as const) {
        const { losses } = await train(ode, data, { ...options, gradient: how });
        // the continuous adjoint at rtol 1e−5, over 10 updates
        expect(distance(losses, direct.losses)).to.be.below(how === "checkpoint:4" ? 1e-10 : 1e-3);
      }
    });

    it("takes the steps that it is told to where they are no choice", async () => {
      const ode = neuralOde({ field, method: explicit(rk4) });
      const task = taskOf();
      const constant = randomTask({ field, stepSize: 0.1, saves, batch: 2 });
      const given = Array.from({ length: 20 }, (_, i) => (i + 1) / 10);
      const expected = await gradient(ode, "direct", constant);
      for (const by of [constantStep(0.1), givenTimes(given)]) {
        const result = await gradientOf(ode, {
          runtime,
          loss: mse(),
          gradient: "checkpoint:3",
          control: by,
          ...task,
        });
        expect(result.cost.steps).to.equal(20);
        expect(tensorsDistance(all(result), all(expected))).to.be.below(1e-13);
      }
    });

    it("is refused for a method that cannot say what its error is", async () => {
      const { message } = await failure(found(odeOf(explicit(rk4)), "direct", taskOf()), ControlError);
      expect(message).to.contain('"rk4"');
    });
  });

  it("trains alike", async () => {
    const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.05 });
    const { fit } = randomTask({ field, stepSize: 0.05, saves: [0.5, 1], batch: 3 });
    const data = { t0: 0, times: [0.5, 1], y0: fit.y0, observations: fit.target };
    const losses = async (how: GradientSpec) => {
      const options = { runtime, gradient: how, steps: 15, optimiser: adam({ learningRate: 0.02 }), seed: 3 };
      const result = await train(ode, data, options);
      expect(result.losses.at(-1)).to.be.below(result.losses[0]!);
      return result.losses;
    };
    const direct = await losses("direct");
    for (const how of [...exact, { kind: "checkpoint", states: 3 }] as const) {
      expect(distance(await losses(how), direct)).to.be.below(1e-10);
    }
    // of second order in h = 0.05
    expect(distance(await losses("continuous"), direct)).to.be.below(1e-2);
  });

  describe("by name", () => {
    it("is read as it is written", () => {
      const written = {
        reversible: { kind: "reversible" },
        "reversible:100": { kind: "reversible", refresh: 100 },
        direct: { kind: "direct" },
        checkpoint: { kind: "checkpoint" },
        "checkpoint:8": { kind: "checkpoint", states: 8 },
        continuous: { kind: "continuous" },
        "continuous:seminorm": { kind: "continuous", seminorm: true },
      } as const;
      for (const [text, method] of Object.entries(written)) {
        expect(parseGradientMethod(text)).to.deep.equal(method);
        expect(showGradientMethod(method)).to.equal(text);
        expect(gradientMethodOf(method)).to.deep.equal(method);
      }
      expect(parseGradientMethod("reversible:refresh 100")).to.deep.equal(written["reversible:100"]);
      expect(parseGradientMethod(" checkpoint : 8 ")).to.deep.equal(written["checkpoint:8"]);
    });

    it("says what it did not understand, and what there is", () => {
      const failing = {
        adjoint: ["adjoint", "checkpoint:8", "continuous"],
        "checkpoint:0": ["checkpoint:0", "positive"],
        "checkpoint:many": ["checkpoint:many", "checkpoint:8"],
        "reversible:-1": ["reversible:-1", "reversible:100"],
        "direct:3": ["direct:3", "no option"],
      };
      for (const [text, parts] of Object.entries(failing)) {
        for (const part of parts) expect(() => parseGradientMethod(text)).to.throw(GradientMethodError, part);
      }
      expect(() => gradientMethodOf({ kind: "checkpoint", states: 2.5 })).to.throw(
        GradientMethodError,
        /2\.5/,
      );
    });

    it("is refused where the steps of the solver cannot be undone", async () => {
      const task = randomTask({ field, stepSize: 0.1, saves: [1] });
      for (const how of ["reversible", "reversible:10"] as const) {
        const { message } = await failure(gradient(odeOf(explicit(rk4)), how, task), GradientMethodError);
        expect(message).to.contain('"rk4"').and.contain("checkpoint");
      }
    });

    it("gives the gradient of a solve without steps", async () => {
      const { fit, parameters } = randomTask({ field, stepSize: 0.1, saves: [0] });
      const ode = odeOf(reversible(midpoint));
      const direct = await gradient(ode, "direct", { fit, parameters });
      for (const how of [...exact, "continuous"] as const) {
        const found = await gradient(ode, how, { fit, parameters });
        expect(numbers(found.y0)).to.deep.equal(numbers(direct.y0));
      }
    });
  });
});
