import type { Control } from "../control/control.js";
import { largestOf } from "../core/largest.js";
import type { Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { countingFrom, stopsFor } from "../integrate/counting.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { handOver, settingOf, upload } from "../integrate/solve.js";
import type { Loss } from "../learning/losses.js";
import { type Grid, gridTensors, gridThrough, TimeError } from "../programs/grid.js";
import { dataName, y0Name } from "../programs/names.js";
import type { LossSetting } from "../programs/training.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { GradientMethod, GradientRequest } from "./method.js";
import { scheduleTensors } from "./schedule-tensors.js";
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

/** Inputs that are not trained, on the device, with the grid that they hold. */
export interface FixedInputs {
  readonly grid: Grid;
  readonly tensors: DeviceTensors;
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
  /**
   * Loss and gradients, on the device: `loss`, and `gradients/…` for each parameter, for y0 and, where it was asked
   * for, for the times. Where steps are undone, `reconstructionError` says how far states came back, relative to y:
   * past `reconstructionLimit`, the gradient is lost. Where a method has a companion of y, `relativeDrift` says how far
   * that is off.
   *
   * @param trained  parameters (and y0, where it is trained) under their program names
   */
  readonly run: (trained: DeviceTensors, fixed: FixedInputs) => Promise<DeviceTensors>;
  /** Says where the solve with these inputs leaves the finite numbers. */
  readonly locate: (trained: DeviceTensors, fixed: FixedInputs) => Promise<Error>;
  readonly release: () => Promise<void>;
}

/** A compiled gradient that serves any grid. */
export interface GridDifferentiator extends Omit<Differentiator, "notes"> {
  readonly costOn: (grid: Grid) => Costs;
  /** What it takes of a grid, on the device. */
  readonly gridInputs: (grid: Grid) => DeviceTensors;
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
): Tensors {
  return {
    ...gridTensors(grid, dtype),
    ...(times ? shareTensors(grid, dtype) : {}),
    ...(method === undefined ? {} : scheduleTensors(method, grid)),
  };
}

/** Inputs that are not trained, on the device. */
export function fixedInputs(ode: NeuralOde, runtime: Runtime, fit: Fit, use: GridUse = {}): FixedInputs {
  const { grid, y0, target, weight } = fit;
  const steps = gridInputs(ode, grid, use);
  const data = {
    [y0Name]: y0,
    [dataName("target")]: target,
    ...(weight === null ? {} : { [dataName("weight")]: weight }),
  };
  return { grid, tensors: { ...handOver(runtime, steps), ...upload(runtime, data) } };
}

export function evaluationsOf({ forward, recomputed, backward }: GradientWork): number {
  return forward + recomputed + backward;
}
