import { openRuntime, type RuntimeName } from "../../src/cli/runtimes.js";
import type { ExactGraphGradient } from "../../src/programs/gradient.js";
import { compileGradient } from "../gradient-task.js";
import { scalingTask } from "./task.js";

// A process of its own for one gradient, so that what it reports is the memory of that gradient alone:
//
//   one GRADIENT RUNTIME STEPS   prints the largest resident memory in bytes and the states stored

const [gradient, runtime, steps] = process.argv.slice(2) as [ExactGraphGradient, RuntimeName, string];
const { compiled } = await compileGradient(scalingTask(Number(steps)), await openRuntime(runtime), gradient);
// resident memory is in kilobytes on every platform here
console.log(
  JSON.stringify({
    bytes: process.resourceUsage().maxRSS * 1024,
    storedStates: compiled.cost.storedStates,
  }),
);
