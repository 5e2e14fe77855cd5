import type { FloatDType } from "../core/tensor.js";
import type { Chart } from "../plot/description.js";

// What the page and its worker say to each other. All that takes long is done in the worker, so that the page answers.

/** Runtimes that a browser may have, the first unless told otherwise. */
export const runtimeNames = ["jit", "ort-wasm", "ort-webgpu"] as const;
export type RuntimeName = (typeof runtimeNames)[number];

/** What can be trained here, and how its protocol trains it. */
export interface SubjectOffer {
  readonly name: string;
  readonly about: string;
  readonly solver: string;
  /** λ; `null` for a solver that is not coupled */
  readonly coupling: number | null;
  readonly gradient: string;
  readonly dtype: FloatDType;
  readonly steps: number;
  /** solvers of its equations, where they are stochastic ones; `null` where they are ordinary, and take all others */
  readonly sdeSolvers: readonly SolverOffer[] | null;
}

export interface SolverOffer {
  readonly name: string;
  /** whether its steps can be undone: by themselves, once it is coupled, or not at all */
  readonly undone: "by itself" | "coupled" | "never";
}

export interface RuntimeOffer {
  readonly name: RuntimeName;
  readonly dtypes: readonly FloatDType[];
  /** why it does not work here; `null` where it does */
  readonly reason: string | null;
}

/** What there is to choose from. */
export interface Catalogue {
  readonly subjects: readonly SubjectOffer[];
  /** those of ordinary equations */
  readonly solvers: readonly SolverOffer[];
  readonly gradients: readonly string[];
  readonly runtimes: readonly RuntimeOffer[];
}

/** What is to be trained, and how. */
export interface TrainRequest {
  /** an experiment's name; `null` for the visitor's own data */
  readonly subject: string | null;
  readonly data: { readonly name: string; readonly text: string; readonly missing: readonly number[] } | null;
  readonly runtime: RuntimeName;
  readonly solver: string;
  readonly coupling: number | null;
  readonly gradient: string;
  readonly dtype: FloatDType;
  readonly steps: number;
  readonly seed: number;
}

/** What the page asks of the worker. */
export type Order =
  | { readonly kind: "catalogue" }
  | { readonly kind: "train"; readonly request: TrainRequest }
  /** goes on with what was trained last, up to so many updates in all */
  | { readonly kind: "resume"; readonly steps: number }
  | { readonly kind: "stop" }
  | { readonly kind: "benchmark"; readonly runtimes: readonly RuntimeName[] };

/** What is measured while it trains; `null` where there is no such thing. */
export interface Progress {
  /** updates done */
  readonly step: number;
  /** those to be done in all */
  readonly steps: number;
  readonly loss: number;
  readonly secondsPerStep: number;
  readonly drift: number | null;
  readonly reconstructionError: number | null;
}

/** What the way back keeps of a solve. */
export interface Kept {
  readonly gradient: string;
  readonly states: number;
  readonly bytes: number;
  /** what backpropagation through all stored steps would keep */
  readonly all: { readonly states: number; readonly bytes: number };
}

/** One measurement of the benchmark. */
export interface Timing {
  readonly model: string;
  readonly runtime: RuntimeName;
  readonly dtype: FloatDType;
  /** from the graph to the first gradient, ms; with loading the runtime, where that comes first */
  readonly first: number;
  /** one gradient after that, median, ms */
  readonly each: number;
  /** ‖g − g_ref‖ / ‖g_ref‖, g_ref in float64 on jit */
  readonly error: number;
}

/** What a training has come to. */
export interface Ended {
  readonly kind: "ended";
  readonly how: "done" | "stopped" | "failed";
  /** updates done */
  readonly step: number;
  readonly kept: Kept | null;
  /** what was found, in words and numbers */
  readonly findings: readonly (readonly [string, string])[];
  readonly warnings: readonly string[];
  readonly files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
}

/** What the worker tells the page. */
export type News =
  | { readonly kind: "catalogue"; readonly catalogue: Catalogue }
  | { readonly kind: "begun"; readonly about: string; readonly kept: Kept | null }
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "charts"; readonly charts: readonly Chart[] }
  | { readonly kind: "note"; readonly message: string }
  | Ended
  | { readonly kind: "timing"; readonly timing: Timing }
  | { readonly kind: "timed" }
  | { readonly kind: "failed"; readonly of: Order["kind"]; readonly name: string; readonly message: string };
