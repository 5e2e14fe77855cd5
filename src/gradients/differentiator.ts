import type { Schedule } from "../chains/tables.js";
import type { Control } from "../control/control.js";
import { largestOf } from "../core/largest.js";
import type { Tensor } from "../core/tensor.js";
import { countingFrom, stopsFor } from "../integrate/counting.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { type OnDevice, settingOf } from "../integrate/solve-inputs.js";
import type { Loss } from "../learning/losses.js";
import { type Grid, type GridTree, gridTensors, gridThrough, TimeError } from "../programs/grid.js";
import type { TimeShares } from "../programs/solve-adjoint.js";
import type { LossSetting } from "../programs/training.js";
import { handOverTree, uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensor, DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { GradientMethod, GradientRequest } from "./method.js";
import { scheduleOn } from "./schedule-on.js";
import { shareTensors } from "./times.js";

/** What a loss is taken on: where the solve starts, where it steps, and what it is held against. */
export interface Fit {
  readonly grid: Grid;
  /** [batch, …] */
  readonly y0: Tensor;
  /** [saves, batch, …] */
  readonly target: Tensor;
  /** 1 where there is data, of the target's shape; `null` if nothing is missing */
  readonly weight: Tensor | null;
}

/** Cost of one gradient, counted. */
export interface GradientCost {
  readonly steps: number;
  /** evaluations of the field, forward and backward */
  readonly evaluations: number;
  /** states (of all the arrays that a method carries) kept for the backward pass, beside the one it works on */
  readonly storedStates: number;
}

/** Where the evaluations of a gradient are made, and in how many runs. */
export interface GradientWork {
  /** in the solve */
  readonly forward: number;
  /** in steps that are taken again to have the states before others */
  readonly recomputed: number;
  /** in undoing steps and pulling cotangents through them; a pullback needs no further one */
  readonly backward: number;
  /** runs of compiled graphs, beside those of solves that choose their steps */
  readonly runs: number;
}

/** What a gradient on some grid costs. */
export interface Costs {
  readonly cost: GradientCost;
  readonly work: GradientWork;
}

/** What is trained, on the device. */
export interface TrainedInputs {
  readonly parameters: DeviceTensors;
  /** where initial states are trained too */
  readonly y0?: DeviceTensor;
}

/** What programs take of a grid: with what gradients of the times and schedules of stored states need, where there are. */
export interface GridInputs<T> extends GridTree<T> {
  readonly shares: TimeShares<T> | null;
  readonly schedule: Schedule<T> | null;
}

/** Inputs that are not trained, on the device, with the grid that they hold. */
export interface FixedInputs {
  readonly grid: Grid;
  readonly inputs: GridInputs<DeviceTensor> & {
    readonly y0: DeviceTensor;
    readonly data: { readonly target: DeviceTensor; readonly weight: DeviceTensor | null };
  };
}

/** A loss and its gradients, on the device. */
export interface GradientResults {
  readonly loss: DeviceTensor;
  readonly gradients: {
    readonly y0: DeviceTensor;
    readonly parameters: DeviceTensors;
    /** of the first time and the saves, where they are wanted */
    readonly times: DeviceTensor | null;
  };
  /** y0 as a way back that reconstructs states gets it back */
  readonly reconstructed: DeviceTensor | null;
  /** how far states that are undone come back, relative to y: past `reconstructionLimit`, the gradient is lost */
  readonly reconstructionError: DeviceTensor | null;
  /** how far the companion of y is off, relative to y, where a method has one */
  readonly drift: DeviceTensor | null;
}

/** A compiled gradient. */
export interface Differentiator {
  /** Cost of a gradient on the grid that this was compiled for; where steps are chosen, of the last one. */
  readonly cost: GradientCost;
  readonly work: GradientWork;
  /** The method in use: what was asked for, or chosen, with stored states where the reconstruction would be lost. */
  readonly gradient: GradientMethod;
  /** What was decided beyond what was asked for, and why. */
  readonly notes: readonly string[];
  /** Inputs that are not trained, on the device. */
  readonly fixed: (fit: Fit) => FixedInputs;
  readonly run: (trained: TrainedInputs, fixed: FixedInputs) => Promise<GradientResults>;
  /** Says where the solve with these inputs leaves the finite numbers. */
  readonly locate: (trained: TrainedInputs, fixed: FixedInputs) => Promise<Error>;
  readonly release: () => Promise<void>;
}

/** A compiled gradient that serves any grid. */
export interface GridDifferentiator extends Omit<Differentiator, "notes"> {
  readonly costOn: (grid: Grid) => Costs;
  /** What it takes of a grid, on the device. */
  readonly gridInputs: (grid: Grid) => GridInputs<DeviceTensor>;
}

export interface DifferentiatorOptions {
  readonly runtime: Runtime;
  readonly loss: Loss;
  /** "auto" chooses by what is at stake */
  readonly gradient: GradientRequest;
  /** what stored states may take where the gradient is chosen, in bytes; 1 GB by default */
  readonly memoryBudget?: number;
  /**
   * whether a reversible gradient whose reconstruction would be lost stores states on its way; by default it does. Not
   * for use, but to look at what is lost.
   */
  readonly guarded?: boolean;
  /** shapes, dtype and grid to compile for */
  readonly fit: Fit;
  /**
   * how steps are chosen; by default they are those of the grid, of which otherwise only the first time and the save
   * times count
   */
  readonly control?: Control;
  /** whether the gradient of the first time and the save times is wanted too */
  readonly times?: boolean;
}

/**
 * What programs need to know of a loss of a solve.
 *
 * @throws {TimeError} if times that are to have gradients are one
 */
export function lossSetting(
  ode: NeuralOde,
  { loss, fit, times = false, control }: Pick<DifferentiatorOptions, "loss" | "fit" | "times" | "control">,
): LossSetting {
  const setting = settingOf(ode, fit.y0.shape, fit.grid);
  const everyStep = setting.everyStep && control === undefined;
  const { t0, saves } = wantedTimes(fit.grid);
  const { atStart, stops } = stopsFor(countingFrom(ode.dtype, t0), t0, saves);
  const same = atStart.length > 1 ? atStart : stops.find((stop) => stop.saves.length > 1)?.saves;
  if (times && same !== undefined) {
    throw new TimeError(
      `The times of saves ${same[0]} and ${same[1]}, ${saves[same[0]!]} and ${saves[same[1]!]}, are one in ${ode.dtype}, so ` +
        "that the loss has no gradient in them. Leave one of them out.",
    );
  }
  return {
    ...setting,
    everyStep,
    coincident: same !== undefined,
    loss,
    weighted: fit.weight !== null,
    times,
  };
}

/** The times of a grid that were asked for: where it starts, and the saves. */
export function wantedTimes({ times, offsets }: Grid): { t0: number; saves: readonly number[] } {
  return { t0: times[0]!, saves: offsets.slice(1).map((offset) => times[offset]!) };
}

/** A grid that says only which times are wanted, for a fit whose steps are chosen. */
export function gridOfTimes(t0: number, saves: readonly number[]): Grid {
  return gridThrough(t0, saves, largestOf(saves.map((time) => Math.abs(time - t0))) || 1);
}

/** What is wanted of a grid. */
export interface GridUse {
  /** whether what the gradient of the times needs: three numbers for each step */
  readonly times?: boolean;
  /** the gradient whose schedule is wanted, if it has one */
  readonly method?: GradientMethod;
}

/** What programs take of a grid. */
export function gridInputs(
  { dtype }: NeuralOde,
  grid: Grid,
  { times = true, method }: GridUse = {},
): GridInputs<Tensor> {
  return {
    ...gridTensors(grid, dtype),
    shares: times ? shareTensors(grid, dtype) : null,
    schedule: method === undefined ? null : scheduleOn(method, grid),
  };
}

/** Inputs that are not trained, on the device. */
export function fixedInputs(ode: NeuralOde, runtime: Runtime, fit: Fit, use: GridUse = {}): FixedInputs {
  const { grid, y0, target, weight } = fit;
  const steps = handOverTree(runtime, gridInputs(ode, grid, use));
  const own = uploadTree(runtime, { y0, data: { target, weight } });
  return { grid, inputs: { ...steps, ...own } as FixedInputs["inputs"] };
}

/** What a solve takes of the inputs of its gradient. */
export function solveInputsOf({ parameters, y0 }: TrainedInputs, { inputs }: FixedInputs): OnDevice {
  const { t0, t1, h, offsets } = inputs;
  return { parameters, y0: y0 ?? inputs.y0, t0, t1, h, offsets };
}

export function evaluationsOf({ forward, recomputed, backward }: GradientWork): number {
  return forward + recomputed + backward;
}
