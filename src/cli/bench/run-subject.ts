import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { printable } from "../../core/printable.js";
import { isFloat } from "../../core/tensor.js";
import type { PortableKind } from "../../deploy/kind.js";
import type { Model, ModelValue } from "../../graph/model.js";
import { around, type Subject, SubjectError } from "./subject.js";
import type { RunInput } from "./workload.js";

/** A file that is run as it is, from inputs near 1/2: a whole solve from t = 0 to 1, or a prediction. */
export function runOf(path: string, model: Model, kind: PortableKind & ("solve" | "prediction")): Subject {
  const name = basename(path);
  const { initializers } = model.graph;
  const taken = model.graph.inputs.filter((input) => !initializers.has(input.name));
  const batched = taken.some(({ shape }) => typeof shape?.[0] !== "number" && (shape?.length ?? 0) > 0);
  return {
    ...{ name, works: ["run"], batched },
    about:
      kind === "solve"
        ? `A run solves ${name} from t = 0 to 1, for states near 1/2.`
        : `A run is a prediction of ${name}.`,
    job: ({ batch, dtype }) => ({
      file: readFileSync(path).toString("base64"),
      inputs: Object.fromEntries(
        taken.map((input) => [input.name, kind === "solve" ? ofSolve(input, batch) : near(input, batch)]),
      ),
      ...{ compared: kind === "solve" ? "y" : "", dtype },
    }),
  };

  /** @throws {SubjectError} for an input of which nobody knows what to give */
  function ofSolve(input: ModelValue, batch: number): RunInput {
    const [from, to] = [0, 1];
    const numbersOf: Readonly<Record<string, readonly number[]>> = {
      ...{ t0: [from], t1: [to], ts: [to], maxSteps: [100_000], rtol: [1e-6], atol: [1e-6] },
      stepSize: [Number(model.metadata["revort.stepSize"] ?? 0.01)],
    };
    const known = numbersOf[input.name];
    if (known === undefined) return near(input, batch);
    return { dtype: input.dtype!, shape: input.name === "ts" ? [1] : [], values: known };
  }

  function near({ name: input, dtype, shape }: ModelValue, batch: number): RunInput {
    const sizes = shape?.map((dim, axis) => (typeof dim === "number" ? dim : axis === 0 ? batch : null));
    if (dtype === null || sizes === undefined || sizes.includes(null)) {
      throw new SubjectError(
        `${name}: the input ${printable(input)} has no known shape, so nothing can be given for it.`,
      );
    }
    const count = (sizes as number[]).reduce((product, size) => product * size, 1);
    // whole numbers are often indices: 0 is one wherever there are any
    const values = isFloat(dtype) ? around([0.5], count) : new Array(count).fill(0);
    return { dtype, shape: sizes as number[], values };
  }
}
