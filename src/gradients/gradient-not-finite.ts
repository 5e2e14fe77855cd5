import { scalar, type Tensor, tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import { type Node, shownOrigin } from "../graph/graph.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { solve, upload } from "../integrate/solve.js";
import type { Runtime } from "../runtime/runtime.js";
import { reasonOf, shownNames, watchedDerivative } from "./not-finite.js";
import { TrainingError } from "./training-error.js";

/** What was being done when a gradient was not finite. */
export interface NotFinite {
  readonly runtime: Runtime;
  readonly loss: number;
  readonly parameters: Tensors;
  readonly y0: Tensor;
  readonly t0: number;
  readonly times: readonly number[];
}

/** States of the solution that are looked at. */
const mostStates = 64;

/**
 * Why a gradient is not finite although the loss is: the derivative of the field is taken at states along the solution,
 * operator by operator, and the first one whose rule makes of finite cotangents others is named, with the parameters
 * that these reach.
 */
export async function whyGradientNotFinite(ode: NeuralOde, given: NotFinite): Promise<TrainingError> {
  const what = `although the loss is (${given.loss})`;
  const found = await locate(ode, given).catch(() => null);
  if (found === null) {
    return new TrainingError(
      `The gradient is not finite ${what}. Reduce the step size, train in float64, or clip the gradient.`,
    );
  }
  const { node, names, t } = found;
  return new TrainingError(
    `The gradient of ${names.length === 0 ? "the state" : shownNames(names)} is not finite ${what}: that arises in ` +
      `${shownOrigin(node)} at t = ${t}${reasonOf(node)}. ` +
      (names.length === 0
        ? "Change the field there (an epsilon under the root or in the denominator), or the initial state."
        : "Keep what is no parameter as it is (--freeze, or `freeze` in the library), " +
          "change the field there, or start from other parameters."),
  );
}

/** The operator and time at which the derivative of the field is not finite; `null` if there is none. */
async function locate(
  ode: NeuralOde,
  { runtime, parameters, y0, t0, times }: NotFinite,
): Promise<{ node: Node; names: string[]; t: number } | null> {
  const { field, dtype } = ode;
  const b = new Builder();
  const t = b.input("t", dtype, []);
  const y = b.input("y", dtype, y0.shape);
  const names = Object.keys(field.parameters);
  const theta = Object.fromEntries(
    names.map((name) => [name, b.input(`parameter/${name}`, dtype, field.parameters[name]!.shape)]),
  );
  const dydt = field.apply(b, theta, t, y);
  const one = b.constant(tensor(dtype, y0.shape, new Array(y0.data.length).fill(1)));
  const wrt = [...names.map((name) => theta[name]!), y];
  const derivative = await watchedDerivative(b, runtime, { output: dydt, cotangent: one, wrt });
  try {
    const { ts, ys } = await solve(ode, { runtime, parameters, y0, t0, saveAt: times });
    const size = y0.data.length;
    const states = [
      y0,
      ...ts.map((_, i) => ({ ...y0, data: ys.data.slice(i * size, (i + 1) * size) }) as Tensor),
    ];
    const own = Object.entries(parameters).map(([name, value]) => [`parameter/${name}`, value] as const);
    for (const [i, state] of states.slice(0, mostStates).entries()) {
      const at = i === 0 ? t0 : ts[i - 1]!;
      const inputs = { ...Object.fromEntries(own), t: scalar(dtype, at), y: state };
      const found = await derivative.at(upload(runtime, inputs));
      if (found === null) continue;
      return { node: found.node, names: found.reached.flatMap((k) => names[k] ?? []), t: at };
    }
    return null;
  } finally {
    await derivative.release();
  }
}
