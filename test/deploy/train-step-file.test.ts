import { expect } from "chai";
import { GradientMethodError } from "../../src/chains/syntax.js";
import { pid } from "../../src/control/control.js";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { byPath } from "../../src/core/tree.js";
import {
  encodeTrainStart,
  encodeTrainStep,
  type TrainStartOptions,
  trainStart,
  trainStepGradient,
  trainStepGraph,
} from "../../src/deploy/train-step-file.js";
import { type Activation, activations } from "../../src/fields/activations.js";
import type { Tensors, VectorField } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { gridInputs } from "../../src/gradients/differentiator.js";
import { decode } from "../../src/graph/decode.js";
import { type NeuralOde, neuralOde } from "../../src/integrate/neural-ode.js";
import { ParameterError } from "../../src/integrate/solve.js";
import { huber, l1 } from "../../src/learning/losses.js";
import { adam, adamw, rmsprop, sgd } from "../../src/learning/optimisers.js";
import { cosine } from "../../src/learning/schedules.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint, rk4 } from "../../src/methods/tableaux.js";
import { gridThrough } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import type { Trajectories } from "../../src/train/data.js";
import { train } from "../../src/train/train.js";
import { distance, tensorsDistance } from "../support/distance.js";
import { runGraph } from "../support/evaluate.js";
import { bareSession } from "./bare.js";

const times = [0.2, 0.5, 1];
const updates = 12;

/** Four trajectories of random data; every fifth value missing, where there are to be gaps. */
function observed(gaps: boolean): Trajectories {
  const random = Random.seeded(8);
  const draw = (count: number) => Array.from({ length: count }, () => random.normal());
  const values = draw(24).map((value, i) => (gaps && i % 5 === 2 ? Number.NaN : value));
  return {
    ...{ t0: 0, times },
    y0: tensor("float64", [4, 2], draw(8)),
    observations: tensor("float64", [3, 4, 2], values),
  };
}

type Run = (inputs: Tensors) => Promise<Record<string, Tensor>>;

/** Trains by nothing but running a step again and again: what comes out as next/… goes in again. */
async function trained(run: Run, start: Tensors, schedule = (_: number, rate: Tensor) => rate) {
  let values: Tensors = start;
  const losses: number[] = [];
  for (let k = 0; k < updates; k++) {
    const rate = schedule(k, start.learningRate!);
    const out = await run({ ...values, learningRate: rate });
    losses.push(numbers(out.loss!)[0]!);
    const next = Object.entries(out).filter(([name]) => name.startsWith("next/"));
    values = { ...values, ...Object.fromEntries(next.map(([name, value]) => [name.slice(5), value])) };
  }
  return { losses, values };
}

describe("a training step as a file", () => {
  const field = mlp({ dim: 2, hidden: [5] });
  const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.1 });
  const base: TrainStartOptions = { optimiser: adamw({ learningRate: 0.05 }), seed: 3 };

  /** The file and what it takes first, both run by ONNX Runtime alone. */
  async function bare(equation: NeuralOde, data: Trajectories, options: TrainStartOptions) {
    const step = await bareSession(encodeTrainStep(equation, data, options));
    const start = await bareSession(encodeTrainStart(trainStart(equation, data, options)));
    const first = await start.run({});
    expect(start.inputs).to.deep.equal([]);
    expect(Object.keys(first)).to.have.members([...step.inputs]);
    return { step, first };
  }

  const cases: Record<string, { options?: TrainStartOptions; gaps?: boolean; equation?: NeuralOde }> = {
    "by AdamW, clipped": { options: { clip: 0.5 } },
    "by Adam, with gaps in the data": { options: { optimiser: adam({ learningRate: 0.05 }) }, gaps: true },
    "by RMSprop, of the absolute error": { options: { optimiser: rmsprop(), loss: l1() } },
    "by SGD with momentum, of Huber's loss": {
      options: { optimiser: sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 }), loss: huber() },
    },
    "by plain SGD, through stored steps": {
      options: { optimiser: sgd({ learningRate: 0.1 }), gradient: "direct" },
      equation: { ...ode, method: explicit(rk4) },
    },
    "by the continuous adjoint": { options: { gradient: "continuous" }, gaps: true },
    "by checkpoints": { options: { gradient: "checkpoint:3" }, gaps: true },
    "by steps undone from stored states": { options: { gradient: "reversible:4", trainY0: true } },
    "of the initial states as well": { options: { trainY0: true } },
    "in float32": { equation: { ...ode, dtype: "float32" }, gaps: true },
  };
  for (const [what, { options = {}, gaps = false, equation = ode }] of Object.entries(cases)) {
    it(`trains as \`train\` does, to the bit on the same runtime, and to rounding as a file: ${what}`, async () => {
      const data = observed(gaps);
      const all = { ...base, ...options };
      const first = trainStart(equation, data, all);
      const { gradient: method } = trainStepGradient(equation, data, all);
      const grid = byPath<Tensor>(gridInputs(equation, gridThrough(0, times, 0.1), { times: false, method }));
      const graph = trainStepGraph(equation, data, all);
      for (const runtime of [jit(), await ortNode()] as Runtime[]) {
        const own = await train(equation, data, { ...all, runtime, steps: updates });
        const by = await trained((inputs) => runGraph(runtime, graph, { ...inputs, ...grid }), first);
        expect(by.losses, runtime.name).to.deep.equal(own.losses);
        for (const [name, value] of Object.entries(own.checkpoint.trained)) {
          expect(numbers(by.values[name]!), name).to.deep.equal(numbers(value));
        }
        if (runtime.name === "jit") continue;
        const file = await bare(equation, data, all);
        const alone = await trained(file.step.run, file.first);
        // ONNX Runtime may round another way in another graph; twelve updates add to it
        const tolerance = equation.dtype === "float64" ? 1e-12 : 1e-4;
        expect(distance(alone.losses, own.losses)).to.be.below(tolerance);
        expect(numbers(alone.values.count!)).to.deep.equal([updates + 1]);
        expect(new Set(own.losses).size).to.equal(updates);
      }
    });
  }

  it("runs in default sessions with any activation", async () => {
    for (const activation of Object.keys(activations) as Activation[]) {
      const own = { ...ode, field: mlp({ dim: 2, hidden: [4], activation }) };
      const { step, first } = await bare(own, observed(false), base);
      const { losses } = await trained(step.run, first);
      const reference = await train(own, observed(false), {
        ...base,
        ...{ runtime: await ortNode(), steps: updates },
      });
      expect(distance(losses, reference.losses), activation).to.be.below(1e-10);
    }
  });

  describe("of many updates in a run", () => {
    const schedule = cosine({ steps: 20, warmup: 3 });

    it("does as many as learning rates are given, as `train` does, and goes on from there", async () => {
      const many: TrainStartOptions = { ...base, many: true, updates: 9, schedule };
      const { step, first } = await bare(ode, observed(true), many);
      const own = await train(ode, observed(true), {
        ...{ ...base, schedule, runtime: await ortNode(), steps: 13 },
      });
      const rates = Array.from({ length: 13 }, (_, k) => 0.05 * schedule.factor(k));
      expect(numbers(first.learningRates!)).to.deep.equal(rates.slice(0, 9));
      const some = await step.run(first);
      const next = Object.entries(some).filter(([name]) => name.startsWith("next/"));
      const rest = await step.run({
        ...first,
        ...Object.fromEntries(next.map(([name, value]) => [name.slice(5), value])),
        learningRates: tensor("float64", [4], rates.slice(9)),
      });
      const losses = [...numbers(some.losses!), ...numbers(rest.losses!)];
      expect(losses.length).to.equal(13);
      // as above
      expect(distance(losses, own.losses)).to.be.below(1e-12);
      expect(numbers(rest["next/count"]!)).to.deep.equal([14]);
    });

    it("takes the batches it is told to, first those that `train` takes", async () => {
      const many: TrainStartOptions = { ...base, many: true, updates: 10, batchSize: 3 };
      const { step, first } = await bare(ode, observed(false), many);
      expect(first.batches!.shape).to.deep.equal([10, 3]);
      const { losses } = await step.run(first);
      const runtime = await ortNode();
      const own = await train(ode, observed(false), { ...base, batchSize: 3, runtime, steps: 10 });
      expect(distance(numbers(losses!), own.losses)).to.be.below(1e-12);
    });
  });

  it("goes on where a run has stopped, as if it had never", async () => {
    const runtime = await ortNode();
    const data = observed(true);
    const part = await train(ode, data, { ...base, runtime, steps: 5 });
    const whole = await train(ode, data, { ...base, runtime, steps: 5 + updates });
    const { step, first } = await bare(ode, data, { ...base, resume: part.checkpoint });
    expect(numbers(first.count!)).to.deep.equal([6]);
    const { losses } = await trained(step.run, first);
    expect(distance(losses, whole.losses.slice(5))).to.be.below(1e-12);
  });

  it("takes other data observed at the same times", async () => {
    const data = observed(false);
    const { step, first } = await bare(ode, data, base);
    const other = { ...data, observations: tensor("float64", [3, 4, 2], new Float64Array(24).fill(0.3)) };
    const { losses } = await trained(step.run, { ...first, "data/target": other.observations });
    const runtime = await ortNode();
    const own = await train(ode, other, { ...base, runtime, steps: updates });
    expect(distance(losses, own.losses)).to.be.below(1e-12);
  });

  it("is of standard operators alone, and says what it is", () => {
    const { graph, opsets, irVersion, metadata, doc } = decode(
      encodeTrainStep(ode, observed(true), { ...base, clip: 2, metadata: { trainedOn: "spirals" } }),
    );
    expect([...opsets]).to.deep.equal([["", 21]]);
    expect(irVersion).to.equal(10);
    expect(graph.optional).to.deep.equal([]);
    const shapes = (values: typeof graph.inputs) =>
      Object.fromEntries(values.map(({ name, dtype, shape }) => [name, `${dtype} ${shape}`]));
    expect(shapes(graph.inputs)).to.include({
      "parameters/layers.0.weight": "float64 5,3",
      "memory/m/parameters/layers.0.weight": "float64 5,3",
      ...{ y0: "float64 4,2", "data/target": "float64 3,4,2", "data/weight": "float64 3,4,2" },
      ...{ learningRate: "float64 ", count: "float64 " },
    });
    const next = Object.keys(shapes(graph.inputs)).filter((name) => /^(parameters|memory)\//.test(name));
    expect(graph.outputs.map(({ name }) => name)).to.have.members([
      ...["loss", "gradientNorm", "relativeDrift", "reconstructionError", "next/count"],
      ...next.map((name) => `next/${name}`),
    ]);
    expect(metadata).to.include({
      ...{ "revort.kind": "train-step", "revort.optimiser": "adamw", "revort.loss": "mse" },
      ...{ "revort.gradient": "reversible", "revort.clip": "2", "revort.trainedOn": "spirals" },
    });
    expect(JSON.parse(metadata["revort.optimiserSettings"]!)).to.include({ learningRate: 0.05 });
    expect(doc).to.contain("3 times from 0 to 1");
  });

  it("stores states where its reconstruction must be lost, says so, and then trains as stored steps do", async () => {
    const equation = { ...ode, method: reversible(midpoint, { coupling: 0.7 }), stepSize: 0.01 };
    const data = observed(false);
    const options = { ...base, gradient: "reversible" } as const;
    const { gradient, notes } = trainStepGradient(equation, data, options);
    // 2⁻⁵² · 0.7⁻¹⁰⁰ = 0.7, and 0.7⁻⁴⁹ = 4e7
    expect(gradient).to.deep.equal({ kind: "reversible", refresh: 49 });
    expect(notes.join()).to.include("Undoing 100 steps").and.include("reversible:49");
    const { metadata } = decode(encodeTrainStep(equation, data, options));
    expect(metadata["revort.gradient"]).to.equal("reversible:49");
    const moments = async (asked: "reversible" | "direct") => {
      const all = { ...base, gradient: asked };
      const { gradient: method } = trainStepGradient(equation, data, all);
      const grid = byPath<Tensor>(
        gridInputs(equation, gridThrough(0, times, 0.01), { times: false, method }),
      );
      const results = await runGraph(jit(), trainStepGraph(equation, data, all), {
        ...trainStart(equation, data, all),
        ...grid,
      });
      return Object.fromEntries(Object.entries(results).filter(([name]) => name.startsWith("next/memory/m")));
    };
    const [undone, stored] = [await moments("reversible"), await moments("direct")];
    // the first moment is a tenth of the gradient
    expect(tensorsDistance(undone, stored)).to.be.below(1e-7);
  });

  it("has of the time grid only what something depends on", () => {
    const gridOf = (time: boolean) => {
      const equation = { ...ode, field: mlp({ dim: 2, hidden: [4], time }) };
      const { graph } = decode(encodeTrainStep(equation, observed(false), base));
      expect(graph.inputs.some(({ name }) => ["t0", "t1", "h", "offsets"].includes(name))).to.equal(false);
      return ["t0", "t1", "h", "offsets"].filter((name) => graph.initializers.has(name));
    };
    expect(gridOf(true)).to.deep.equal(["t0", "t1", "h", "offsets"]);
    expect(gridOf(false)).to.deep.equal(["h", "offsets"]);
  });

  it("is refused where steps are chosen outside of it or cannot be undone, and for what cannot be trained", () => {
    const data = observed(false);
    const plain = { ...ode, method: explicit(midpoint) };
    expect(() => encodeTrainStep(plain, data, { gradient: "reversible:5" })).to.throw(
      GradientMethodError,
      "cannot be undone",
    );
    expect(() => encodeTrainStep(ode, data, { control: pid() })).to.throw(
      GradientMethodError,
      "Steps that are",
    );
    expect(() =>
      encodeTrainStep({ ...ode, method: explicit(rk4) }, data, { gradient: "reversible" }),
    ).to.throw(GradientMethodError, "cannot be undone");
    const still: VectorField = { ...field, parameters: {}, apply: (_b, _theta, _t, y) => y };
    expect(() => encodeTrainStep({ ...ode, field: still }, data)).to.throw("nothing to train");
    expect(() => trainStart(ode, data, { parameters: {} })).to.throw(ParameterError, "missing");
    expect(() => encodeTrainStep(ode, data, { batchSize: 2, trainY0: true })).to.throw("batch size");
  });
});
