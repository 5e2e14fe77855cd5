import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { readJson, run } from "../cli/command.js";
import { bareSession } from "../deploy/bare.js";
import { python } from "../support/python.js";

/** Trains an experiment for two updates, and looks at what it leaves: errors, charts and models. */
export async function trainsEquation(name: string, chart: string, place: string): Promise<void> {
  const words = ["--steps", "2", "--batch-size", "2", "--runtime", "jit", "--json", "--out", place];
  const { code, stdout, stderr } = await run(["train", name, ...words]);
  expect(code, stderr).to.equal(0);
  const report = JSON.parse(stdout);
  expect(report).to.deep.equal(readJson(`${place}/result.json`));
  const { errors } = report.findings;
  expect(errors.learnt[0]).to.be.below(1e-6);
  expect(errors.learnt[1]).to.be.within(1e-6, 10);
  // of the solver and, for Burgers, of central differences on 32 points
  const known = (errors.equation ?? errors.differences) as number[];
  expect(Math.max(...known)).to.be.below(name === "burgers" ? 0.1 : 2e-5);
  const charts = ["losses", chart].flatMap((drawn) => [`${drawn}.svg`, `${drawn}.png`]);
  expect(readdirSync(place)).to.include.members(["field.onnx", "predict.onnx", ...charts]);
  const session = await bareSession(readFileSync(`${place}/predict.onnx`));
  expect(session.inputs).to.deep.equal(["y0"]);
}

/** Runs the models of an experiment in Python's onnxruntime. @param state  the shape of a state */
export function runsInPython(place: string, dtype: "float32" | "float64", state: readonly number[]): void {
  const script = `
import sys, numpy as np, onnxruntime as ort
kind, shape = np.dtype(sys.argv[2]), (2,) + tuple(map(int, sys.argv[3].split(",")))
y = np.random.default_rng(0).uniform(0, 0.5, shape).astype(kind)
field = ort.InferenceSession(sys.argv[1] + "/field.onnx").run(None, {"t": np.array(0, kind), "y": y})[0]
ys = ort.InferenceSession(sys.argv[1] + "/predict.onnx").run(None, {"y0": y})[0]
print(field.shape == shape, ys.shape == (2, 2) + shape[1:], np.isfinite(field).all() and np.isfinite(ys).all())`;
  expect(python(script, place, dtype, state.join())).to.deep.include({
    ok: true,
    stdout: "True True True\n",
  });
}
