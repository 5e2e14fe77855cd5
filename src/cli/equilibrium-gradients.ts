import { withoutRegions } from "../autodiff/region.js";
import { pullback } from "../autodiff/vjp.js";
import { type FloatDType, numbers, type Tensor } from "../core/tensor.js";
import { cellOf, inputName } from "../equilibrium/deq.js";
import { fixedPoint } from "../equilibrium/fixed-point.js";
import { undoingWarning } from "../equilibrium/reconstruction.js";
import { reversibleIteration } from "../equilibrium/reversible.js";
import { publishedStopRule } from "../equilibrium/stop.js";
import type { EquilibriumExperiment } from "../experiments/equilibria.js";
import type { Tensors } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import { pick, upload } from "../integrate/solve-inputs.js";
import { reduceSum } from "../ops/broadcast.js";
import { zerosLike } from "../ops/generate.js";
import { zeros } from "../ops/linalg.js";
import { told } from "../ops/told.js";
import type { Executable, Runtime } from "../runtime/runtime.js";
import { slopeAtZero } from "./finite-difference.js";

/** A fixed point of an experiment and how it is found. */
export interface EquilibriumSetting {
  readonly experiment: EquilibriumExperiment;
  /** β */
  readonly relaxation: number;
  /** of the paper's stop rule */
  readonly tolerance: number;
  readonly maxSteps: number;
  readonly dtype: FloatDType;
}

const methods = ["reversible", "direct"] as const;
type Method = (typeof methods)[number];

/** What `gradcheck --json` prints of a fixed point. */
export interface EquilibriumReport {
  /** z, which is the loss */
  readonly z: number;
  readonly iterations: number;
  /** ‖z − f(z)‖ / (1e−5 + ‖f(z)‖) */
  readonly residual: number;
  readonly converged: boolean;
  /** by method and name, flat; `x` among them */
  readonly gradients: Readonly<Record<Method, Readonly<Record<string, readonly number[]>>>>;
  /** ‖g − g_direct‖ / ‖g_direct‖ of the reversible gradient */
  readonly relativeError: number;
  /** how far the pair came back from where it started, over the largest number of the start and the end */
  readonly reconstructionError: number;
  /** of the direct gradient along itself, by differences of z, and by how much these may be off */
  readonly finiteDifference: { readonly relativeError: number; readonly uncertainty: number };
  readonly notes: readonly string[];
}

/** z and its gradients. @param x  [1, 1] */
export async function equilibriumGradients(
  runtime: Runtime,
  setting: EquilibriumSetting,
  { x, parameters }: { readonly x: Tensor; readonly parameters: Tensors },
): Promise<EquilibriumReport> {
  const point: Tensors = { ...parameters, x };
  const found = new Map<Method, Tensors>();
  for (const method of methods) {
    const compiled = await runtime.compile(gradientGraph(setting, method, Object.keys(parameters)));
    found.set(method, await resultsOf(runtime, compiled, point));
    await compiled.release();
  }
  const gradientBy = (method: Method) =>
    Object.fromEntries(
      Object.keys(point).map((name) => [name, numbers(found.get(method)![gradientName(name)]!)]),
    );
  const gradients = { reversible: gradientBy("reversible"), direct: gradientBy("direct") };
  const reversible = Object.values(gradients.reversible).flat();
  const direct = Object.values(gradients.direct).flat();
  const one = (name: string) => numbers(found.get("reversible")![name]!)[0]!;
  const [iterations, residual] = [one("steps"), one("residual")];
  const warning = undoingWarning(solverOf(setting), setting.dtype, iterations);
  return {
    ...{ z: one("z"), iterations, residual, converged: residual <= setting.tolerance, gradients },
    relativeError: Math.hypot(...reversible.map((g, i) => g - direct[i]!)) / (Math.hypot(...direct) || 1),
    reconstructionError: one("error"),
    finiteDifference: await finiteDifference(runtime, setting, point, gradients.direct),
    notes: warning === null ? [] : [warning],
  };
}

const gradientName = (name: string) => `gradient of ${name}`;

function solverOf({ relaxation }: EquilibriumSetting) {
  return reversibleIteration({ relaxation });
}

/** The graph from x and the parameters to z and its gradients; without a method, to z alone. */
function gradientGraph(
  setting: EquilibriumSetting,
  gradient: Method | null,
  names: readonly string[],
): Graph {
  const { experiment, tolerance, maxSteps, dtype } = setting;
  const b = new Builder();
  const x = b.input("x", dtype, [1, 1]);
  const theta = Object.fromEntries(
    names.map((name) => [name, b.input(name, dtype, experiment.cell.parameters[name]!.shape)]),
  );
  const { z, steps, residual } = fixedPoint(b, cellOf(experiment.cell), {
    ...{ given: { ...theta, [inputName]: x }, z0: zeros(b, dtype, [1, 1]) },
    ...{ solver: solverOf(setting), stop: publishedStopRule(tolerance, maxSteps) },
    gradient: gradient ?? "direct",
  });
  const loss = reduceSum(b, z);
  if (gradient === null) return withoutRegions(b.graph({ z: loss }, "fixed point"));
  const wrt = { x, ...theta };
  const pulled = pullback(b, [loss], [b.scalar(dtype, 1)], Object.values(wrt));
  const gradients = Object.entries(wrt).map(
    ([name, value], i) => [gradientName(name), pulled[i] ?? zerosLike(b, value)] as const,
  );
  const error = told(b).reconstructionError ?? b.scalar(dtype, 0);
  const graph = b.graph({ z: loss, steps, residual, error, ...Object.fromEntries(gradients) }, "gradient");
  return withoutRegions(graph);
}

async function resultsOf(runtime: Runtime, compiled: Executable, inputs: Tensors): Promise<Tensors> {
  const results = await compiled.run(pick(upload(runtime, inputs), compiled.inputs));
  const entries = Object.entries(results).map(
    async ([name, value]) => [name, await runtime.download(value)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

/** The slope of z along its gradient v = g / ‖g‖, which is ‖g‖; in float64, however the gradient was computed. */
async function finiteDifference(
  runtime: Runtime,
  setting: EquilibriumSetting,
  point: Tensors,
  gradient: Readonly<Record<string, readonly number[]>>,
): Promise<EquilibriumReport["finiteDifference"]> {
  const size = Math.hypot(...Object.values(gradient).flat());
  if (size === 0) return { relativeError: 0, uncertainty: 0 };
  const names = Object.keys(point).filter((name) => name !== "x");
  const precise = { ...setting, dtype: "float64" as const };
  const compiled = await runtime.compile(gradientGraph(precise, null, names));
  const moved = (by: number): Tensors =>
    Object.fromEntries(
      Object.entries(point).map(([name, value]) => {
        const own = gradient[name]!;
        const data = Float64Array.from(numbers(value), (at, i) => at + (by * own[i]!) / size);
        return [name, { dtype: "float64", shape: value.shape, data } as Tensor];
      }),
    );
  try {
    const at = async (by: number) => numbers((await resultsOf(runtime, compiled, moved(by))).z!)[0]!;
    const { slope, uncertainty } = await slopeAtZero(at, 1e-3);
    return { relativeError: Math.abs(slope - size) / size, uncertainty: uncertainty / size };
  } finally {
    await compiled.release();
  }
}
