import { scalar, tensor } from "../src/core/tensor.js";
import { differentiator, readScalar } from "../src/gradients/evaluate.js";
import type { GradientSpec } from "../src/gradients/method.js";
import { named, upload } from "../src/integrate/solve.js";
import { mse } from "../src/learning/losses.js";
import { adamw } from "../src/learning/optimisers.js";
import {
  gradientName,
  learningRateName,
  lossName,
  nextName,
  updateCountName,
} from "../src/programs/names.js";
import { updateProgram } from "../src/programs/training.js";
import type { DeviceTensors, Runtime } from "../src/runtime/runtime.js";
import type { GradientTask } from "./gradient-task.js";

/** An update of the parameters, ready to run: the gradient, the loss on the host, and AdamW. */
export interface CompiledUpdate {
  /** seconds from the graph to the first update */
  readonly start: number;
  /** the loss before the first update */
  readonly loss: number;
  /** one update; the loss before it */
  readonly run: () => Promise<number>;
}

/** Compiles what `train` runs for each of its updates. */
export async function compileUpdate(
  { ode, fit, parameters }: GradientTask,
  runtime: Runtime,
  gradient: GradientSpec,
): Promise<CompiledUpdate> {
  const started = performance.now();
  const { dtype } = ode;
  const compiled = await differentiator(ode, { runtime, loss: mse(), gradient, fit });
  const shapes = Object.fromEntries(
    Object.entries(named(parameters)).map(([name, { shape }]) => [name, shape]),
  );
  const updater = await runtime.compile(updateProgram({ optimiser: adamw(), shapes, dtype, clip: null }));
  const fixed = compiled.fixed(fit);
  let trained = upload(runtime, named(parameters));
  let memory = upload(
    runtime,
    Object.fromEntries(
      Object.entries(updater.inputs)
        .filter(([name]) => name.startsWith("memory/"))
        .map(([name, { shape }]) => {
          const known = shape as readonly number[];
          return [name, tensor(dtype, known, new Array<number>(known.reduce((p, d) => p * d, 1)).fill(0))];
        }),
    ),
  );
  let count = 0;
  const next = (values: DeviceTensors, updated: DeviceTensors): DeviceTensors =>
    Object.fromEntries(Object.keys(values).map((name) => [name, updated[nextName(name)]!]));
  const run = async () => {
    const results = await compiled.run(trained, fixed);
    const loss = await readScalar(runtime, results[lossName]!);
    const gradients = Object.keys(shapes).map((name) => [gradientName(name), results[gradientName(name)]!]);
    const updated = await updater.run({
      ...trained,
      ...memory,
      ...(Object.fromEntries(gradients) as DeviceTensors),
      [learningRateName]: runtime.upload(scalar(dtype, 1e-4)),
      [updateCountName]: runtime.upload(scalar(dtype, ++count)),
    });
    trained = next(trained, updated);
    memory = next(memory, updated);
    return loss;
  };
  const loss = await run();
  return { start: (performance.now() - started) / 1000, loss, run };
}
