import { Random } from "../core/random.js";
import { emptyData, type Tensor } from "../core/tensor.js";
import { initialParameters } from "../fields/field.js";
import { mlp } from "../fields/mlp.js";
import { gradientOf } from "../gradients/evaluate.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { mse } from "../learning/losses.js";
import { gridThrough } from "../programs/grid.js";
import { ortNode } from "../runtimes/ort-node.js";
import { largestMemory } from "./largest-memory.js";
import { methodOf } from "./schemes.js";

// A process of its own for one gradient, so that what it reports is the memory of that gradient alone:
//
//   memory-of-one GRADIENT|none SOLVER COUPLING|none T STEP_SIZE SAMPLES
//
// prints the largest resident memory in bytes, the states stored, and the arrays in each.

const [gradient, solver, coupling, T, stepSize, samples] = process.argv.slice(2) as [
  "reversible" | "direct" | "none",
  string,
  string,
  string,
  string,
  string,
];
const field = mlp({ dim: 1, hidden: [5], time: false });
const zeros = (shape: number[]): Tensor => ({
  dtype: "float64",
  shape,
  data: emptyData("float64", Number(samples)),
});
const method = methodOf({ solver, coupling: coupling === "none" ? null : Number(coupling) });
const runtime = await ortNode();
const { cost } =
  gradient === "none"
    ? { cost: { storedStates: 0 } }
    : await gradientOf(neuralOde({ field, method, stepSize: Number(stepSize) }), {
        runtime,
        loss: mse(),
        gradient,
        parameters: initialParameters(field, Random.seeded(0), "float64"),
        fit: {
          grid: gridThrough(0, [Number(T)], Number(stepSize)),
          y0: zeros([Number(samples), 1]),
          target: zeros([1, Number(samples), 1]),
          weight: null,
        },
      });
console.log(JSON.stringify({ bytes: largestMemory(), storedStates: cost.storedStates, width: method.width }));
