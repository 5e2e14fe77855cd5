import { DriftError } from "../integrate/failures.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { driftLimit, driftText } from "../integrate/warnings.js";

/** The equation and its λ, as they are by now. */
type Equation = Pick<NeuralOde, "method" | "dtype">;

/** Updates whose solves drifted apart: of a coupled method's two solutions, the loss sees but one. */
export interface DriftRecord {
  /** how many of them there were, and the number of the first */
  readonly updates: number;
  readonly first: number;
  /** the largest distance, relative to y */
  readonly largest: number;
}

/** Keeps what updates say of the distance between y and its companion, and what is to be said of it. */
export class DriftWatch {
  #record: DriftRecord | null;

  constructor(
    readonly strict: boolean,
    start: DriftRecord | null,
  ) {
    this.#record = start;
  }

  get record(): DriftRecord | null {
    return this.#record;
  }

  /**
   * @param update  its number, from 1
   * @throws {DriftError} if it is past the limit, and that was asked to be an error
   */
  see(
    update: number,
    drift: number,
    { method, dtype }: Equation,
    end: { time: number; step: number; stepSize: number },
  ): void {
    if (drift <= driftLimit) return;
    if (this.strict) throw new DriftError(`At update ${update}: ${driftText(method, dtype, drift)}`, end);
    const { updates, first, largest } = this.#record ?? { updates: 0, first: update, largest: 0 };
    this.#record = { updates: updates + 1, first, largest: Math.max(largest, drift) };
  }

  /** What there is to say at the end; `null` if all went well. */
  warning({ method, dtype }: Equation, updates: number): string | null {
    if (this.#record === null) return null;
    const { updates: drifted, first, largest } = this.#record;
    return (
      `In ${drifted} of ${updates} updates, the first of them number ${first}: ${driftText(method, dtype, largest)} ` +
      "Such a fit depends on the method rather than on the field alone."
    );
  }
}
