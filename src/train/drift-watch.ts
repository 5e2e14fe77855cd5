import { driftLimit } from "../integrate/warnings.js";

/** Updates whose solves drifted apart: of a coupled method's two solutions, the loss sees but one. */
export interface DriftRecord {
  /** how many of them there were, and the numbers of the first and the last */
  readonly updates: number;
  readonly first: number;
  readonly last: number;
  /** the largest distance, relative to y */
  readonly largest: number;
}

/** Whether two solutions lie so far apart that a solve is unreliable. */
export function isDrift(drift: number): boolean {
  return !(drift <= driftLimit);
}

/** Keeps what updates say of the distance between y and its companion, and what is to be said of it. */
export class DriftWatch {
  #record: DriftRecord | null;

  constructor(start: DriftRecord | null) {
    this.#record = start;
  }

  get record(): DriftRecord | null {
    return this.#record;
  }

  /** @param update  its number, from 1 */
  see(update: number, drift: number): void {
    if (!isDrift(drift)) return;
    const { updates, first, largest } = this.#record ?? { updates: 0, first: update, largest: 0 };
    this.#record = { updates: updates + 1, first, last: update, largest: Math.max(largest, drift) };
  }

  /**
   * What there is to say at the end; `null` if the last tenth of the updates before what is kept went well: how training came there does not
   * matter.
   *
   * @param text  what a drift means
   * @param kept  the update whose parameters are kept, where those are not the last
   */
  warning(updates: number, text: (drift: number) => string, kept = updates): string | null {
    if (this.#record === null || this.#record.last <= kept - Math.max(1, updates / 10)) return null;
    const { updates: drifted, first, largest } = this.#record;
    return (
      `In ${drifted} of ${updates} updates, the first of them number ${first}: ${text(largest)} ` +
      "Such a fit depends on the method rather than on the field alone."
    );
  }
}
