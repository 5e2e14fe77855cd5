import { withoutRegions } from "../autodiff/region.js";
import { checkOptions, OptionError, showValue } from "../core/options.js";
import { Random } from "../core/random.js";
import { numbers, ShapeError, showShape, type Tensor, tensor } from "../core/tensor.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import { DivergenceError } from "../integrate/failures.js";
import type { NeuralSde } from "../integrate/neural-sde.js";
import { checkParameters, pick, upload } from "../integrate/solve-inputs.js";
import { sdeSolve } from "../models/sde-solve.js";
import { gridThrough } from "../programs/grid.js";
import type { Runtime } from "../runtime/runtime.js";
import type { OpenRuntime, ParametersLike } from "./equation.js";
import { type TensorLike, type TimesLike, tensorOf, timesOf } from "./given.js";

export interface SolveSdeOptions {
  /** where the paths start, [batch, dim], or one state [dim] for all */
  readonly y0: TensorLike;
  /** how many paths start at one state y0; 1 by default */
  readonly paths?: number;
  readonly t0?: number;
  /** times of the states that come back, increasing from t0 on */
  readonly saveAt: TimesLike;
  /** θ of drift and diffusion; drawn from the seed where not given */
  readonly parameters?: ParametersLike;
  /** of the noise: paths are the same for the same seed, on every runtime. 0 by default */
  readonly seed?: number;
  readonly runtime?: Runtime;
}

const optionNames = {
  ...{ y0: true, paths: true, t0: true, saveAt: true, parameters: true, seed: true, runtime: true },
} satisfies Record<keyof SolveSdeOptions, true>;

const elsewhere = {
  ...{ times: "times that are saved are saveAt", ts: "times that are saved are saveAt", key: "say seed" },
  ...{ method: "the method belongs to neuralSde", stepSize: "the step size belongs to neuralSde" },
  ...{ batch: "say paths" },
};

/** Paths on the host. */
export interface SdeSolution {
  readonly ts: readonly number[];
  /** [times, paths, dim] */
  readonly ys: Tensor;
}

/**
 * Paths of dy = f(t, y; θ) dt + g(t, y; θ) dW from y(t0) = y0.
 *
 * @throws {ShapeError} if y0 is no state of the equation, or not finite
 * @throws {ParameterError} for parameters that do not fit it
 * @throws {DivergenceError} for a path that leaves the finite numbers
 * @throws {TimeError} for times that do not increase from t0 on
 * @throws {BrownianError} for times that its Brownian motion does not reach
 */
export async function solveSde(
  open: OpenRuntime,
  equation: NeuralSde,
  options: SolveSdeOptions,
): Promise<SdeSolution> {
  checkOptions("solveSde", options, optionNames, elsewhere);
  if (typeof equation !== "object" || equation === null || !("brownian" in equation)) {
    throw new OptionError(
      `solveSde takes an equation, neuralSde({ sde, stepSize }), but ${showValue(equation)} was given.`,
    );
  }
  const { sde, dtype } = equation;
  const { t0 = 0, seed = 0 } = options;
  const times = timesOf("saveAt", options.saveAt);
  const y0 = startsOf(equation, options);
  const drawn = initialParameters(sde, Random.seeded(seed), dtype);
  const given = Object.entries(options.parameters ?? {}).map(
    ([name, value]) => [name, tensorOf(`The parameter "${name}"`, value, dtype)] as const,
  );
  const parameters = checkParameters(sde, { ...drawn, ...Object.fromEntries(given) }, equation);
  const inputs: Tensors = { ...prefixed(parameters), y0, key: tensor("int64", [], [seed]) };
  const b = new Builder();
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype: own, shape }]) => [name, b.input(name, own, shape)]),
  );
  const theta = Object.fromEntries(
    Object.keys(parameters).map((name) => [name, values[parameterInput(name)]!]),
  );
  const ys = sdeSolve(b, equation, { theta, y0: values.y0!, t0, times, key: values.key! });
  const runtime = options.runtime ?? (await open());
  const compiled = await runtime.compile(withoutRegions(b.graph({ ys }, sde.name)));
  try {
    const results = await compiled.run(pick(upload(runtime, inputs), compiled.inputs));
    const ys = await runtime.download(results.ys!);
    checkPaths(equation, { ts: times, ys }, t0);
    return { ts: times, ys };
  } finally {
    await compiled.release();
  }
}

const parameterInput = (name: string) => `parameters/${name}`;

function prefixed(parameters: Tensors): Tensors {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [parameterInput(name), value]));
}

/** @throws {DivergenceError} naming the first time at which a path is not finite, and which path */
function checkPaths({ method, stepSize }: NeuralSde, { ts, ys }: SdeSolution, t0: number): void {
  const bad = numbers(ys).findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  const [, paths, dim] = ys.shape as readonly [number, number, number];
  const k = Math.floor(bad / (paths * dim));
  const step = gridThrough(t0, ts, stepSize).offsets[k + 1]!;
  const sample = Math.floor(bad / dim) % paths;
  throw new DivergenceError({ time: ts[k]!, step, stepSize, sample }, method.coupling);
}

/** @throws {ShapeError} */
function startsOf({ sde: { name, dim }, dtype }: NeuralSde, { y0, paths = 1 }: SolveSdeOptions): Tensor {
  const state = tensorOf("y0", y0, dtype);
  const infinite = numbers(state).findIndex((value) => !Number.isFinite(value));
  if (infinite >= 0) {
    throw new ShapeError(
      `The states of "${name}" must be finite, but number ${infinite} of y0, ${showShape(state.shape)}, is not.`,
    );
  }
  if (state.shape.length === 2 && state.shape[1] === dim && paths === 1) return state;
  const one = state.data as Float64Array | Float32Array;
  if (one.length !== dim || !Number.isInteger(paths) || paths < 1) {
    throw new ShapeError(
      `The states of "${name}" have ${dim} numbers, but y0 has shape ${showShape(state.shape)}${paths === 1 ? "" : ` for ${paths} paths`}. ` +
        `Give [batch, ${dim}], or one state [${dim}] and how many paths start there.`,
    );
  }
  return tensor(
    dtype,
    [paths, dim],
    Array.from({ length: paths * dim }, (_, i) => one[i % dim]!),
  );
}
