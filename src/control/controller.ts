import type { FloatDType } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { div, mul } from "../ops/arithmetic.js";
import { maximum, minimum } from "../ops/extrema.js";
import { and, greater, greaterOrEqual, less, not, where } from "../ops/logic.js";
import { pow } from "../ops/power.js";
import type { Pid } from "./control.js";

/** What a controller remembers from step to step. */
export interface Memory<X = Value> {
  /** eₙ₋₁²; `null` where the controller does not look at it */
  readonly last: X | null;
  /** eₙ₋₂², likewise */
  readonly beforeLast: X | null;
  /** a bool: whether the last attempt was rejected */
  readonly rejected: X;
}

/** What a controller remembers, each part that it needs made by itself; `null` without a controller. */
export function memoryOf<X>(
  control: Pid | { readonly kind: "constant" | "times" },
  make: (part: keyof Memory) => X,
): Memory<X> | null {
  if (control.kind !== "pid") return null;
  const { p, d } = control;
  return {
    last: p !== 0 || d !== 0 ? make("last") : null,
    beforeLast: d !== 0 ? make("beforeLast") : null,
    rejected: make("rejected"),
  };
}

export interface Attempt {
  /** e², the square of the scaled norm of the error; NaN and infinity are rejected */
  readonly square: Value;
  /** a bool: whether the step was cut short to hit a time, so that its error says little about the next */
  readonly cut: Value;
}

export interface Decision {
  /** a bool */
  readonly accept: Value;
  /** what to multiply the step size with */
  readonly factor: Value;
  readonly memory: Memory;
}

/**
 * Accepts or rejects a step, and says how long the next one should be. It reckons with squares of norms: their roots would
 * only be one more operation for the next step to wait for.
 */
export function decide(b: Builder, control: Pid, order: number, attempt: Attempt, memory: Memory): Decision {
  const { p, i, d, safety, factorMin, factorMax } = control;
  const { square, cut } = attempt;
  const accept = less(b, square, 1);
  // an error so small that the step grows by the largest factor counts as that small
  const smallest = (safety / factorMax) ** order;
  const counted = maximum(b, square, Math.max(smallest ** 2, least[square.dtype as FloatDType]));
  const power = (x: Value, exponent: number) => pow(b, x, exponent / (2 * order));

  let factor = mul(b, power(counted, -(p + i + d)), safety);
  const back = p + 2 * d;
  if (back !== 0) factor = mul(b, factor, power(memory.last!, back));
  if (d !== 0) factor = mul(b, factor, power(memory.beforeLast!, -d));

  // longer only if this step was accepted, and the one before
  const shorten = where(b, accept, where(b, memory.rejected, 1, operandOf(b, square, factorMax)), safety);
  const limited = maximum(b, minimum(b, factor, shorten), factorMin);
  factor = where(b, less(b, square, largest), limited, factorMin);

  const remembered = and(b, accept, not(b, cut));
  return {
    accept,
    factor,
    memory: {
      last: memory.last && where(b, remembered, counted, memory.last),
      beforeLast: memory.beforeLast && where(b, remembered, memory.last!, memory.beforeLast),
      rejected: not(b, accept),
    },
  };
}

/**
 * What the distance d of y and its companion adds to the norm of a step. With D the tolerance of drift:
 *
 * - beyond D, a step is rejected unless it brings them nearer: d₁ ≤ (1 + λ) / 2 · d₀, half of what the coupling damps
 *   as the step goes to 0. On y' = −a y that is a step of −ln λ / 2 a, with which d decays just as y does;
 * - near D, or beyond it and coming nearer, the next step is not longer than this one.
 *
 * So drift alone never shortens a step that it does not reject, and there is always a step that it accepts.
 *
 * @param distances  scaled norms of the distance before and after the step, by one tolerance
 */
export function driftTerm(
  b: Builder,
  { driftTolerance, safety }: Pid,
  order: number,
  coupling: number,
  { before, after }: { readonly before: Value; readonly after: Value },
): Value {
  const beyond = div(b, after, driftTolerance);
  const parting = and(b, greaterOrEqual(b, beyond, 1), greater(b, after, mul(b, before, (1 + coupling) / 2)));
  // by this norm, the factor of an integral controller is 1
  return where(b, parting, beyond, minimum(b, beyond, safety ** order));
}

/** of a square that is a number */
const largest = 1e60;
/** above 0: of what is remembered as 0, no power could make up for what is not */
const least: { readonly [dtype in FloatDType]: number } = { float32: 2 ** -126, float64: 2 ** -1022 };

function operandOf(b: Builder, like: Value, value: number): Value {
  return b.scalar(like.dtype, value);
}
