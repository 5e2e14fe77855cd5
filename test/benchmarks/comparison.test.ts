import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { compare, type Row } from "../../src/cli/bench/comparison.js";
import { SubjectError } from "../../src/cli/bench/subject.js";
import { perceptron, subjectNamed } from "../../src/cli/bench/subjects.js";
import { comparisonChart } from "../../src/cli/bench/table.js";
import { Random } from "../../src/core/random.js";
import { tensor } from "../../src/core/tensor.js";
import { encodeSolve } from "../../src/deploy/solve-file.js";
import { encodeTrainStep } from "../../src/deploy/train-step-file.js";
import { taskExperiments } from "../../src/experiments/tasks.js";
import { initialParameters } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { renderChart } from "../../src/plot/chart.js";
import { failure } from "../support/failure.js";

const options = { batch: 3, steps: 4, rounds: 2, say: () => {}, pages: null };

describe("a comparison of runtimes", () => {
  it("times and checks each in a process of its own, and says why one does not work", async () => {
    const runtimes = ["jit", "ort-cpu", "tfjs-webgl"];
    const rows = await compare(perceptron(4, 4), { ...options, runtimes, dtype: "float32" });
    expect(rows.map(({ runtime }) => runtime)).to.deep.equal(runtimes);
    for (const row of rows.slice(0, 2)) {
      expect(row.reason).to.equal(null);
      for (const name of ["openMs", "firstMs", "evaluationUs", "stepUs", "gradientUs", "memoryMiB"] as const)
        expect(row[name], name).to.be.above(0);
      // float32: some roundings of 6e-8 each, but not none
      for (const name of ["evaluationError", "gradientError"] as const)
        expect(row[name], name).to.be.within(1e-9, 1e-5);
    }
    expect(rows[2]).to.include({ evaluationUs: null, gradientUs: null, timesJit: null });
    expect(rows[2]!.reason).to.match(/webgl/);
    const { svg } = await renderChart(comparisonChart(rows, "title"));
    expect(svg).to.contain("ort-cpu").and.not.contain("tfjs-webgl");
  });
});

describe("a comparison of runtimes on what is run as it is", () => {
  const runtimes = ["jit", "ort-cpu"];
  const folder = mkdtempSync(join(tmpdir(), "revort-bench-"));
  after(() => rmSync(folder, { recursive: true }));
  const checked = (rows: readonly Row[]) => {
    for (const row of rows) {
      expect(row.reason).to.equal(null);
      for (const name of ["openMs", "firstMs", "runUs", "processorUs", "timesJit"] as const)
        expect(row[name], name).to.be.above(0);
      expect(row).to.include({ evaluationUs: null, gradientUs: null, gradientError: null });
      // float32: roundings of 6e-8 each, but not none
      expect(row.runError).to.be.within(1e-9, 1e-4);
    }
  };
  const field = mlp({ dim: 2, hidden: [4] });
  const ode = neuralOde({ field, method: "rk4", stepSize: 0.1 });
  const parameters = initialParameters(field, Random.seeded(1), "float64");
  const written = (name: string, bytes: Uint8Array) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };

  it("times whole solves, in another type than that of the file", async () => {
    const path = written("solve.onnx", encodeSolve(ode, parameters, { defaults: false }));
    const subject = await subjectNamed(path, 4);
    expect(subject.batched).to.equal(true);
    checked(await compare(subject, { ...options, runtimes, dtype: "float32" }));
  });

  it("times an update of an experiment, and compares its gradient", async () => {
    const subject = await subjectNamed("two-moons", 4);
    expect(subject).to.deep.include({ works: ["run"], dtype: "float32" });
    checked(await compare(subject, { ...options, runtimes, dtype: "float32" }));
  });

  it("refuses training steps, and experiments that need data, and says what it takes", async () => {
    const start = { y0: tensor("float64", [1, 2], [1, 0]), t0: 0, times: [1] };
    const data = { ...start, observations: tensor("float64", [1, 1, 2], [0, 1]) };
    const path = written("step.onnx", encodeTrainStep(ode, data, {}));
    expect((await failure(subjectNamed(path, 4), SubjectError)).message).to.match(
      /step\.onnx is a whole training step.* bench takes fields, whole solves, predictions, and experiments/,
    );
    const needy = taskExperiments.find(({ data }) => data?.needed === true)!.name;
    expect((await failure(subjectNamed(needy, 4), SubjectError)).message).to.match(/needs data/);
    expect((await failure(subjectNamed("two-mons", 4), SubjectError)).message).to.include("two-moons");
  });
});

describe("scripts/bench.ts", () => {
  const bench = (...words: string[]) =>
    spawnSync(process.execPath, ["--import", "tsx", "scripts/bench.ts", ...words], { encoding: "utf8" });

  it("refuses what it does not know, and says what there is", () => {
    const { status, stderr } = bench("influenza", "--runtimes", "cuda");
    expect(status).to.equal(2);
    expect(stderr).to.match(/^revort: --runtimes takes one of jit, .*"cuda"/);
  }).timeout(60_000);
});
