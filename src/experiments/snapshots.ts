import { type FloatDType, numbers, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import type { GradientRequest } from "../gradients/method.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import type { Dataset } from "../models/dataset.js";
import { predict } from "../models/measuring.js";
import { defineModel } from "../models/model.js";
import { odeSolve } from "../models/ode-solve.js";
import { defineTask } from "../models/task.js";
import { mul, sub } from "../ops/arithmetic.js";
import { reduceMean } from "../ops/reduce.js";
import { transpose } from "../ops/reshape.js";
import type { TrainedTask } from "./task-experiment.js";

// The right-hand side of an equation learnt from snapshots of its solutions at equal distances in time: each sample is one
// snapshot, and the few that follow it.

/** Solutions by their snapshots: of each solution, and at each time, the values of one state. */
export type Snapshots = readonly (readonly (readonly number[])[])[];

export interface SnapshotOptions {
  readonly ode: NeuralOde;
  /** of time between two snapshots */
  readonly interval: number;
  /** how many snapshots follow the first of a sample */
  readonly window: number;
  readonly gradient: GradientRequest;
  /** mean square change from the first snapshot of a sample to those that follow, of which the loss is a share */
  readonly change: number;
}

const stateShape = ({ state }: VectorField) => state.slice(1) as readonly number[];

/** States y0 to those that follow, [batch, window, …]; the loss is 1 for a field that is 0 everywhere. */
export function snapshotTask({ ode, interval, window, gradient, change }: SnapshotOptions) {
  const { field } = ode;
  const shape = stateShape(field);
  const times = Array.from({ length: window }, (_, k) => (k + 1) * interval);
  const model = defineModel({
    name: `${field.name} from snapshot to snapshot`,
    parameters: field.parameters,
    inputs: { y0: { shape } },
    apply(b, theta, { y0 }, training) {
      const ys = odeSolve(b, ode, { theta, y0, t0: 0, times, gradient, training });
      return { ys: transpose(b, ys, [1, 0, ...shape.map((_, i) => i + 2)]) };
    },
  });
  return defineTask({
    model,
    targets: { following: { shape: [window, ...shape] } },
    loss(b, { outputs, targets }) {
      const off = sub(b, outputs.ys, targets.following);
      return mul(b, reduceMean(b, mul(b, off, off)), 1 / change);
    },
  });
}

/** Samples of so many snapshots and one, each beginning where the one before it does but for one snapshot. */
export function snapshotData(
  solutions: Snapshots,
  { field, window, dtype }: { field: VectorField; window: number; dtype: FloatDType },
): Dataset {
  const shape = stateShape(field);
  const starts: number[] = [];
  const following: number[] = [];
  let count = 0;
  for (const states of solutions) {
    for (let k = 0; k + window < states.length; k++) {
      starts.push(...states[k]!);
      for (let i = 1; i <= window; i++) following.push(...states[k + i]!);
      count++;
    }
  }
  return {
    y0: tensor(dtype, [count, ...shape], starts),
    following: tensor(dtype, [count, window, ...shape], following),
  };
}

/** The mean square change from the first snapshot of each sample. */
export function meanChange({ y0, following }: Dataset): number {
  const [from, to] = [numbers(y0!), numbers(following!)];
  const [size, window] = [sizeOf(y0!.shape.slice(1)), following!.shape[1]!];
  const at = (i: number) => Math.floor(i / (size * window)) * size + (i % size);
  return to.reduce((sum, value, i) => sum + (value - from[at(i)]!) ** 2, 0) / to.length;
}

/**
 * The solutions from given states, by a trained field or another one, at given times from 0 on. A learnt field may leave what
 * it has learnt from: where a solution is not finite, its values are not, either.
 */
export async function rolledOut(
  ode: NeuralOde,
  { runtime, parameters }: Pick<TrainedTask, "runtime" | "parameters">,
  starts: readonly (readonly number[])[],
  times: readonly number[],
): Promise<number[][][]> {
  const shape = stateShape(ode.field);
  const y0 = tensor(ode.dtype, [starts.length, ...shape], starts.flat());
  const own = Object.fromEntries(Object.keys(ode.field.parameters).map((name) => [name, parameters[name]!]));
  const model = defineModel({
    ...{
      name: `${ode.field.name} from its start`,
      parameters: ode.field.parameters,
      inputs: { y0: { shape } },
    },
    apply(b, theta, given) {
      const ys = odeSolve(b, ode, { theta, y0: given.y0, t0: 0, times });
      return { ys: transpose(b, ys, [1, 0, ...shape.map((_, i) => i + 2)]) };
    },
  });
  const { ys } = await predict(model, { y0 }, { runtime, parameters: own, dtype: ode.dtype });
  return bySolution(ys, sizeOf(shape));
}

/** [solutions, times, …] as lists. */
function bySolution(ys: Tensor, size: number): number[][][] {
  const all = numbers(ys);
  const [solutions, times] = ys.shape as [number, number];
  return Array.from({ length: solutions }, (_, s) =>
    Array.from({ length: times }, (_, k) => all.slice((s * times + k) * size, (s * times + k + 1) * size)),
  );
}

/** At each time ‖found − exact‖ / ‖exact‖ over all solutions, in the mean square norm. */
export function relativeErrors(found: Snapshots, exact: Snapshots): number[] {
  return exact[0]!.map((_, k) => {
    let [off, size] = [0, 0];
    exact.forEach((states, s) => {
      states[k]!.forEach((value, i) => {
        off += (found[s]![k]![i]! - value) ** 2;
        size += value ** 2;
      });
    });
    return Math.sqrt(off / size);
  });
}
