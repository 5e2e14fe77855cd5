import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import type { Cell } from "../../src/equilibrium/cell.js";
import { type FixedPointOptions, fixedPoint } from "../../src/equilibrium/fixed-point.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { pick, upload } from "../../src/integrate/solve-inputs.js";
import { relu } from "../../src/ops/activation.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { gemm } from "../../src/ops/linalg.js";
import { told } from "../../src/ops/told.js";
import { tanh } from "../../src/ops/trigonometry.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";

type Activation = (b: Builder, x: Value) => Value;
export const activations: Readonly<Record<string, Activation>> = { tanh, relu, linear: (_, x) => x };

/** f(z) = σ(z Wᵀ + x) */
export function affineCell(activation: Activation = tanh): Cell {
  return {
    name: "affine",
    apply: (b, { W, x }, z) => activation(b, add(b, gemm(b, z, W!, null, { transB: 1 }), x!)),
  };
}

/** f(z) = a z + c, of each component by itself */
export const scalingCell: Cell = {
  name: "scaling",
  apply: (b, { a, c }, z) => add(b, mul(b, z, a!), c!),
};

type Options = Omit<FixedPointOptions, "given" | "z0">;
type Tensors = Readonly<Record<string, Tensor>>;

export interface Results {
  readonly z: number[];
  readonly residual: number[];
  readonly steps: number[];
  readonly converged: number[];
  /** of Σ z², by name, z0 among them; empty where it has none */
  readonly gradients: Readonly<Record<string, number[]>>;
  /** what was observed last */
  readonly error: number | null;
}

/** The fixed point of a cell for tensors given by name, z0 among them, with the gradients of Σ z². */
export async function found(
  cell: Cell,
  tensors: Tensors,
  options: Options = {},
  runtime = jit(),
): Promise<Results> {
  return (await foundEach(cell, [tensors], options, runtime))[0]!;
}

/** The same for several, compiled once. */
export async function foundEach(
  cell: Cell,
  several: readonly Tensors[],
  options: Options = {},
  runtime: Runtime = jit(),
): Promise<Results[]> {
  const { graph, names, observed } = graphOf(cell, several[0]!, options);
  const compiled = await runtime.compile(graph);
  const results: Results[] = [];
  for (const tensors of several) {
    const out = await compiled.run(pick(upload(runtime, tensors), compiled.inputs));
    const of = async (name: string) => numbers(await runtime.download(out[name]!));
    results.push({
      ...{ z: await of("z"), residual: await of("residual") },
      ...{ steps: await of("steps"), converged: await of("converged") },
      gradients: Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await of(`d${name}`)] as const)),
      ),
      error: observed ? (await of("error"))[0]! : null,
    });
  }
  await compiled.release();
  return results;
}

function graphOf(cell: Cell, tensors: Tensors, options: Options) {
  const b = new Builder();
  const { z0, ...given } = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape }]) => [name, b.input(name, dtype, shape)]),
  );
  const point = fixedPoint(b, cell, { ...options, given, z0: z0! });
  const { z, residual, steps, converged } = point;
  const wrt = { ...given, z0: z0! };
  const loss = reduceSum(b, mul(b, z, z));
  const pulled = pullback(b, [loss], [b.scalar(loss.dtype, 1)], Object.values(wrt));
  const all = Object.keys(wrt);
  const names = all.filter((_, i) => pulled[i] !== null);
  const error = told(b).reconstructionError ?? null;
  const graph = b.graph({
    ...{ z, residual, steps, converged },
    ...(error === null ? {} : { error }),
    ...Object.fromEntries(names.map((name) => [`d${name}`, pulled[all.indexOf(name)]!])),
  });
  return { graph: withoutRegions(graph), names, observed: error !== null };
}

export function rowsOf(
  rows: readonly (readonly number[])[],
  dtype: "float32" | "float64" = "float64",
): Tensor {
  return tensor(dtype, [rows.length, rows[0]!.length], rows.flat());
}

/** The largest difference of two lists. */
export function apart(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}
