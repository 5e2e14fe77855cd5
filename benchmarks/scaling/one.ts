import { existsSync, readFileSync } from "node:fs";
import { openRuntime, type RuntimeName } from "../../src/cli/runtimes.js";
import type { ExactGraphGradient } from "../../src/programs/gradient.js";
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
console.log(JSON.stringify({ bytes: largestMemory() * 1024, storedStates: compiled.cost.storedStates }));

/**
 * Largest resident memory in kilobytes. Linux's own count for a process begins with what the one that started it had,
 * so it is taken from where that is not counted.
 */
function largestMemory(): number {
  const status = "/proc/self/status";
  const own = existsSync(status) ? /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(status, "utf8")) : null;
  return own === null ? process.resourceUsage().maxRSS : Number(own[1]);
}
