import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, sizeOf, type Tensor, tensor } from "../../src/core/tensor.js";
import { encodeFitSteps, fitStart } from "../../src/deploy/model-file.js";
import { experiments } from "../../src/experiments/all.js";
import { taskExperiments } from "../../src/experiments/tasks.js";
import { decode } from "../../src/graph/decode.js";
import { instantiate } from "../../src/import/instantiate.js";
import { adam } from "../../src/learning/optimisers.js";
import { takeSamples } from "../../src/models/dataset.js";
import { fit as trainedOn } from "../../src/models/fit.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/storage/safetensors.js";
import { run, scratch, written } from "../cli/command.js";
import { distance } from "../support/distance.js";
import { evaluate } from "../support/evaluate.js";
import { missingModules, python } from "../support/python.js";
import { prepared } from "./prepared.js";
import { tinyOf } from "./tiny.js";

const runtime = jit();

/** Runs a file in Python's onnxruntime on inputs from one file of safetensors, its outputs into another. */
const running = `
import sys, numpy as np, onnxruntime as ort
from safetensors.numpy import load_file, save_file
ort.set_default_logger_severity(3)
session = ort.InferenceSession(sys.argv[1])
given = load_file(sys.argv[2])
found = session.run(None, {i.name: given[i.name] for i in session.get_inputs()})
save_file({o.name: np.array(x) for o, x in zip(session.get_outputs(), found)}, sys.argv[3])`;

type Tensors = Readonly<Record<string, Tensor>>;

describe("every file that an experiment writes", function () {
  this.timeout(600_000);
  const folder = scratch();
  before(function () {
    const missing = missingModules("onnxruntime", "numpy", "safetensors");
    if (missing === null) return;
    console.log(`      skipped: ${missing}`);
    this.skip();
  });

  function inPython(path: string, inputs: Tensors): Tensors {
    const [given, found] = [`${path}.in`, `${path}.out`];
    writeFileSync(given, encodeSafetensors(inputs));
    const { ok, stderr } = python(running, path, given, found);
    expect(ok, stderr).to.equal(true);
    return decodeSafetensors(readFileSync(found)).tensors;
  }

  /** Inputs of a file: arrays of the data by their names, else normal numbers and seeds. */
  function inputsOf(bytes: Uint8Array, data: Tensors): Tensors {
    const random = Random.seeded(1);
    const samples = Object.values(data)[0]?.shape[0] ?? 2;
    return Object.fromEntries(
      decode(bytes, { source: "file" }).graph.inputs.map(({ name, dtype, shape }) => {
        if (data[name] !== undefined) return [name, data[name]];
        const own = shape!.map((dim) => (typeof dim === "number" ? dim : samples));
        const values = Array.from({ length: sizeOf(own) }, (_, i) =>
          dtype === "int64" ? i : random.normal(),
        );
        return [
          name,
          dtype === "int64"
            ? tensor(dtype, own, values.map(BigInt))
            : tensor(dtype as "float32", own, values),
        ];
      }),
    );
  }

  /** A file in Python gives what it gives here, read back and compiled by jit. */
  async function expectSame(path: string, inputs: Tensors): Promise<Tensors> {
    const theirs = inPython(path, inputs);
    const model = decode(readFileSync(path), { source: path });
    const ours: Tensors = await evaluate(runtime, inputs, (b, values) => instantiate(b, model, values));
    expect(Object.keys(theirs)).to.have.members(Object.keys(ours));
    for (const [name, value] of Object.entries(theirs)) {
      expect(value.shape, name).to.deep.equal(ours[name]!.shape);
      // how far undone states are off is rounding itself, and another in each runtime
      if (name === "reconstructionError") {
        expect(numbers(value)[0]).to.be.below(1e-9);
        continue;
      }
      // sums in another order, over some hundred operations; means over a batch, divided by deviations, lose more
      // and a drift is the small difference of two states
      const tolerance = value.dtype === "float64" ? (name === "relativeDrift" ? 1e-5 : 1e-9) : 1e-3;
      expect(distance(numbers(value), numbers(ours[name]!)), `${path} ${name}`).to.be.below(tolerance);
    }
    return theirs;
  }

  for (const experiment of taskExperiments) {
    const { name } = experiment;

    it(`runs in Python as here: models of ${name}`, async () => {
      const { protocol, files: given } = tinyOf(experiment);
      const { task, training, files } = await prepared(experiment, protocol, given);
      const few = takeSamples(training, [0, 1, 2]);
      const { dtype } = experiment.protocol;
      const { best } = await trainedOn(task, few, { runtime, steps: 1, dtype });
      const made = files({ runtime, dtype, ...best });
      expect(Object.keys(made).length).to.be.above(0);
      for (const [file, bytes] of Object.entries(made)) {
        await expectSame(written(folder(`${name}-${file}`), bytes), inputsOf(bytes, few));
      }
    });

    it(`trains in Python as here: ${name}`, async () => {
      const { protocol, files: given } = tinyOf(experiment);
      // in float64, for updates make rounding larger: of the SDE-GAN in float32 to 3e-3 of the second loss
      const dtype = "float64";
      const { task, training } = await prepared(experiment, { ...protocol, dtype }, given);
      const few = takeSamples(training, [0, 1, 2, 3]);
      const options = { dtype, batchSize: 2, optimiser: adam({ learningRate: 1e-3 }) } as const;
      const path = written(
        folder(`${name}-steps.onnx`),
        encodeFitSteps(task, few, { ...options, updates: 2 }),
      );
      const { losses } = inPython(path, fitStart(task, few, { ...options, updates: 2, seed: 3 }));
      const ours = await trainedOn(task, few, { ...options, runtime, steps: 2, seed: 3 });
      expect(distance(numbers(losses!), ours.losses)).to.be.below(1e-9);
    });
  }

  /** Rows as Schmidt and Lipson's files have them: a trial, a time, and so many numbers. */
  const measured = (columns: number) => {
    const rows = Array.from({ length: 200 }, (_, k) => {
      const values = Array.from({ length: columns - 2 }, (__, c) => (10 * Math.sin(0.05 * k + c)).toFixed(6));
      return [0, (0.02 * k).toFixed(3), ...values].join("\t");
    });
    return `${rows.join("\n")}\n`;
  };

  for (const { name, needs } of experiments) {
    it(`runs in Python as here: field, solve and training step of ${name}`, async () => {
      const data = name === "double-pendulum" ? measured(10) : measured(6);
      const given = needs === null ? [] : ["--data", written(folder(`${name}.txt`), data)];
      const place = folder(name);
      const words = ["--steps", "2", "--runtime", "jit", "--out", place];
      const trained = await run(["train", name, ...given, ...words]);
      expect(trained.code, trained.stderr).to.equal(0);
      for (const what of ["field", "solve", "train-step"]) {
        const path = folder(`${name}-${what}.onnx`);
        const made = await run(["export", place, "--what", what, "--out", path]);
        if (name === "double-pendulum" && what === "train-step") {
          // its steps are chosen by their error, outside of any graph
          expect(made.stderr).to.include("such a training step is no single graph");
          continue;
        }
        expect(made.code, made.stderr).to.equal(0);
        const bytes = readFileSync(path);
        const start = what !== "train-step" ? {} : await evaluated(folder(`${name}-train-step.start.onnx`));
        const state = inputsOf(readFileSync(folder(`${name}-field.onnx`)), {}).y!;
        const times = {
          t0: scalarOf(0),
          t1: scalarOf(0.1),
          ts: tensor("float64", [2], [0.05, 0.1]),
          y0: state,
        };
        const inputs = inputsOf(bytes, what === "solve" ? times : start);
        await expectSame(path, inputs);
      }
    });
  }

  const scalarOf = (x: number) => tensor("float64", [], [x]);
  /** What a file gives that takes nothing. */
  const evaluated = async (path: string) => inPython(path, { none: tensor("float64", [1], [0]) });
});
