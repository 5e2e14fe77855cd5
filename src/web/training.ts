import type { Runtime } from "../runtime/runtime.js";
import type { Checkpoint } from "../train/checkpoint.js";
import type { UpdateReport } from "../train/run.js";
import type { News, RuntimeName, TrainRequest } from "./messages.js";
import type { Subject } from "./subject.js";
import { ownTasks, taskSubject } from "./tasks.js";
import { trajectorySubject } from "./trajectories.js";

/** How often numbers are told, in ms. */
const tellEvery = 100;
/** How often charts are drawn, in ms, and at most a tenth of the time is spent on them. */
const drawEvery = 300;

/** A training that can be stopped, and goes on from where it was. */
export interface Training {
  /** trains up to so many updates in all */
  run(steps: number): Promise<void>;
  stop(): void;
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
  let stopping = new AbortController();
  tell({ kind: "begun", about: subject.about, kept: subject.kept });
  return {
    async run(steps) {
      stopping = new AbortController();
      const { checkpoint, stopped, warnings, findings } = await subject.train({
        ...{ steps, resume: reached, signal: stopping.signal },
        onUpdate: reporter(subject, steps, tell),
        onNote: (message) => tell({ kind: "note", message }),
      });
      reached = checkpoint;
      tell({ kind: "charts", charts: await subject.charts(checkpoint) });
      const files = subject.files(checkpoint) as Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
      tell({ kind: "ended", stopped, step: checkpoint.step, findings, warnings, files });
    },
    stop: () => stopping.abort(),
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
