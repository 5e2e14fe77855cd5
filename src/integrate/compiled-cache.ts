import type { Runtime } from "../runtime/runtime.js";

/** Something compiled, worth keeping for the next to need it. */
export interface Compiled {
  readonly release: () => Promise<void>;
}

interface Entry {
  readonly key: readonly unknown[];
  readonly made: Promise<Compiled>;
  users: number;
}

/** How many compiled solves an equation keeps. */
const limit = 4;

/**
 * What the solves of an equation have compiled, the last few of them: graphs are built and compiled once, and a solve
 * like the one before costs its run. Keys are compared part by part, objects among them by identity.
 */
export class CompiledCache {
  /** the one that was used last at the end */
  #entries: Entry[] = [];
  #runtime: Promise<Runtime> | null = null;

  /** The runtime of calls that are given none: opened by the first of them. */
  runtime(open: () => Runtime | Promise<Runtime>): Promise<Runtime> {
    this.#runtime ??= Promise.resolve()
      .then(open)
      .catch((cause) => {
        // what could not be opened is tried again by the next
        this.#runtime = null;
        throw cause;
      });
    return this.#runtime;
  }

  /** Does something with what is kept under a key, which is made if it is not there. */
  async use<T extends Compiled, R>(
    key: readonly unknown[],
    make: () => Promise<T>,
    work: (compiled: T) => Promise<R>,
  ): Promise<R> {
    let entry = this.#entries.find((known) => sameKey(known.key, key));
    if (entry === undefined) {
      const made = make();
      const fresh = { key, made, users: 0 };
      // what could not be made is tried again by the next
      made.catch(() => this.#forget(fresh));
      entry = fresh;
    } else this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#entries.push(entry);
    entry.users++;
    try {
      return await work((await entry.made) as T);
    } finally {
      entry.users--;
      if (this.#entries.length > limit) await this.#tidy();
    }
  }

  /** Frees all that is not in use. The next solve compiles again. */
  async release(): Promise<void> {
    await this.#drop(this.#entries.filter(({ users }) => users === 0));
  }

  #forget(entry: Entry): void {
    this.#entries = this.#entries.filter((other) => other !== entry);
  }

  /** Frees those that have not been used for the longest time. */
  async #tidy(): Promise<void> {
    const idle = this.#entries.filter(({ users }) => users === 0);
    // a runtime that is gone by now has freed all itself, and whoever solves on another has nothing to do with it
    await this.#drop(idle.slice(0, this.#entries.length - limit)).catch(() => {});
  }

  async #drop(entries: readonly Entry[]): Promise<void> {
    this.#entries = this.#entries.filter((entry) => !entries.includes(entry));
    for (const { made } of entries) {
      await made.then(
        (compiled) => compiled.release(),
        // it was never made, which has been said to whoever asked for it
        () => {},
      );
    }
  }
}

function sameKey(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((part, i) => Object.is(part, b[i]));
}
