import { pid } from "../control/control.js";
import { castTensor, type FloatDType, type Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { explicit } from "../methods/explicit.js";
import { dopri8 } from "../methods/tableaux.js";
import { CompileError } from "../runtime/runtime.js";
import { type NeuralOde, neuralOde } from "./neural-ode.js";
import type { SolveOptions } from "./request.js";
import { solve } from "./solve.js";

/** A solution that owes nothing to the method and the steps of its equation. */
export interface AccurateSolution {
  /** [times, ...state] */
  readonly ys: Tensor;
  readonly accepted: number;
  readonly accuracy: Accuracy;
}

/** By which method an accurate solution is found, and to what tolerances. */
export interface Accuracy {
  readonly method: string;
  readonly rtol: number;
  readonly atol: number;
  readonly dtype: FloatDType;
}

export interface AccurateOptions
  extends Pick<SolveOptions, "runtime" | "y0" | "t0" | "saveAt" | "parameters" | "signal"> {
  /** what counts as small in a component, in its units; atol is relative to it */
  readonly scale?: number;
}

const mostSteps = 200_000;

/**
 * Solves a field by dopri8 (order 8, Prince & Dormand 1981), with steps chosen for rtol = 1e-9 and atol = 1e-9 · scale, in
 * float64 whatever the equation is in; with 1e-5 in float32 where the runtime has no float64, as on WebGPU.
 *
 * @throws {SolveError} if it does not get to its end
 */
export async function solveAccurately(
  { field, dtype }: Pick<NeuralOde, "field" | "dtype">,
  options: AccurateOptions,
): Promise<AccurateSolution> {
  const { scale = 1, parameters = {}, ...request } = options;
  const by = async (accuracy: Accuracy): Promise<AccurateSolution> => {
    const ode = neuralOde({ field, method: explicit(dopri8), dtype: accuracy.dtype });
    try {
      const { ys, stats } = await solve(ode, {
        ...request,
        parameters: castAll(parameters, accuracy.dtype),
        control: pid({ rtol: accuracy.rtol, atol: accuracy.atol }),
        maxSteps: mostSteps,
      });
      return { ys, accepted: stats.accepted, accuracy };
    } finally {
      await ode.cache.release();
    }
  };
  try {
    return await by(accuracyIn("float64", scale));
  } catch (error) {
    if (dtype === "float64" || !(error instanceof CompileError)) throw error;
    return by(accuracyIn("float32", scale));
  }
}

/** The accuracy that is aimed at in a dtype. */
export function accuracyIn(dtype: FloatDType, scale: number): Accuracy {
  const rtol = dtype === "float64" ? 1e-9 : 1e-5;
  return { method: dopri8.name, rtol, atol: rtol * scale, dtype };
}

function castAll(parameters: Tensors, dtype: FloatDType): Tensors {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, castTensor(value, dtype)]),
  );
}
