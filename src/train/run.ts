import type { FloatDType, Tensor } from "../core/tensor.js";
import { type Branch, byPath } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import { isReconstructed } from "../gradients/reconstruction-limit.js";
import type { Schedule } from "../learning/schedules.js";
import { type Observation, observations } from "../programs/objective.js";
import { downloadTree, uploadTree } from "../runtime/compile-program.js";
import type { Runtime } from "../runtime/runtime.js";
import { yieldToEventLoop } from "../runtime/yielding.js";
import type { Best, Checkpoint, Measures, Validation } from "./checkpoint.js";
import { Course, type Step } from "./course.js";
import { Pace } from "./pace.js";
import type { Scheme } from "./scheme.js";
import type { Source } from "./source.js";
import type { Start } from "./start.js";
import type { Standing, Updated } from "./updater.js";

/** Why there is no next update. */
export type Stopped = "done" | "aborted" | "patience" | "exhausted";

/** What is known after an update. */
export interface UpdateReport extends Readonly<Record<Observation, number | null>> {
  /** updates done, from 1 */
  readonly step: number;
  /** loss before this update */
  readonly loss: number;
  /** ‖g‖ over everything trained, before clipping */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** how far states came back from where they were, relative to y; `null` where steps are not undone */
  readonly reconstructionError: number | null;
  /** how far the companion of y was off, relative to y; `null` for a method without one */
  readonly drift: number | null;
  /** how far fixed points in a model were from being ones, relative to f(z); `null` where there can be none */
  readonly residual: number | null;
  /** time of this update; the mean of those that were done in one run */
  readonly seconds: number;
  /**
   * The whole state of the run at this point. It copies from the device, and does the updates before this one again
   * where they were done in one run with later ones, so ask for it only where it is needed.
   */
  readonly checkpoint: () => Promise<Checkpoint>;
}

/** Data that are not trained on, measured now and then. */
export interface Validating {
  /** updates from one measurement to the next */
  readonly every: number;
  readonly measure: (standing: Standing) => Promise<Measures>;
  readonly onValidation: ((validation: Validation) => void | Promise<void>) | undefined;
}

export interface RunOptions {
  readonly runtime: Runtime;
  readonly dtype: FloatDType;
  readonly source: Source;
  /** before the schedule */
  readonly learningRate: number;
  readonly schedule: Schedule;
  /** number of updates in all, those before a resumption included */
  readonly steps: number;
  /** stop when the loss (of the validation data, where there are any) has not fallen for so many updates (or validations) */
  readonly patience: number | undefined;
  readonly validating: Validating | null;
  readonly signal: AbortSignal | undefined;
  readonly updatesPerRun: number | undefined;
  readonly onUpdate: ((report: UpdateReport) => void | Promise<void>) | undefined;
  /** what a checkpoint keeps beside what every run has */
  readonly keeps: () => Partial<Checkpoint>;
}

/** Updates of an objective, from where they start to where they stop. */
export class Run {
  readonly #options: RunOptions;
  readonly #scheme: Scheme;
  readonly #course: Course;
  readonly #pace: Pace;
  readonly losses: number[];
  readonly validations: Validation[];
  /** where the loss of the validation data was lowest */
  #best: Best | null;
  #step: number;
  #seconds: number;
  /** drawn, and not done yet */
  readonly #drawn: Omit<Step, "learningRate">[] = [];

  constructor(scheme: Scheme, { resume, ...start }: Start, options: RunOptions) {
    const { runtime, source } = options;
    const updatesPerRun = options.updatesPerRun ?? (runtime.writesLoopsOut ? 1 : undefined);
    this.#options = options;
    this.#scheme = scheme;
    const { updater } = scheme;
    const lowest = resume === undefined || options.validating !== null ? undefined : resume.best;
    this.#course = new Course(
      updater,
      uploadTree(runtime, start) as unknown as Standing,
      lowest ?? { step: 0, loss: Number.POSITIVE_INFINITY },
      source.state(),
    );
    this.#pace = new Pace(Math.min(updater.most, updatesPerRun ?? updater.most));
    this.losses = [...(resume?.losses ?? [])];
    this.validations = [...(resume?.validations ?? [])];
    this.#best = options.validating === null ? null : (resume?.best ?? null);
    this.#step = resume?.step ?? 0;
    this.#seconds = resume?.seconds ?? 0;
  }

  get seconds(): number {
    return this.#seconds;
  }

  /** What updates change, as it is now. */
  standing(): Promise<Standing> {
    return this.#course.standing();
  }

  /** Does updates until there is no next one. */
  async toEnd(): Promise<Stopped> {
    const rest = yieldToEventLoop();
    try {
      let stopped = this.#stop();
      if (stopped === null) await this.#validateWhereDue();
      while (stopped === null) {
        const started = performance.now();
        await this.#lookWhereDue();
        const plan = await this.#plan();
        stopped = plan.length === 0 ? "exhausted" : await this.#do(plan, started);
        if (stopped === null) await this.#validateWhereDue();
        await rest(this.#options.signal);
        stopped ??= this.#stop();
      }
      return stopped;
    } catch (error) {
      // whoever has the last report may still ask for its checkpoint
      await this.#course.standing().catch(() => undefined);
      throw error;
    } finally {
      await this.#options.source.close?.();
    }
  }

  /** The next updates, as many as one run is to do. */
  async #plan(): Promise<Step[]> {
    const { steps, source, learningRate, schedule, validating } = this.#options;
    const step = this.#step;
    const toNext = (every: number | undefined) => (every === undefined ? Infinity : every - (step % every));
    const length = Math.min(
      ...[this.#pace.next, steps - step, this.#scheme.looks?.toNext(step) ?? Infinity],
      ...[toNext(validating?.every), toNext(schedule.every)],
    );
    const drawn = this.#drawn;
    while (drawn.length < length) {
      // what is there needs no turn of the event loop: updates may take microseconds
      const next = source.next();
      const batch = next instanceof Promise ? await next : next;
      if (batch === null) break;
      const { which, data } = batch;
      const count = step + drawn.length + 1;
      drawn.push({ which, count, sampler: source.state(), ...(data === undefined ? {} : { data }) });
    }
    // those of the run that this one goes on from say nothing of this one, if it has none itself
    const seen = { losses: this.losses, validations: validating === null ? [] : this.validations };
    return drawn.slice(0, length).map((one, i) => ({
      ...one,
      learningRate: learningRate * schedule.factor(step + i, seen),
    }));
  }

  /** Does planned updates in one run, and counts those that are of use. @returns why there is no next one */
  async #do(plan: readonly Step[], started: number): Promise<Stopped | null> {
    const course = this.#course;
    const updated = await course.run(plan);
    const elapsed = (performance.now() - started) / 1000;
    let stopped: Stopped | null = null;
    for (const [i, planned] of plan.entries()) {
      const loss = updated.losses[i]!;
      if (!Number.isFinite(loss)) throw await this.#failure("whyLossNotFinite", planned, loss);
      const error = updated.observed.reconstructionError?.[i];
      if (error !== undefined && !isReconstructed(error, this.#options.dtype)) {
        this.#seconds += (elapsed / plan.length) * (plan.length - i);
        await course.goOnBy(async () => {
          await this.#scheme.refresh(error, this.#step);
          return this.#scheme.updater;
        });
        break;
      }
      if (!Number.isFinite(updated.gradientNorms[i])) {
        throw await this.#failure("whyGradientNotFinite", planned, loss);
      }
      this.#count(i, updated, elapsed / plan.length);
      const { onUpdate } = this.#options;
      if (onUpdate !== undefined) await onUpdate(this.#report(i, planned, updated, elapsed / plan.length));
      stopped = this.#stop();
      if (stopped !== null) break;
    }
    this.#pace.ran(plan.length, elapsed, course.looked);
    return stopped;
  }

  /** Counts the i-th update of a run. */
  #count(i: number, updated: Updated, seconds: number): void {
    const drift = updated.observed.drift?.[i];
    if (drift !== undefined) this.#scheme.sees?.(this.#step + 1, drift);
    const loss = updated.losses[i]!;
    this.#course.advance(this.#step, loss);
    this.#drawn.shift();
    this.losses.push(loss);
    this.#step += 1;
    this.#seconds += seconds;
  }

  /** What is to be known of the i-th update of a run, which counts. */
  #report(i: number, { learningRate }: Step, updated: Updated, seconds: number): UpdateReport {
    return {
      ...{
        step: this.#step,
        loss: updated.losses[i]!,
        gradientNorm: updated.gradientNorms[i]!,
        learningRate,
      },
      ...observedAt(updated, i),
      ...{ seconds, checkpoint: () => this.checkpoint() },
    };
  }

  async #failure(
    why: "whyLossNotFinite" | "whyGradientNotFinite",
    planned: Step,
    loss: number,
  ): Promise<Error> {
    const failed = { planned, loss, standing: await this.#course.standing() };
    const failure = await this.#scheme[why](failed, this.#step);
    failure.message = `At update ${this.#step + 1}: ${failure.message}`;
    return failure;
  }

  async #lookWhereDue(): Promise<void> {
    const { looks } = this.#scheme;
    if (looks?.isDue(this.#step) !== true) return;
    const standing = await this.#course.standing();
    await this.#course.goOnBy(async () => {
      await looks.look(standing, this.#step);
      return this.#scheme.updater;
    });
  }

  async #validateWhereDue(): Promise<void> {
    const { validating } = this.#options;
    if (validating !== null && this.#step % validating.every === 0) await this.validate();
  }

  /** Measures the validation data, unless that was done after the last update already. */
  async validate(): Promise<void> {
    const { validating } = this.#options;
    if (validating === null || this.validations.at(-1)?.step === this.#step) return;
    const standing = await this.#course.standing();
    const found = { step: this.#step, ...(await validating.measure(standing)) };
    if (isLower(found.loss, this.#lowest()?.loss ?? Number.NaN)) {
      const { trained, buffers } = standing;
      this.#best = {
        ...{ step: this.#step, loss: found.loss },
        ...{ trained: await this.#fetched(trained), buffers: await this.#fetched(buffers) },
      };
    }
    this.validations.push(found);
    await validating.onValidation?.(found);
  }

  #lowest(): Validation | null {
    return this.validations.reduce<Validation | null>(
      (low, one) => (low === null || isLower(one.loss, low.loss) ? one : low),
      null,
    );
  }

  /** Why there is no next update, where there is none. */
  #stop(): Stopped | null {
    const { steps, signal, patience, validating } = this.#options;
    if (this.#step >= steps) return "done";
    if (signal?.aborted) return "aborted";
    if (patience === undefined) return null;
    if (validating === null) return this.#step - this.#course.lowest.step > patience ? "patience" : null;
    const lowest = this.#lowest();
    if (lowest === null) return null;
    return this.validations.length - 1 - this.validations.indexOf(lowest) >= patience ? "patience" : null;
  }

  /** The whole state of the run. */
  async checkpoint(): Promise<Checkpoint> {
    const { trained, buffers, memory, best } = await this.#course.standing();
    const now = await this.#fetched(trained);
    const kept = await this.#fetched(buffers);
    return {
      step: this.#step,
      trained: now,
      ...(Object.keys(kept).length === 0 ? {} : { buffers: kept }),
      memory: await this.#fetched(memory, "memory"),
      sampler: this.#course.sampler,
      losses: [...this.losses],
      best: this.#best ??
        (await this.#kept(best)) ?? { step: this.#step, loss: Number.POSITIVE_INFINITY, trained: now },
      ...(this.#options.validating === null ? {} : { validations: [...this.validations] }),
      seconds: this.#seconds,
      ...this.#options.keeps(),
    };
  }

  /** The best that updates keep, where they do. */
  async #kept(best: Branch): Promise<Best | null> {
    if (Object.keys(best).length === 0) return null;
    return { ...this.#course.lowest, trained: await this.#fetched(best) };
  }

  async #fetched(tree: Branch, root?: string): Promise<Tensors> {
    return byPath<Tensor>(await downloadTree(this.#options.runtime, tree), root);
  }
}

/** Whether a loss is lower than another; any number is lower than what is none, as that of an empty mask. */
function isLower(loss: number, than: number): boolean {
  return !Number.isNaN(loss) && !(loss >= than);
}

/** What the i-th update of a run saw of itself. */
function observedAt({ observed }: Updated, i: number): Readonly<Record<Observation, number | null>> {
  const names = Object.keys(observations) as Observation[];
  const entries = names.map((name) => [name, observed[name]?.[i] ?? null] as const);
  return Object.fromEntries(entries) as Record<Observation, number | null>;
}
