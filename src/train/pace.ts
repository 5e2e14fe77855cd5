/** How long a run of several updates is to take, in seconds: long beside what a run costs, short beside patience. */
const wanted = 0.075;
/** How much longer the next run may be than the last one, which may have been slow for other reasons. */
const growth = 4;

/** How many updates to do in a run, by how long those before took. */
export class Pace {
  #next = 1;

  /** @param most  updates that a run can do */
  constructor(readonly most: number) {}

  get next(): number {
    return this.#next;
  }

  /** @param looked  whether somebody asked for the state between two updates, and may do so again */
  ran(updates: number, seconds: number, looked: boolean): void {
    const fitting = Math.floor((wanted * updates) / Math.max(seconds, 1e-9));
    this.#next = looked ? 1 : Math.max(1, Math.min(fitting, growth * updates, this.most));
  }
}
