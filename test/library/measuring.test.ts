import { expect } from "chai";
import {
  controlPath,
  DatasetError,
  defineModel,
  defineTask,
  evaluate,
  OptionError,
  ParameterError,
  PathError,
  predict,
  RevortError,
  ShapeError,
  tensor,
  // under another name: linters take a call of fit for a focused test
  fit as trained,
} from "../../src/index.js";
import { mul, reduceMean, sub } from "../../src/ops.js";
import { failure } from "../support/failure.js";

// z = w x, with the loss mean (z − y)²
const model = defineModel({
  name: "line",
  parameters: { w: { shape: [], initial: () => [1] } },
  inputs: { x: { shape: [1] } },
  apply: (b, { w }, { x }) => ({ z: mul(b, x, w!) }),
});
const task = defineTask({
  model,
  targets: { y: { shape: [1], missing: true } },
  loss(b, { outputs: { z }, targets: { y } }) {
    const off = sub(b, z, y);
    return reduceMean(b, mul(b, off, off));
  },
});
const parameters = { w: 2 };
const refused = async (promise: Promise<unknown>, kind: typeof RevortError, part: string) =>
  expect((await failure(promise, kind)).message).to.include(part);

describe("predict and evaluate", () => {
  it("take nested arrays and numbers, as solve does", async () => {
    const { z } = await predict(model, { x: [[1], [3]] }, { parameters });
    expect(z).to.deep.equal(tensor("float64", [2, 1], [2, 6]));
    const single = await predict(model, { x: [[0.1]] }, { parameters, dtype: "float32" });
    expect(single.z).to.deep.equal(tensor("float32", [1, 1], [Math.fround(0.2)]));
    // ((2 − 1)² + (6 − 3)²) / 2
    const { loss } = await evaluate(task, { x: [[1], [3]], y: [[1], [3]] }, { parameters, atOnce: 1 });
    expect(loss).to.equal(5);
    const counted = defineTask({
      model,
      targets: { k: { shape: [], type: "int64" } },
      loss: (b, { outputs: { z } }) => reduceMean(b, z),
    });
    for (const k of [[1, 2], [1n, 2n], BigInt64Array.of(1n, 2n)]) {
      expect((await evaluate(counted, { x: [[1], [3]], k }, { parameters })).loss).to.equal(4);
    }
    await refused(
      evaluate(counted, { x: [[1], [3]], k: [0.5, 1] }, { parameters }),
      DatasetError,
      "whole numbers are taken there",
    );
  });

  it("refuse options that there are not, saying what is meant", async () => {
    const data = { x: [[1]], y: [[1]] };
    const asked = (options: object) => evaluate(task, data, { parameters, ...options });
    await refused(asked({ batchSize: 1 }), OptionError, "measured at once is atOnce");
    await refused(asked({ dtyp: "float32" }), OptionError, 'did you mean "dtype"');
    await refused(asked({ nonsense: 3 }), OptionError, 'evaluate has no option "nonsense"');
    await refused(asked({ dtype: "float16" }), OptionError, '"float32" or "float64"');
    const wanted = (options: object) => predict(model, { x: [[1]] }, { parameters, ...options });
    await refused(wanted({ atOnce: 1 }), OptionError, "all samples are taken at once");
    await refused(wanted({ runtime: "jit" }), OptionError, "runtime");
  });

  it("say which parameters, data or model they need", async () => {
    const wanted = (...rest: unknown[]) =>
      (predict as (...all: unknown[]) => Promise<unknown>)(model, { x: [[1]] }, ...rest);
    await refused(wanted(), OptionError, 'needs the parameters of "line"');
    await refused(wanted({}), OptionError, "{ parameters: fitted.parameters }");
    await refused(wanted({ parameters: {} }), ParameterError, "there is none");
    await refused(wanted({ parameters: { w: [2, 3] } }), ParameterError, "has shape [2]");
    await refused(predict(task as never, { x: [[1]] }, { parameters }), OptionError, "say task.model");
    await refused(
      evaluate(model as never, { x: [[1]] }, { parameters }),
      OptionError,
      "but a model was given",
    );
    await refused(
      predict(model, [[1]] as never, { parameters }),
      DatasetError,
      "these are taken: x float[1]",
    );
    await refused(predict(model, 3 as never, { parameters }), OptionError, "by name, { x }, but 3");
    await refused(predict(model, { x: [[1], [1, 2]] }, { parameters }), ShapeError, '"x": Nested arrays');
    await refused(predict(model, { x: [[null]] }, { parameters }), DatasetError, "missing: true");
  });
});

describe("fit", () => {
  const data = { x: [[1], [2], [3], [4]], y: [[2], [4], [6], [8]] };

  it("takes nested arrays, parameters as numbers and optimisers by name", async () => {
    const asTensors = {
      x: tensor("float64", [4, 1], data.x.flat()),
      y: tensor("float64", [4, 1], data.y.flat()),
    };
    const one = await trained(task, data, {
      steps: 2,
      parameters: { w: 0 },
      optimiser: "sgd",
      validation: data,
    });
    const other = await trained(task, asTensors, {
      ...{ steps: 2, parameters: { w: tensor("float64", [], [0]) }, optimiser: "sgd", validation: asTensors },
    });
    // mean (2 x)² = 30
    expect(one.losses[0]).to.equal(30);
    expect(one.losses).to.deep.equal(other.losses);
    expect(one.validations).to.deep.equal(other.validations);
  });

  it("says what schedules, optimisers, tasks and checkpoints are", async () => {
    const asked = (options: object, of: object = task) =>
      trained(of as typeof task, data, { steps: 1, ...options });
    await refused(asked({ schedule: "cosine" }), OptionError, "cosine({ steps: 1000 })");
    await refused(asked({ optimiser: "adm" }), OptionError, '"adam"');
    await refused(asked({ resume: {} }), OptionError, "resume: result.checkpoint");
    await refused(asked({}, model), OptionError, "but a model was given");
    await refused(trained(task, undefined as never, { steps: 1 }), OptionError, "{ x, y }");
    const pieces = [{ x: [[1]], y: [[1]] }] as never;
    await refused(trained(task, pieces, { steps: 1, batchSize: 1 }), DatasetError, "but a tensor is taken");
  });

  it("goes on with as many samples as it has started with, and calls them so", async () => {
    const { checkpoint } = await trained(task, data, { steps: 1, batchSize: 2 });
    const fewer = { x: data.x.slice(1), y: data.y.slice(1) };
    await refused(
      trained(task, fewer, { steps: 2, batchSize: 2, resume: checkpoint }),
      RevortError,
      "was on 4 samples, but there are 3",
    );
  });
});

describe("controlPath", () => {
  it("takes nested arrays, with gaps as null, and says which shape it takes", () => {
    const given = [
      [
        [0, 1],
        [1, null],
        [2, 5],
      ],
    ];
    const values = tensor("float64", [1, 3, 2], [0, 1, 1, Number.NaN, 2, 5]);
    expect(controlPath([0, 1, 2], given)).to.deep.equal(controlPath([0, 1, 2], values));
    expect(() =>
      controlPath(
        [0, 1],
        [
          [1, 2],
          [3, 4],
        ],
      ),
    ).to.throw(PathError, "[batch, 2 times, channels], but [2, 2]");
    expect(() => controlPath([0, 1], "values" as never)).to.throw(OptionError, "arrays of numbers");
  });
});
