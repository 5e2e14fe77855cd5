import { Random } from "../../src/core/random.js";
import { tensor } from "../../src/core/tensor.js";
import { initialParameters } from "../../src/fields/field.js";
import { largestMemory } from "../../src/figures/largest-memory.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import type { GradientSpec } from "../../src/gradients/method.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { reversible } from "../../src/methods/reversible.js";
import { euler } from "../../src/methods/tableaux.js";
import { gridThrough } from "../../src/programs/grid.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { wavering } from "../support/fields.js";

// Computes one gradient of a loss at the final time, and prints the largest memory that this process has had, in bytes:
//
//   node --import tsx test/gradients/memory-of-one-gradient.ts reversible 10000 50000

const [gradient, steps, dim] = process.argv.slice(2) as [GradientSpec, string, string];
const field = wavering(Number(dim));
const stepSize = 1 / Number(steps);
const zeros = (shape: number[]) => tensor("float64", shape, new Float64Array(Number(dim)));

const runtime = await ortNode();
const { cost } = await gradientOf(neuralOde({ field, method: reversible(euler), stepSize }), {
  runtime,
  loss: mse(),
  gradient,
  parameters: initialParameters(field, Random.seeded(0), "float64"),
  fit: {
    grid: gridThrough(0, [1], stepSize),
    y0: zeros([1, Number(dim)]),
    target: zeros([1, 1, Number(dim)]),
    weight: null,
  },
});
if (cost.steps !== Number(steps)) throw new Error(`${cost.steps} steps were taken instead of ${steps}.`);
console.log(largestMemory());
