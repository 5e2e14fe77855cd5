import { whiteDwarf } from "../../src/experiments/white-dwarf.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { methodNamed } from "../../src/methods/named.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { train } from "../../src/train/train.js";

/** Losses of the first updates of white dwarf, in Node, from the same seed. */
export async function whiteDwarfInNode(
  dtype: "float64" | "float32",
  steps: number,
): Promise<readonly number[]> {
  const { protocol } = whiteDwarf;
  const runtime = jit();
  const method = methodNamed(protocol.solver, { coupling: protocol.coupling });
  const ode = neuralOde({ field: whiteDwarf.field(), method, stepSize: protocol.stepSize, dtype });
  const data = await whiteDwarf.data({ ode, runtime, file: null });
  const { losses } = await train(ode, data, {
    ...{ runtime, steps, loss: protocol.loss(), optimiser: protocol.optimiser({}) },
    ...{ gradient: protocol.gradient, check: false },
  });
  return losses;
}
