import type { Threads } from "../runtime/threads.js";
import { type PartPrograms, type PartWorker, workerOn } from "./part-worker.js";
import type { UpdaterOptions } from "./updater.js";

/** What a batch is gone through in parts for. */
export interface PartsOptions extends UpdaterOptions {
  readonly parts: number;
}

/** Threads that take parts of later updates, where these take long enough. */
export class JoiningThreads {
  #wanted: Promise<void> | null = null;
  #joined: PartWorker[] | null = null;
  #failure: { readonly cause: unknown } | null = null;

  constructor(
    readonly options: PartsOptions,
    readonly programs: PartPrograms,
    readonly home: PartWorker,
  ) {}

  /** Starts threads, unless that was done. @param seconds  that an update took here alone */
  ran(seconds: number): void {
    const { threads, helpers, parts, updates } = this.options;
    if (this.#wanted !== null || threads === null || helpers.length > 0) return;
    const count = seconds * updates < threads.worth ? 1 : Math.min(threads.most, parts);
    this.#wanted = count === 1 ? Promise.resolve() : this.#start(threads, count);
  }

  async #start(threads: Threads, count: number): Promise<void> {
    try {
      const started = await threads.start(this.home.runsOn, count - 1);
      const others = await Promise.all(
        started.map((runtime, k) => workerOn(runtime, [k + 1, count], this.programs, this.options)),
      );
      this.#joined = [this.home.among(count), ...others];
    } catch (cause) {
      this.#failure = { cause };
    }
  }

  /** All that share the work from now on, once; `null` while there is nobody new. */
  joined(): PartWorker[] | null {
    if (this.#failure !== null && this.options.threads!.required) throw this.#failure.cause;
    const joined = this.#joined;
    this.#joined = null;
    return joined;
  }

  /** Why nobody joins, where nobody insists on it. */
  get failure(): { readonly failure?: string } {
    return this.#failure === null ? {} : { failure: (this.#failure.cause as Error).message };
  }

  /** When nobody joins any more. @returns those who did, once */
  async settled(): Promise<readonly PartWorker[]> {
    await this.#wanted;
    return this.#joined ?? [];
  }
}
