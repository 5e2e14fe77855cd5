import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { tensor } from "../../src/core/tensor.js";
import { fixedPoint } from "../../src/equilibrium/fixed-point.js";
import { reversibleIteration } from "../../src/equilibrium/reversible.js";
import { largestMemory } from "../../src/figures/largest-memory.js";
import { Builder } from "../../src/graph/builder.js";
import { mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";
import { scalingCell } from "./cells.js";

// Computes gradients of fixed points that take so many steps, one after the other, and prints the largest memory that this
// process has had by then, in bytes:
//
//   node --expose-gc --import tsx test/equilibrium/memory-of-one-gradient.ts reversible 200000 4 16 64

const [gradient, dim, ...counts] = process.argv.slice(2) as ["reversible" | "direct", ...string[]];
const shape = [1, Number(dim)];
const of = (value: number) => tensor("float64", shape, new Float64Array(Number(dim)).fill(value));
const runtime = await ortNode();

for (const count of counts.map(Number)) {
  // arrays and sessions of the gradients before, which a loaded machine keeps for longer
  globalThis.gc!();
  const b = new Builder();
  const [a, c, z0] = [
    b.input("a", "float64", shape),
    b.input("c", "float64", shape),
    b.input("z0", "float64", shape),
  ];
  const { z, steps } = fixedPoint(b, scalingCell, {
    ...{ given: { a, c }, z0, solver: reversibleIteration({ relaxation: 0.5 }), gradient },
    stop: { rtol: 0, atol: 0, maxSteps: count },
  });
  const [da] = pullback(b, [reduceSum(b, mul(b, z, z))], [b.scalar("float64", 1)], [a]);
  const graph = withoutRegions(b.graph({ da: reduceSum(b, da!), steps }));
  const results = await runGraph(runtime, graph, { a: of(0.9), c: of(1), z0: of(0) });
  if (Number(results.steps!.data[0]) !== count) throw new Error(`${results.steps!.data} steps were taken.`);
  console.log(largestMemory());
}
