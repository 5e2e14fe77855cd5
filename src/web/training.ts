import type { Runtime } from "../runtime/runtime.js";
import type { Checkpoint } from "../train/checkpoint.js";
import type { UpdateReport } from "../train/run.js";
import type { Ended, News, RuntimeName, TrainRequest } from "./messages.js";
import type { Subject } from "./subject.js";
import { ownTasks, taskSubject } from "./tasks.js";
import { trajectorySubject } from "./trajectories.js";

/** How often numbers are told, in ms. */
const tellEvery = 100;
/** How often charts are drawn, in ms, and at most a tenth of the time is spent on them. */
const drawEvery = 300;

/** A training that goes on from where it was. */
export interface Training {
  /** trains up to so many updates in all; where it fails on the way, what was reached before is kept, and told */
  run(steps: number, signal: AbortSignal): Promise<void>;
}

/** Prepares what is asked for, and tells of it. */
export async function openTraining(
  request: TrainRequest,
  open: (name: RuntimeName) => Promise<Runtime>,
  tell: (news: News) => void,
): Promise<Training> {
  const runtime = await open(request.runtime);
  // what is compiled in a moment serves best for what is run a few times
  const beside = await open("jit").catch(() => runtime);
  const task = request.data === null ? ownTasks.find(({ name }) => name === request.subject) : undefined;
  const subject: Subject =
    task === undefined
      ? await trajectorySubject(request, runtime, beside)
      : await taskSubject(task, request, runtime, beside);
  let reached: Checkpoint | null = null;
  tell({ kind: "begun", about: subject.about, kept: subject.kept });
  const end = async (
    checkpoint: Checkpoint,
    found: Pick<Ended, "how" | "kept" | "warnings" | "findings">,
  ) => {
    reached = checkpoint;
    tell({ kind: "charts", charts: await subject.charts(checkpoint) });
    const files = subject.files(checkpoint) as Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
    tell({ kind: "ended", step: checkpoint.step, files, ...found });
  };
  return {
    async run(steps, signal) {
      let latest: UpdateReport | null = null;
      const report = reporter(subject, steps, tell);
      try {
        const { checkpoint, stopped, ...found } = await subject.train({
          ...{ steps, resume: reached, signal },
          onUpdate(update) {
            latest = update;
            return report(update);
          },
          onNote: (message) => tell({ kind: "note", message }),
        });
        await end(checkpoint, { ...found, how: stopped ? "stopped" : "done" });
      } catch (cause) {
        const kept = await (latest as UpdateReport | null)?.checkpoint().catch(() => null);
        if (kept) await end(kept, { how: "failed", kept: subject.kept, warnings: [], findings: [] });
        throw cause;
      }
    },
  };
}

/** Tells numbers and charts now and then. */
function reporter(subject: Subject, steps: number, tell: (news: News) => void) {
  let told = Number.NEGATIVE_INFINITY;
  let drawn = Number.NEGATIVE_INFINITY;
  let pause = 0;
  return async (report: UpdateReport): Promise<void> => {
    const { step, loss, seconds, drift, reconstructionError } = report;
    const now = performance.now();
    if (now - told < tellEvery && step < steps) return;
    told = now;
    const progress = { step, steps, loss, secondsPerStep: seconds, drift, reconstructionError };
    tell({ kind: "progress", progress });
    if (now - drawn < Math.max(drawEvery, pause) || step === steps) return;
    tell({ kind: "charts", charts: await subject.charts(await report.checkpoint()) });
    drawn = performance.now();
    pause = 9 * (drawn - now);
  };
}
