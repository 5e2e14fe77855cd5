// Trains a neural ODE on the hare and lynx pelts, and solves it, with ONNX Runtime alone:
//
//   npm install onnxruntime-node && node train-without-revort.mjs [UPDATES]

import { fileURLToPath } from "node:url";
import * as ort from "onnxruntime-node";

const open = (name) => ort.InferenceSession.create(fileURLToPath(new URL(name, import.meta.url)));
const f64 = (values, shape = []) => new ort.Tensor("float64", Float64Array.from(values), shape);

const [step, start, solve] = await Promise.all(
  ["train-step.onnx", "train-step.start.onnx", "solve.onnx"].map(open),
);
// everything that the step takes: parameters, the optimiser's memory, data, learning rates, the number of the update
const values = { ...(await start.run({})) };
const rates = values.learningRates.data.slice(0, Number(process.argv[2] ?? 300));
for (let first = 0; first < rates.length; first += 50) {
  const some = rates.slice(first, first + 50);
  const out = await step.run({ ...values, learningRates: f64(some, [some.length]) });
  // what comes out as next/… goes in again
  for (const name in out) if (name.startsWith("next/")) values[name.slice(5)] = out[name];
  console.log(`update ${values.count.data[0] - 1}   loss ${out.losses.data.at(-1).toFixed(6)}`);
}

const parameters = Object.entries(values).filter(([name]) => name.startsWith("parameters/"));
const { ys, reached } = await solve.run({
  ...Object.fromEntries(parameters),
  ...{ y0: values.y0, t0: f64([0]), t1: f64([25]), ts: f64([0, 5, 10, 15, 20, 25], [6]) },
  ...{ rtol: f64([1e-8]), atol: f64([1e-8]), maxSteps: new ort.Tensor("int64", [100_000n], []) },
});
if (!reached.data[0]) throw new Error("The solve gave up.");
for (let i = 0; i < 6; i++) {
  const [hares, lynx] = ys.data.slice(2 * i);
  console.log(`${1900 + 5 * i}  ${hares.toFixed(2)} hares  ${lynx.toFixed(2)} lynx (thousands of pelts)`);
}
