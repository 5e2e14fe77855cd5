import { OptionError, showValue } from "../core/options.js";
import { isInBrowser } from "../core/place.js";
import { Random } from "../core/random.js";
import type { FloatDType, Tensor } from "../core/tensor.js";
import { initialParameters, type Tensors, type VectorField } from "../fields/field.js";
import { isField, type NeuralOde, type NeuralOdeOptions, neuralOde } from "../integrate/neural-ode.js";
import { tsit5 } from "../methods/tableaux.js";
import type { Runtime } from "../runtime/runtime.js";
import { isTensor, type TensorLike, tensorOf } from "./given.js";

/** Makes the runtime that is used where none is given. */
export type OpenRuntime = () => Runtime | Promise<Runtime>;

/** Parameters by name, of each as people write a tensor. */
export type ParametersLike = Readonly<Record<string, TensorLike>>;

/** An equation made from a bare field for one call, and gone after it. */
export type EquationOptions = Omit<NeuralOdeOptions, "field">;

/**
 * Works with an equation, and with a runtime to run it on.
 *
 * A bare field becomes an equation solved by Tsit5, whose compiled graphs are freed after the work. Where no runtime is
 * given, the equation opens one and keeps it.
 *
 * @param of  what the work is, as it begins a sentence: "solve"
 * @throws {OptionError} for what is neither equation nor field
 */
export function withEquation<R>(
  of: string,
  given: unknown,
  options: EquationOptions & { readonly runtime?: Runtime | undefined },
  open: OpenRuntime,
  work: (ode: NeuralOde, runtime: Runtime) => Promise<R>,
): Promise<R> {
  const { runtime } = options;
  checkRuntime(of, runtime);
  if (isField(given)) return withField(given, options, open, work);
  if (typeof given !== "object" || given === null || !("method" in given) || !("cache" in given)) {
    throw new OptionError(
      `${of} takes an equation, neuralOde({ field }), or a vector field, but ${showValue(given)} was given.`,
    );
  }
  const ode = given as NeuralOde;
  const fixed = (["method", "stepSize", "dtype"] as const).find((name) => options[name] !== undefined);
  if (fixed !== undefined) {
    throw new OptionError(
      `${of} was given an equation, which has its ${fixed} already: give it to neuralOde, or give ${of} the bare field.`,
    );
  }
  if (runtime !== undefined) return work(ode, runtime);
  return ode.cache.runtime(open).then((opened) => work(ode, opened));
}

async function withField<R>(
  field: VectorField,
  { runtime, ...options }: EquationOptions & { readonly runtime?: Runtime | undefined },
  open: OpenRuntime,
  work: (ode: NeuralOde, runtime: Runtime) => Promise<R>,
): Promise<R> {
  const ode = neuralOde({ method: tsit5, ...options, field });
  try {
    return await work(ode, runtime ?? (await ode.cache.runtime(open)));
  } finally {
    await ode.cache.release();
  }
}

/** The parameters as tensors; drawn from the seed where none are given. */
export function parametersOf(
  { field, dtype }: { readonly field: VectorField; readonly dtype: NeuralOde["dtype"] },
  given: ParametersLike | undefined,
  seed: number,
): Tensors {
  return given === undefined ? initialParameters(field, Random.seeded(seed), dtype) : tensorsOf(given, dtype);
}

/** Parameters that were given, as tensors. @throws {OptionError} for what is no record of them */
export function tensorsOf(given: ParametersLike, dtype: FloatDType): Tensors {
  if (typeof given !== "object" || given === null) {
    throw new OptionError(`Parameters are a record of tensors by name, but ${showValue(given)} was given.`);
  }
  const tensors: Record<string, Tensor> = {};
  for (const name of Object.keys(given)) {
    const value = given[name]!;
    tensors[name] = isTensor(value) ? value : tensorOf(`The parameter "${name}"`, value, dtype);
  }
  return tensors;
}

/** @throws {OptionError} for what is no runtime */
export function checkRuntime(of: string, runtime: unknown): void {
  if (runtime === undefined) return;
  if (typeof runtime === "object" && runtime !== null && "compile" in runtime) return;
  const opening = isInBrowser() ? "await ortWasm()" : "await ortNode()";
  const remedy =
    typeof runtime === "function"
      ? ` Call it: jit(), ${opening}.`
      : runtime instanceof Promise
        ? ` Wait for it: ${opening}.`
        : ` Give what jit() or ${opening} returns, or leave it out.`;
  throw new OptionError(`The runtime of ${of} cannot be ${showValue(runtime)}.${remedy}`);
}
