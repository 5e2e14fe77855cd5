import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { problemOf } from "../../src/cli/problem.js";
import { saveResult, UnsavedFieldError } from "../../src/cli/run-results.js";
import { settingsFor } from "../../src/cli/settings.js";
import { reportOf } from "../../src/cli/train-report.js";
import { tensor } from "../../src/core/tensor.js";
import { checkFieldFile, FieldFileError } from "../../src/deploy/field-file.js";
import { mlp } from "../../src/fields/mlp.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { explicit } from "../../src/methods/explicit.js";
import { rk4 } from "../../src/methods/tableaux.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { train } from "../../src/train/train.js";
import { file, node, stored, value } from "../import/onnx-file.js";
import { refusal, run, scratch, written } from "./command.js";

const i64 = (...values: number[]) => tensor("int64", [values.length], values);

describe("what cannot be saved", () => {
  const folder = scratch();
  const series = () =>
    written(
      folder("series.csv"),
      `t,a,b\n${[0, 1, 2, 3].map((t) => `${t},${Math.cos(t)},${Math.sin(t)}\n`).join("")}`,
    );
  /** dy = w tanh(y) + the first state of the batch: it can be built for any batch, but not for an open one */
  const firstOfBatch = () =>
    written(
      folder("first.onnx"),
      file({
        input: [value("y", "float64", "n", 2)],
        output: [value("dy", "float64", "n", 2)],
        initializer: [
          stored("w", tensor("float64", [2], [0.5, -0.5])),
          ...[0, 1, 0].map((at, i) => stored(`b${i}`, i64(at))),
        ],
        node: [
          node("Slice", ["y", "b0", "b1", "b2"], ["first"]),
          node("Tanh", ["y"], ["h"]),
          node("Mul", ["h", "w"], ["z"]),
          node("Add", ["z", "first"], ["dy"]),
        ],
      }),
    );

  it("is said before the first update, and before anything is written", async () => {
    const out = folder("run");
    const message = await refusal(
      2,
      "train",
      series(),
      "--field",
      firstOfBatch(),
      "--steps",
      "3",
      "--out",
      out,
    );
    expect(message).to.match(/could not be saved as an \.onnx file.*static dimension.*a fixed one/);
    expect(existsSync(out)).to.equal(false);
  });

  it("is said by inspect, too", async () => {
    const { code, stdout } = await run(["inspect", firstOfBatch()]);
    expect(code).to.equal(0);
    expect(stdout).to.match(/can be trained +yes/);
    expect(stdout).to.match(/can be saved +no, because .*static dimension/);
  });

  it("is solved all the same", async () => {
    const { code, stdout } = await run(
      `solve ${firstOfBatch()} --y0 1,2 --t0 0 --t1 1 --runtime jit --step-size 0.1`,
    );
    expect(code).to.equal(0);
    expect(stdout.split("\n")).to.have.length(3);
  });

  it("is a field of more bytes than a protocol buffer holds", () => {
    const large = mlp({ dim: 2, hidden: [30_000, 30_000] });
    const ode = neuralOde({ field: large, method: explicit(rk4), stepSize: 1, dtype: "float32" });
    expect(() => checkFieldFile(ode)).to.throw(FieldFileError, /3\.6 GB/);
  });

  it("costs nothing else when it turns out at the end: all other files are there, and the error names them", async () => {
    const { settings, sources } = await settingsFor("influenza", { steps: 2, runtime: "jit" });
    const runtime = jit();
    const problem = await problemOf(settings, sources, runtime);
    const { loss, optimiser, schedule } = problem;
    const result = await train(problem.ode, problem.data, { runtime, loss, optimiser, schedule, steps: 2 });
    const broken = {
      ...problem,
      ode: {
        ...problem.ode,
        field: {
          ...problem.ode.field,
          apply() {
            throw new FieldFileError("It cannot be built any more.");
          },
        },
      },
    };
    const out = folder("broken");
    const estimates = {
      parameters: {},
      intervals: { level: 0.95, method: "gauss-newton" as const, noise: {}, problem: null },
      refinement: null,
    };
    const report = reportOf(problem, settings, result, { errors: null, estimates }, out);
    const error = await saveResult(out, broken, result, report, { settings, runtime, say: () => {} }).catch(
      (e: unknown) => e,
    );
    expect(error).to.be.instanceOf(UnsavedFieldError);
    expect((error as Error).message)
      .to.include(out)
      .and.include("It cannot be built any more.");
    expect(readdirSync(join(out))).to.include.members([
      ...["checkpoint.safetensors", "params.safetensors", "losses.csv", "result.json", "losses.svg"],
    ]);
  });
});
