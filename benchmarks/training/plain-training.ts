import { setTimeout as sleep } from "node:timers/promises";
import { train } from "../../src/index.js";
import type { GradientTask } from "../gradient-task.js";
import type { RemoteContender, Sample } from "../measure.js";

/** Seconds of updates before any are timed: `train` may start threads, which join when they are ready. */
const settling = 5;

/** A run of the public `train` that does as many updates as it is asked for, and waits until it is asked again. */
export class PlainTraining implements RemoteContender {
  readonly #stop = new AbortController();
  readonly #result: ReturnType<typeof train>;
  /** updates that may still be done */
  #left = 0;
  #goOn: () => void = () => {};
  #done: () => void = () => {};

  private constructor(readonly task: GradientTask) {
    const { ode, fit, parameters } = task;
    const { times } = fit.grid;
    const data = { t0: times[0]!, times: [times.at(-1)!], y0: fit.y0, observations: fit.target };
    this.#result = train(ode, data, {
      ...{ steps: 1e6, parameters, check: false, signal: this.#stop.signal },
      onUpdate: () => this.#updated(),
    });
    // whoever waits for updates of a run that failed is told by `time`
    this.#result.catch(() => {});
  }

  static async begun(task: GradientTask): Promise<PlainTraining> {
    const run = new PlainTraining(task);
    const started = performance.now();
    while (performance.now() - started < settling * 1000) {
      await run.time(1);
      // threads say that they are ready to an event loop that turns
      await sleep(1);
    }
    return run;
  }

  get name(): string {
    return `revort ${this.task.ode.method.name}`;
  }

  async time(repeats: number): Promise<Sample> {
    const [started, busy] = [performance.now(), process.cpuUsage()];
    const done = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    this.#left = repeats;
    this.#goOn();
    await Promise.race([done, this.#result]);
    const { user, system } = process.cpuUsage(busy);
    return { clock: (performance.now() - started) / 1000, processor: (user + system) * 1e-6 };
  }

  /** Ends the run. @returns what it was */
  async end() {
    this.#stop.abort();
    this.#goOn();
    const { ran, gradient, losses } = await this.#result;
    const coupled = this.task.ode.method.coupling !== null;
    return {
      ...{ library: "revort", scheme: coupled ? "coupled" : "midpoint", gradient },
      ...{ variant: `${ran.runtime}, ${ran.parts} parts`, work: "update" },
      ...{ threads: ran.threads, loss: losses[0]! },
    };
  }

  async #updated(): Promise<void> {
    if (this.#left > 0) this.#left--;
    if (this.#left > 0 || this.#stop.signal.aborted) return;
    const more = new Promise<void>((resolve) => {
      this.#goOn = resolve;
    });
    this.#done();
    await more;
  }
}
