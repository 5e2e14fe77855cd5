import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  adamw,
  anderson,
  crossEntropy,
  type Dataset,
  type DeqOptions,
  defineTask,
  encodeFitSteps,
  encodePrediction,
  evaluate,
  fitStart,
  implicitResNet,
  jit,
  type ModelDefinition,
  numbers,
  predict,
  sgd,
  singleDeq,
  splitDataset,
  type Tensor,
  tensor,
  fit as trained,
} from "revort";
import { deqDigitsTask } from "../../examples/deq-digits.js";
import { readDigits } from "../../examples/digits.js";
import { bareSession } from "../deploy/bare.js";
import { distance, tensorDistance } from "../support/distance.js";
import { missingModules, python } from "../support/python.js";

const runtime = jit();

interface Described {
  readonly loss: number;
  readonly logits: readonly number[];
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly gradients: Readonly<Record<string, readonly [norm: number, wave: number]>>;
  readonly buffers: Readonly<Record<string, readonly number[]>>;
}
const pytorch = JSON.parse(
  readFileSync(new URL("../equilibrium/vision.json", import.meta.url), "utf8"),
) as Record<"single DEQ" | "ImplicitResNet", Described>;

const product = (shape: readonly number[]) => shape.reduce((p, d) => p * d, 1);
type AnyModel = Pick<ModelDefinition, "parameters" | "buffers">;
const countOf = ({ parameters }: AnyModel, of = "") =>
  Object.entries(parameters)
    .filter(([name]) => name.startsWith(of))
    .reduce((sum, [, { shape }]) => sum + product(shape), 0);

/** The weights of vision.py. */
function wave(shapes: Described["shapes"]): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape], k) => {
      const scale = Math.sqrt(product(shape.slice(1)));
      const values = Array.from({ length: product(shape) }, (_, i) => {
        const sine = Math.sin(1 + i * (0.7 + 0.13 * k));
        if (shape.length > 1) return sine / scale;
        return name.endsWith("weight") ? 1 + 0.2 * sine : 0.2 * sine;
      });
      return [name, tensor("float64", shape, values)];
    }),
  );
}

function images(shape: readonly number[]): Tensor {
  return tensor(
    "float64",
    shape,
    Array.from({ length: product(shape) }, (_, i) => Math.sin(0.37 * i ** 1.1)),
  );
}

describe("the models of the RevDEQ paper", () => {
  it("have as many parameters as published, in each part", () => {
    const single = singleDeq();
    expect(countOf(single)).to.equal(24_714);
    // conv with bias and a norm; two convs and three norms; 512 → 10
    expect(countOf(single, "stem")).to.equal(27 * 32 + 32 + 64);
    expect(countOf(single, "deq")).to.equal(2 * 9 * 32 * 32 + 3 * 64);
    expect(countOf(single, "readout")).to.equal(512 * 10 + 10);

    const resnet = implicitResNet();
    expect(countOf(resnet)).to.equal(10_319_754);
    expect(countOf(resnet, "stem")).to.equal(27 * 128 + 256);
    const cell = (c: number, w: number) => 2 * 9 * c * c * w + 2 * c * w + 4 * c;
    const down = (from: number, to: number) => 2 * from + 9 * from * to + 2 * to + 9 * to * to + from * to;
    const parts = [
      cell(128, 1),
      down(128, 256),
      cell(256, 3),
      down(256, 256),
      cell(256, 3),
      down(256, 128),
      cell(128, 1),
    ];
    for (const [i, count] of parts.entries())
      expect(countOf(resnet, `body.${i}.`), String(i)).to.equal(count);
    expect(countOf(resnet, "readout")).to.equal(128 * 10 + 10);
    // mean and variance of each of seven batch normalisations
    expect(Object.keys(resnet.buffers!)).to.have.length(14);
  });

  for (const [name, model, shape] of [
    ["single DEQ", (deq: DeqOptions) => singleDeq({ channels: 1, size: 8, width: 16, deq }), [3, 64]],
    [
      "ImplicitResNet",
      (deq: DeqOptions) => implicitResNet({ stages: [16, 32, 32, 16], size: 8, deq }),
      [3, 3, 8, 8],
    ],
  ] as const) {
    for (const [gradient, tolerance] of [
      ["direct", 1e-9],
      // GN makes these cells no contractions: undoing four steps magnifies rounding by some 1e7
      ["reversible", 1e-7],
    ] as const) {
      it(`have PyTorch's loss, gradients and statistics: ${name}, ${gradient}`, async () => {
        const known = pytorch[name];
        const maxSteps = name === "single DEQ" ? 2 : 4;
        const task = defineTask({
          model: model({ stop: { rtol: 0, atol: 0, maxSteps }, gradient }) as ReturnType<typeof singleDeq>,
          targets: { digit: { shape: [], type: "int64" } },
          loss: (b, { outputs, targets }) => crossEntropy(b, outputs.logits, targets.digit),
        });
        const shapes = Object.entries(task.model.parameters).map(([own, { shape }]) => [own, shape]);
        expect(shapes).to.have.deep.members(Object.entries(known.shapes));
        const parameters = wave(known.shapes);
        const data = { image: images(shape), digit: tensor("int64", [3], [0, 3, 6]) };
        const result = await trained(task, data, {
          ...{ runtime, steps: 1, batchSize: 3, optimiser: sgd({ learningRate: 1 }), parameters },
        });
        // the order of samples is drawn, of which the sums depend by rounding alone
        expect(result.losses[0]).to.be.closeTo(known.loss, 1e-11);
        for (const [own, [norm, inner]] of Object.entries(known.gradients)) {
          const before = numbers(parameters[own]!);
          const found = numbers(result.parameters[own]!).map((after, i) => before[i]! - after);
          // 1e-16 of weights of order one is lost in their difference, in up to 1e4 of them
          const most = 1e-11 + tolerance * norm;
          expect(Math.hypot(...found), own).to.be.closeTo(norm, most);
          const along = found.reduce((sum, g, i) => sum + g * Math.cos(0.5 * i), 0);
          expect(along, own).to.be.closeTo(inner, 3 * most);
        }
        for (const [own, values] of Object.entries(known.buffers)) {
          for (const [i, value] of numbers(result.buffers[own]!).entries())
            expect(value, own).to.be.closeTo(values[i]!, 1e-12);
        }
      });
    }
  }
});

describe("examples/deq-digits.ts", () => {
  const digits = readDigits("examples/data/digits.csv");
  const few = splitDataset(digits, [0.05])[0]!;

  it("learns to tell digits by an equilibrium", async () => {
    const [training, test] = splitDataset(digits, [0.8, 0.2]) as [Dataset, Dataset];
    const task = deqDigitsTask({ width: 8 });
    const { parameters } = await trained(task, training, {
      ...{ runtime, steps: 40, batchSize: 32, dtype: "float32" },
      optimiser: adamw({ learningRate: 1e-2 }),
    });
    const { metrics } = await evaluate(task, test, { runtime, parameters, dtype: "float32" });
    // 60 digits of ten kinds: by chance it would be 0.1
    expect(metrics.accuracy).to.be.above(0.8);
  });

  const ways: Readonly<Record<string, DeqOptions>> = {
    "reversible steps": {},
    "Anderson's method and the implicit gradient": {
      ...{ solver: anderson(), stop: { rtol: 1e-6, maxSteps: 12 }, gradient: "implicit" },
    },
  };

  for (const [what, deq] of Object.entries(ways)) {
    it(`predicts and trains as one file in bare ONNX Runtime as here: ${what}`, async () => {
      const task = deqDigitsTask({ width: 4, deq });
      const options = { runtime, steps: 2, batchSize: 4, updatesPerRun: 2 };
      const { parameters, losses } = await trained(task, few, options);
      const bytes = encodePrediction(task.model, { parameters });
      const image = splitDataset(digits, [0.03])[0]!.image!;
      const own = await predict(task.model, { image }, { runtime, parameters });
      const results = await (await bareSession(bytes)).run({ image });
      expect(tensorDistance(results.logits!, own.logits)).to.be.below(1e-11);

      const steps = await bareSession(encodeFitSteps(task, few, { batchSize: 4, updates: 2 }));
      const start = fitStart(task, few, { batchSize: 4, updates: 2 });
      const after = await steps.run(Object.fromEntries(steps.inputs.map((name) => [name, start[name]!])));
      for (const [i, loss] of losses.entries()) expect(numbers(after.losses!)[i]).to.be.closeTo(loss, 1e-10);
    });
  }

  it("predicts and trains by Python's onnxruntime as here, from files that onnx accepts", async function () {
    const missing = missingModules("onnx", "onnxruntime", "numpy");
    if (missing !== null) {
      this.test!.title += ` (${missing})`;
      return this.skip();
    }
    const folder = mkdtempSync(join(tmpdir(), "revort-deq-"));
    try {
      const options = { runtime, steps: 2, batchSize: 4, updatesPerRun: 2 };
      for (const [name, deq] of Object.entries(ways)) {
        const task = deqDigitsTask({ width: 4, deq });
        const { parameters, losses } = await trained(task, few, options);
        const { image } = splitDataset(digits, [0.03])[0] as { image: Tensor };
        const own = await predict(task.model, { image }, { runtime, parameters });
        const given = (tensors: Readonly<Record<string, Tensor>>) =>
          JSON.stringify(
            Object.fromEntries(
              Object.entries(tensors).map(([key, { dtype, shape, data }]) => [
                key,
                { dtype, shape, data: Array.from(data as Float64Array, Number) },
              ]),
            ),
          );
        writeFileSync(join(folder, "predict.onnx"), encodePrediction(task.model, { parameters }));
        writeFileSync(join(folder, "predict.json"), given({ image }));
        const step = { batchSize: 4, updates: 2 };
        writeFileSync(join(folder, "train-step.onnx"), encodeFitSteps(task, few, step));
        writeFileSync(join(folder, "train-step.json"), given(fitStart(task, few, step)));
        const outcome = python(runningFiles, folder);
        expect(outcome.ok, outcome.stderr).to.equal(true);
        const found = JSON.parse(outcome.stdout) as { logits: number[]; losses: number[] };
        expect(distance(found.logits, numbers(own.logits)), name).to.be.below(1e-11);
        expect(distance(found.losses, losses), name).to.be.below(1e-10);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Checks and runs the two files of a folder, each on the inputs beside it. */
const runningFiles = `
import json, sys, numpy, onnx, onnxruntime
found = {}
for name, output in (("predict", "logits"), ("train-step", "losses")):
  path = f"{sys.argv[1]}/{name}"
  onnx.checker.check_model(onnx.load(f"{path}.onnx"), full_check=True)
  session = onnxruntime.InferenceSession(f"{path}.onnx")
  given = json.load(open(f"{path}.json"))
  feeds = {
    i.name: numpy.array(given[i.name]["data"], given[i.name]["dtype"]).reshape(given[i.name]["shape"])
    for i in session.get_inputs()
  }
  found[output] = session.run([output], feeds)[0].ravel().tolist()
print(json.dumps(found))
`;
