import { expect } from "chai";
import { OptionError } from "../../src/core/options.js";
import { defineModel, ModelDefinitionError } from "../../src/models/model.js";
import { defineTask } from "../../src/models/task.js";
import { measuresProgram } from "../../src/models/task-measures.js";
import { mul } from "../../src/ops/arithmetic.js";
import { reduceMean } from "../../src/ops/reduce.js";

const parts = {
  ...{ name: "line", parameters: { w: { shape: [], initial: () => [1] } }, inputs: { x: { shape: [2] } } },
  // biome-ignore lint/suspicious/noExplicitAny: what is wrong has no types
  apply: (b: any, { w }: any, { x }: any): any => ({ y: mul(b, x, w) }),
};
// biome-ignore lint/suspicious/noExplicitAny: as above
const loss = (b: any, { outputs }: any): any => reduceMean(b, outputs.y);
const model = defineModel(parts);
const modelOf = (given: object) => () => defineModel({ ...parts, ...given } as typeof parts);
const taskOf = (given: object) => () => defineTask({ model, targets: {}, loss, ...given } as never);
/** The graph of a task, of which the definition alone does not show what is wrong. */
const built = (given: object) => () => measuresProgram(taskOf(given)() as never, "float64", 3);

describe("the definition of a model", () => {
  it("names a part that there is not, that is missing, or that is something else", () => {
    expect(modelOf({ aply: 1 })).to.throw(OptionError, 'did you mean "apply"');
    expect(modelOf({ outputs: {} })).to.throw(OptionError, "what apply returns");
    expect(modelOf({ apply: undefined })).to.throw(OptionError, 'The model "line" needs apply');
    expect(modelOf({ parameters: undefined })).to.throw(OptionError, "or {} where there are none");
    expect(modelOf({ parameters: { w: 1 } })).to.throw(OptionError, "{ shape: [], initial: () => [1] }");
    expect(modelOf({ inputs: undefined })).to.throw(OptionError, "needs inputs by name");
    expect(modelOf({ inputs: { x: { shape: ["batch", 2] } } })).to.throw(OptionError, "without the batch");
    expect(modelOf({ inputs: { x: { shape: [2], type: "int32" } } })).to.throw(OptionError, 'type: "int64"');
    expect(modelOf({ inputs: {} })).to.throw(ModelDefinitionError, "no inputs");
  });

  it("is applied to what it has, and gives values by name", () => {
    const applied = (apply: unknown) => built({ model: modelOf({ apply })() });
    expect(applied((_b: never, _theta: never, { x }: { x: object }) => x)).to.throw(
      ModelDefinitionError,
      'The model "line" gives one value, float64[3, 2]. Return its outputs by name: { y }.',
    );
    expect(applied(() => undefined)).to.throw(ModelDefinitionError, "gives undefined");
    expect(applied(() => ({ y: 1 }))).to.throw(
      ModelDefinitionError,
      'The output "y" of the model "line" is 1',
    );
    expect(applied((b: never, _: never, { z }: { z: never }) => ({ y: mul(b, z, 2) }))).to.throw(
      ModelDefinitionError,
      'The model "line" reads the input "z", but its inputs are x.',
    );
  });
});

describe("the definition of a task", () => {
  it("names a part that there is not, that is missing, or that is something else", () => {
    expect(taskOf({ target: {} })).to.throw(OptionError, 'did you mean "targets"');
    expect(taskOf({ optimiser: 1 })).to.throw(OptionError, "given to fit");
    expect(taskOf({ targets: undefined })).to.throw(OptionError, "or {} where the loss takes none");
    expect(taskOf({ targets: { y: [2] } })).to.throw(OptionError, "y: { shape: [3] }");
    expect(taskOf({ loss: undefined })).to.throw(OptionError, "needs loss");
    expect(taskOf({ loss: "mse" })).to.throw(OptionError, 'but loss is "mse"');
    expect(taskOf({ model: undefined })).to.throw(OptionError, "needs a model");
    expect(taskOf({ metrics: { accuracy: 1 } })).to.throw(OptionError, 'the metric "accuracy"');
  });

  it("says which output, target or input a loss or a metric reads that there is not", () => {
    const who = 'The loss of a task with the model "line"';
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const reads = (read: (compared: any) => any) => (b: never, compared: never) =>
      reduceMean(b, read(compared));
    const output = reads(({ outputs }) => outputs.logits);
    expect(built({ loss: output })).to.throw(
      ModelDefinitionError,
      `${who} reads the output "logits", but the model gives y.`,
    );
    expect(built({ loss: reads(({ targets }) => targets.z) })).to.throw(
      ModelDefinitionError,
      'the target "z"',
    );
    expect(built({ loss: reads(({ inputs }) => inputs.z) })).to.throw(ModelDefinitionError, 'the input "z"');
    expect(built({ metrics: { error: output } })).to.throw(ModelDefinitionError, 'The metric "error" reads');
    expect(built({ loss: () => undefined })).to.throw(
      ModelDefinitionError,
      "must be one number of the graph",
    );
    // to ask whether there is one is no mistake
    const asks = (b: never, { outputs }: { outputs: Record<string, never> }) =>
      reduceMean(b, outputs.z ?? outputs.y!);
    expect(built({ loss: asks })).to.not.throw();
  });
});
