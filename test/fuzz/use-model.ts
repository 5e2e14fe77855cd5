import { RevortError } from "../../src/core/errors.js";
import { Random } from "../../src/core/random.js";
import { type FloatDType, sizeOf, tensor } from "../../src/core/tensor.js";
import { encodeField } from "../../src/deploy/field-file.js";
import { inspectModel } from "../../src/deploy/inspect.js";
import { initialParameters, type Tensors } from "../../src/fields/field.js";
import { importedField } from "../../src/fields/imported.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { decode } from "../../src/graph/decode.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { gridThrough } from "../../src/programs/grid.js";
import { jit } from "../../src/runtimes/jit/jit.js";

/** What came of a file: how far it got, or what was wrong that must not be. */
export interface Outcome {
  /** the steps that succeeded */
  readonly done: readonly string[];
  /** an error that is none of revort's own, or words that contradict each other */
  readonly fault: string | null;
}

/** States of more elements are not tried: a user would have to make them. */
const largestState = 1 << 16;

/** What a user does with a model: looks at it, solves it, and unless that is all, differentiates it and writes it again. */
export async function useModel(bytes: Uint8Array, onlySolve = false): Promise<Outcome> {
  const done: string[] = [];
  let fault: string | null = null;
  const attempt = async <T>(what: string, work: () => T | Promise<T>): Promise<T | null> => {
    try {
      const result = await work();
      done.push(what);
      return result;
    } catch (error) {
      if (!(error instanceof RevortError))
        fault ??= `${what}: ${error instanceof Error ? error.stack : error}`;
      return null;
    }
  };

  const model = await attempt("decode", () => decode(bytes, { source: "mutant.onnx" }));
  if (model === null) return { done, fault };
  const inspection = await attempt("inspect", () => inspectModel(model));
  if (inspection === null) fault ??= "inspect throws";
  else
    await attempt("show", () => JSON.stringify(inspection, (_, v) => (typeof v === "bigint" ? `${v}` : v)));
  const field = await attempt("import", () => importedField(model));
  if (inspection !== null && inspection.field.ok !== (field !== null)) {
    fault ??= `inspect says ${inspection.field.ok} (${inspection.field.reason}), import does not`;
  }
  if (field === null) return { done, fault };

  const dtype: FloatDType = field.dtype ?? "float32";
  const shape = field.state.map((dim) => (typeof dim === "string" ? 2 : dim));
  if (sizeOf(shape) > largestState) return { done, fault };
  const random = Random.seeded(1);
  const state = () =>
    tensor(
      dtype,
      shape,
      Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1)),
    );
  const [y0, target] = [state(), state()];
  const runtime = jit();
  const ode = neuralOde({ field, stepSize: 0.25 });
  const parameters: Tensors | null = await attempt("parameters", () =>
    initialParameters(field, Random.seeded(1), dtype),
  );
  if (parameters === null) return { done, fault };
  await attempt("solve", () => solve(ode, { runtime, parameters, y0, t0: 0, t1: 0.5 }));
  if (onlySolve) return { done, fault };
  const twice = [...(target.data as Float32Array), ...(target.data as Float32Array)];
  const fit = {
    grid: gridThrough(0, [0.25, 0.5], 0.25),
    y0,
    target: tensor(dtype, [2, ...shape], twice),
    weight: null,
  };
  for (const gradient of ["direct", "reversible"] as const) {
    await attempt(`gradient ${gradient}`, () =>
      gradientOf(ode, { runtime, loss: mse(), gradient, fit, parameters }),
    );
  }
  const written = await attempt("export", () => encodeField(ode, parameters));
  if (written !== null && (await attempt("read again", () => decode(written))) === null) {
    fault ??= "what was exported cannot be read";
  }
  return { done, fault };
}
