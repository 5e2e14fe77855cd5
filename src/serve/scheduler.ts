import type { Request, Tensors } from "./messages.js";
import { RequestError } from "./request-error.js";
import { SessionFailure, WorkerEndedError } from "./session-worker.js";
import { groupOf, openIn, runTogether, sum, type Task } from "./shared-run.js";
import { type Place, type Replaced, WorkerPool } from "./worker-pool.js";

export interface SchedulerOptions {
  readonly workers: number;
  /** tasks that may wait */
  readonly queue: number;
  /** milliseconds that a task may wait, and that a run may take */
  readonly timeout: number;
  /** rows of a run at most that are put together from several requests */
  readonly batch: number;
}

/** Told of what happens, for metrics and logs. */
export interface SchedulerEvents {
  readonly ran: (key: string, tasks: number, rows: number, seconds: number) => void;
  readonly replaced: Replaced;
}

/** Times that a task is tried where workers end. */
const attempts = 2;

interface Waiting {
  /** `null` for what the server itself asks, as to describe a file */
  readonly task: Task | null;
  readonly request: Request | null;
  /** what tasks are put together by; `null` for one that goes by itself */
  group: string | null;
  attempts: number;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Gives work to workers: what came first goes first, to one that is free, with all that waits beside it and can share
 * its run. So runs are shared where there is a queue, and nobody waits for others to come.
 */
export class Scheduler {
  readonly #waiting: Waiting[] = [];
  readonly #pool: WorkerPool;
  #meanSeconds = 0.05;

  constructor(
    readonly options: SchedulerOptions,
    readonly events: SchedulerEvents,
  ) {
    this.#pool = new WorkerPool(options.workers, events.replaced, () => this.#dispatch());
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get busy(): number {
    return this.#pool.busy;
  }

  get places(): readonly Place[] {
    return this.#pool.places;
  }

  /**
   * The outputs of a task.
   *
   * @throws {RequestError} 503 where too many wait or its turn does not come, 504 where it takes too long, 422 for inputs
   *   that the model fails with
   */
  async run(task: Task): Promise<Tensors> {
    this.checkRoom();
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        ...{ task, request: null, group: groupOf(task), attempts: 0, resolve, reject },
        timer: setTimeout(() => this.#leave(waiting, this.#late()), this.options.timeout),
      };
      const gone = () => this.#leave(waiting, new RequestError(499, "Nobody waits for the answer any more."));
      task.signal.addEventListener("abort", gone, { once: true });
      this.#waiting.push(waiting);
      this.#dispatch();
    });
  }

  /** @throws {RequestError} 503 where too many wait */
  checkRoom(): void {
    if (this.#waiting.length < this.options.queue) return;
    const seconds = Math.ceil((this.#waiting.length * this.#meanSeconds) / this.options.workers);
    throw new RequestError(503, `${this.#waiting.length} requests wait already. Try again later.`, {
      "retry-after": String(Math.min(60, Math.max(1, seconds))),
    });
  }

  /** Asks some worker something that is no task. It comes from the server itself, so there are never too many. */
  ask<T>(request: Request): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        ...{ task: null, request, group: null, attempts: 0, timer: undefined },
        resolve,
        reject,
      });
      this.#dispatch();
    });
  }

  /** Releases a session in every worker that has opened it, when what waits for it is done. */
  async retire(key: string): Promise<void> {
    while (this.#waiting.some(({ task }) => task?.served.key === key)) await pause(50);
    this.#pool.release(key);
  }

  /** Waits for what was accepted, and ends the workers. */
  async close(): Promise<void> {
    while (this.#waiting.length > 0 || this.busy > 0) await pause(20);
    await this.#pool.close();
  }

  #leave(waiting: Waiting, error: RequestError): void {
    const index = this.#waiting.indexOf(waiting);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    clearTimeout(waiting.timer);
    waiting.reject(error);
  }

  #late(): RequestError {
    const seconds = this.options.timeout / 1000;
    return new RequestError(503, `Its turn did not come within ${seconds} s. Try again later.`, {
      "retry-after": "1",
    });
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const place = this.#pool.idle();
      if (place === undefined) return;
      void this.#start(place, this.#take());
    }
  }

  /** The first that waits, and those that can share its run. */
  #take(): Waiting[] {
    const first = this.#waiting.shift()!;
    const group = [first];
    let rows = first.task?.rows ?? 0;
    for (let i = 0; first.group !== null && i < this.#waiting.length; ) {
      const next = this.#waiting[i]!;
      if (next.group === first.group && rows + next.task!.rows! <= this.options.batch) {
        group.push(...this.#waiting.splice(i, 1));
        rows += next.task!.rows!;
      } else i++;
    }
    for (const { timer } of group) clearTimeout(timer);
    return group;
  }

  async #start(place: Place, group: readonly Waiting[]): Promise<void> {
    const { worker } = place;
    place.busy = true;
    const [first] = group as [Waiting];
    let isLate = false;
    const giveUp = () => {
      isLate = true;
      worker.end(`a run took more than ${this.options.timeout / 1000} s`);
    };
    let limit: NodeJS.Timeout | undefined;
    try {
      if (first.task !== null) {
        await openIn(worker, first.task.served);
        limit = setTimeout(giveUp, this.options.timeout);
        await this.#run(place, group);
      } else if (first.request !== null) {
        first.resolve((await worker.ask(first.request)) as never);
        if (first.request.kind === "open") worker.opened.add(first.request.key);
      }
    } catch (cause) {
      this.#failed(group, cause as Error, isLate);
    } finally {
      clearTimeout(limit);
      this.#pool.free(place, worker);
    }
  }

  async #run({ worker }: Place, group: readonly Waiting[]): Promise<void> {
    const tasks = group.map(({ task }) => task!);
    const started = performance.now();
    const results = await runTogether(worker, tasks);
    const seconds = (performance.now() - started) / 1000;
    this.#meanSeconds += 0.05 * (seconds / group.length - this.#meanSeconds);
    this.events.ran(tasks[0]!.served.key, tasks.length, sum(tasks.map(({ rows }) => rows)), seconds);
    for (const [i, { resolve }] of group.entries()) resolve(results[i] as never);
  }

  /** What failed together is tried again one by one: nobody is to suffer from what others ask. */
  #failed(group: readonly Waiting[], cause: Error, isLate: boolean): void {
    const ended = cause instanceof WorkerEndedError;
    for (const waiting of group) {
      const { task, reject } = waiting;
      const again = group.length > 1 || (ended && !isLate && ++waiting.attempts < attempts);
      if (again && task?.signal.aborted !== true) {
        waiting.group = null;
        this.#waiting.unshift(waiting);
      } else reject(task === null ? cause : this.#explained(cause, isLate));
    }
  }

  #explained(cause: Error, isLate: boolean): Error {
    if (isLate) {
      const seconds = this.options.timeout / 1000;
      return new RequestError(504, `It took more than ${seconds} s and was given up. Ask for less at once.`);
    }
    if (cause instanceof WorkerEndedError)
      return new RequestError(
        500,
        `${attempts} workers ended while they ran it; it may take more memory than there is.`,
      );
    if (cause instanceof SessionFailure)
      return new RequestError(422, `The model fails with these inputs: ${cause.message}`);
    return cause;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
