import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { zerosLike } from "../ops/generate.js";
import { less } from "../ops/logic.js";
import { cast } from "../ops/reshape.js";
import type { Iteration } from "./cell.js";
import type { FixedPointSolver, Iterate } from "./solver.js";
import { any, goesOn, residualOf, type StopRule, toleranceOf, whereSample } from "./stop.js";

/** How an iteration goes and when it ends. */
export interface Iterating {
  readonly solver: FixedPointSolver;
  readonly stop: StopRule;
}

/** Where the iteration of each sample is. */
export interface Reached extends Iterate {
  /** steps that were taken, int64 [batch], or [1] where all stop together */
  readonly steps: Value;
}

/** The state before the first step. */
export function startOf(b: Builder, f: Iteration, z0: Value, { solver, stop }: Iterating): Reached {
  const fz = f(b, z0);
  const steps = cast(b, zerosLike(b, residualOf(b, stop, z0, fz)), "int64");
  return { z: z0, fz, memory: solver.start(b, z0), steps };
}

/** One step of the samples that go on; the others stay as they are. */
export function stepped(
  b: Builder,
  f: Iteration,
  before: Reached,
  isActive: Value,
  solver: FixedPointSolver,
): Reached {
  const next = solver.step(b, f, before);
  const chosen = (value: Value, otherwise: Value) => whereSample(b, isActive, value, otherwise);
  return {
    z: chosen(next.z, before.z),
    fz: chosen(next.fz, before.fz),
    memory: next.memory.map((value, i) => chosen(value, before.memory[i]!)),
    steps: add(b, before.steps, cast(b, isActive, "int64")),
  };
}

/** What an iteration has come to. */
export interface Iterated {
  readonly z: Value;
  /** of z, for each sample [batch], or for all [1] */
  readonly residual: Value;
  /** steps up to z, int64 [batch] or [1] */
  readonly steps: Value;
  /** residuals after each step, [steps, batch] or [steps, 1]; `null` unless asked for */
  readonly trace: Value | null;
}

/**
 * Iterates until the stop rule ends it, in one Loop with its condition inside. A sample that is done no longer changes;
 * the loop ends when all are. The answer of each sample is the iterate with the least residual, or the last.
 */
export function iterate(
  b: Builder,
  f: Iteration,
  z0: Value,
  { solver, stop, keep, traced = false }: Iterating & { keep: "last" | "best"; traced?: boolean },
): Iterated {
  const start = startOf(b, f, z0, { solver, stop });
  const first = residualOf(b, stop, z0, start.fz);
  const best = keep === "best" ? [first, start.steps, z0] : [];
  const width = 3 + start.memory.length;
  const unpacked = (values: readonly Value[]): Reached => {
    const [steps, z, fz, ...memory] = values.slice(0, width);
    return { steps: steps!, z: z!, fz: fz!, memory };
  };
  const { carried, scans } = loop(
    b,
    { trips: stop.maxSteps, carried: [first, ...packed(start), ...best] },
    (inner, _, [residual, ...rest]) => {
      const before = unpacked(rest);
      const isActive = goesOn(inner, stop, residual!);
      const after = stepped(inner, f, before, isActive, solver);
      const left = whereSample(inner, isActive, residualOf(inner, stop, after.z, after.fz), residual!);
      const least = best.length === 0 ? [] : better(inner, rest.slice(-3), [left, after.steps, after.z]);
      return {
        carried: [left, ...packed(after), ...least],
        scans: traced ? [left] : [],
        // all steps are taken without a tolerance, so that runtimes that unroll loops have this one too
        ...(toleranceOf(stop) > 0 ? { proceed: any(inner, goesOn(inner, stop, left)) } : {}),
      };
    },
  );
  const [residual, ...rest] = carried;
  const { z, steps } = unpacked(rest);
  const trace = scans[0] ?? null;
  if (keep === "last") return { z, residual: residual!, steps, trace };
  const [least, at, kept] = rest.slice(-3);
  return { z: kept!, residual: least!, steps: at!, trace };
}

function packed({ steps, z, fz, memory }: Reached): Value[] {
  return [steps, z, fz, ...memory];
}

/** Residual, steps and state of the better of two iterates, for each sample. A residual that is not a number is not less. */
function better(b: Builder, best: readonly Value[], now: readonly Value[]): Value[] {
  const isBetter = less(b, now[0]!, best[0]!);
  return now.map((value, i) => whereSample(b, isBetter, value, best[i]!));
}
