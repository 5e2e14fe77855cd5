import { Random } from "../../src/core/random.js";
import { type FloatDType, sizeOf, type Tensor, tensor } from "../../src/core/tensor.js";
import { methodOf } from "../../src/experiments/protocol-solver.js";
import type { GradientRequest } from "../../src/gradients/method.js";
import type { Method } from "../../src/methods/method.js";
import type { Dataset } from "../../src/models/dataset.js";
import type { AnyTask } from "../../src/models/task.js";

/** How a case is solved and differentiated. */
export interface CaseOptions {
  /** `coupled` is the reversible scheme of the experiment, twice the work of the `plain` one */
  readonly scheme: "coupled" | "plain";
  readonly gradient: GradientRequest & string;
  /** at once, or in as many parts as `train` makes of it, each in a thread; "parts" by default */
  readonly batch?: "whole" | "parts";
  /** how many times as many steps as in the experiment */
  readonly finer?: number;
}

/** An experiment at its published sizes, on one batch that does not change: what an update costs. */
export interface ExperimentCase {
  /** what an update is, in a few words */
  readonly about: string;
  readonly dtype: FloatDType;
  readonly task: (options: CaseOptions) => AnyTask | Promise<AnyTask>;
  readonly data: () => Dataset | Promise<Dataset>;
  /** what the scripts of the peers read beside parameters and data: steps, λ, … */
  readonly setting: Readonly<Record<string, number>>;
  /** arrays that revort computes for itself, its noise say, and that the peers are given */
  readonly given?: () => Promise<Readonly<Record<string, Tensor>>>;
  /** of revort: the way of the experiment first */
  readonly own: readonly CaseOptions[];
  /** of others, as their scripts name them */
  readonly peers: readonly Contestant[];
  /** updates that one run of revort does where it trains */
  readonly updatesPerRun: number;
}

/** A contender of another library: how it is called, and whether it takes steps of the coupled scheme. */
export interface Contestant {
  readonly library: string;
  readonly variant: string;
  readonly scheme: CaseOptions["scheme"];
}

/** Contestants of one library and scheme. */
export function of(
  library: string,
  scheme: CaseOptions["scheme"],
  ...variants: readonly string[]
): Contestant[] {
  return variants.map((variant) => ({ library, variant, scheme }));
}

/** The gradients of revort that are compared: undoing, storing and taking steps again, and plain stored steps. */
export function gradientsOf(reversible: CaseOptions["gradient"] = "reversible"): CaseOptions[] {
  return [
    { scheme: "coupled", gradient: reversible },
    { scheme: "coupled", gradient: "direct" },
    { scheme: "coupled", gradient: "checkpoint" },
    { scheme: "plain", gradient: "direct" },
  ];
}

/** A solver with the coupling of an experiment, or as it is by itself, as protocols have it. */
export function solverFor(solver: string, coupling: number, { scheme }: Pick<CaseOptions, "scheme">) {
  return { solver, coupling: scheme === "coupled" ? coupling : null };
}

/** The method that this is. */
export function methodFor(...given: Parameters<typeof solverFor>): Method {
  return methodOf(solverFor(...given));
}

/** Numbers that are drawn anew from 1 on, in the order of their places. */
export function drawn(dtype: FloatDType, shape: readonly number[], next: (random: Random) => number): Tensor {
  const random = Random.seeded(1);
  return tensor(
    dtype,
    shape,
    Array.from({ length: sizeOf(shape) }, () => next(random)),
  );
}
