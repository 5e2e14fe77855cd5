import { expect } from "chai";
import type { TaskExperiment } from "../../src/experiments/task-experiment.js";
import { taskExperiments } from "../../src/experiments/tasks.js";
import { initialValues } from "../../src/models/values.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { prepared } from "./prepared.js";
import { tinyOf } from "./tiny.js";

/** A runtime that counts the graphs that it compiles. */
function counting(): { readonly runtime: Runtime; readonly compiled: () => number } {
  const own = jit();
  let count = 0;
  const compile: Runtime["compile"] = (graph, options) => {
    count += 1;
    return own.compile(graph, options);
  };
  return {
    runtime: new Proxy(own, { get: (of, name) => (name === "compile" ? compile : Reflect.get(of, name)) }),
    compiled: () => count,
  };
}

async function madeOf(experiment: TaskExperiment) {
  const { protocol, files } = tinyOf(experiment);
  const own = { ...experiment.protocol, ...protocol };
  const task = await prepared(experiment, own, files);
  const { dtype } = own;
  const { parameters, buffers } = initialValues(task.task.model, { dtype, seed: 0, given: {} });
  const { runtime, compiled } = counting();
  const trained = { runtime, dtype, parameters, buffers };
  const findings = await task.findings!(trained);
  const before = compiled();
  const charts = await task.charts!(trained);
  return { task, trained, findings, charts, before, after: compiled(), compiled };
}

describe("what is made of a trained model", () => {
  for (const name of ["uea", "deq-mnist", "ou-sde-gan", "heat"]) {
    it(`is predicted once for findings and charts: ${name}`, async () => {
      const { before, after } = await madeOf(taskExperiments.find((one) => one.name === name)!);
      expect(before).to.be.greaterThan(0);
      expect(after).to.equal(before);
    });
  }

  it("is made anew of another model", async () => {
    const uea = taskExperiments.find(({ name }) => name === "uea")!;
    const { task, trained, before, compiled, findings } = await madeOf(uea);
    const zero = Object.fromEntries(
      Object.entries(trained.parameters).map(([name, value]) => [
        name,
        { ...value, data: value.data.map(() => 0 as never) } as typeof value,
      ]),
    );
    const other = await task.findings!({ ...trained, parameters: zero });
    expect(compiled()).to.be.greaterThan(before);
    expect(other.confusion).not.to.deep.equal(findings.confusion);
  });
});
