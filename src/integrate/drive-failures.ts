import type { Event } from "../events/event.js";
import type { Method } from "../methods/method.js";
import { DriftError, EventBracketError, type Standing } from "./failures.js";

/** An event that is there, but not to be found. */
export function bracketError(
  standing: Standing,
  { name = "event" }: Event,
  width: number,
  tolerance: number,
) {
  return new EventBracketError(
    `The ${name} after t = ${standing.time} could be bracketed only within ${width}, not ${tolerance}: its signal is ` +
      "not finite there, or jumps back and forth. Give a signal that is continuous in t and y, or allow a larger " +
      "eventTolerance.",
    standing,
  );
}

/** The error estimate is content, but the two solutions part however small the step. */
export function partingError(method: Method, standing: Standing): DriftError {
  return new DriftError(
    `The two solutions of the method "${method.name}" drift apart at t = ${standing.time}, however small the step ` +
      `(${standing.accepted} steps accepted, ${standing.rejected} rejected). ${adviceAgainstDrift(method)}`,
    standing,
  );
}

/** What to do where the two solutions of a method part. */
export function adviceAgainstDrift({ coupling }: Method): string {
  return coupling === null || coupling === 1
    ? "The method does not damp, and the problem is dissipative: take a coupled method with λ below 1, or a plain one."
    : `A coupled method with λ = ${coupling} follows a part of the solution that decays as e^(−a t) only with steps ` +
        `below −ln λ / a = ${Number((-Math.log(coupling)).toPrecision(3))} / a: take a smaller λ (coupling "auto" chooses ` +
        "one), allow more steps with maxSteps, or take the plain method with another gradient.";
}
