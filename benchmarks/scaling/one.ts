import { openRuntime, type RuntimeName } from "../../src/cli/runtimes.js";
import { largestMemory } from "../../src/figures/largest-memory.js";
import type { ExactGraphGradient } from "../../src/programs/adjoints.js";
import { compileGradient } from "../gradient-task.js";
import { scalingTask } from "./task.js";

// A process of its own for the gradient of one number of steps, so that what it reports is the memory of that alone. Short
// ones are computed several times: the engine that compiles JavaScript and WebAssembly better while it runs takes
// some megabytes for it, once, whatever the number of steps.
//
//   one GRADIENT RUNTIME STEPS   prints the largest resident memory in bytes and the states stored

const [gradient, runtime, steps] = process.argv.slice(2) as [ExactGraphGradient, RuntimeName, string];
const { compiled, run } = await compileGradient(
  scalingTask(Number(steps)),
  await openRuntime(runtime),
  gradient,
);
for (let done = Number(steps); done < 20_000; done += Number(steps)) await run();
console.log(JSON.stringify({ bytes: largestMemory(), storedStates: compiled.cost.storedStates }));
