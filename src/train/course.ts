import type { SamplerState } from "./batches.js";
import type { Planned, Standing, Updated, Updater } from "./updater.js";

/** An update that is to be done, and where the sampler of batches is after it. */
export interface Step extends Planned {
  readonly sampler: SamplerState;
}

/** The lowest loss so far: before how many updates, and how low. */
export interface Lowest {
  readonly step: number;
  readonly loss: number;
}

/**
 * Where a training run is, although several updates are done in one run of a graph: the state between any two of them
 * is had by doing those before it again, which gives the same to the bit.
 */
export class Course {
  #from: Standing;
  #plan: readonly Step[] = [];
  #lowestBefore: number;
  #updated: Updated | null = null;
  /** how many of the planned updates count as done */
  #done = 0;
  /** the standing after `done` updates, where somebody has asked for it */
  #asked: { readonly done: number; readonly standing: Standing } | null = null;
  /** whether a state between two updates of the last run was wanted */
  looked = false;

  constructor(
    public updater: Updater,
    start: Standing,
    public lowest: Lowest,
    public sampler: SamplerState,
  ) {
    this.#from = start;
    this.#lowestBefore = lowest.loss;
  }

  /** Does planned updates in one run; none of them counts yet. */
  async run(plan: readonly Step[]): Promise<Updated> {
    this.#from = await this.standing();
    this.#lowestBefore = this.lowest.loss;
    this.#plan = plan;
    this.#done = 0;
    this.#asked = null;
    this.looked = false;
    // until it has run, the course is where it was
    this.#updated = null;
    this.#updated = await this.updater.run(this.#from, this.#lowestBefore, plan);
    return this.#updated;
  }

  /** Goes on from the updates that count by another updater; those of the run that do not count are to be planned again. */
  async goOnBy(change: () => Promise<Updater>): Promise<void> {
    // those before are done by the updater that did them at first
    this.#from = await this.standing();
    this.#lowestBefore = this.lowest.loss;
    this.#plan = [];
    this.#done = 0;
    this.#asked = null;
    this.updater = await change();
  }

  /** Counts the next update of the run. @param step  updates before it, in all */
  advance(step: number, loss: number): void {
    if (loss < this.lowest.loss) this.lowest = { step, loss };
    this.sampler = this.#plan[this.#done]!.sampler;
    this.#done += 1;
  }

  /** What is trained, the memory and the best, after the updates that count. */
  async standing(): Promise<Standing> {
    if (this.#done === 0) return this.#from;
    if (this.#done === this.#plan.length) return this.#updated!.after;
    if (this.#asked?.done !== this.#done) {
      this.looked = true;
      const done = this.#done;
      const plan = this.#plan.slice(0, done);
      const { after } = await this.updater.run(this.#from, this.#lowestBefore, plan);
      this.#asked = { done, standing: after };
    }
    return this.#asked!.standing;
  }
}
