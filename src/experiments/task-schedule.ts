import { constant, cosine, type Schedule } from "../learning/schedules.js";

/** The schedule of a learning rate over so many updates. */
export type ScheduleOver = (steps: number) => Schedule;

/** Schedules that a protocol, or `--schedule`, can name. */
export const taskSchedules = {
  constant: () => constant(),
  /** grows in the first twentieth of the updates, and falls to 0 at the last */
  cosine: (steps: number) => cosine({ steps: Math.max(1, steps), warmup: Math.floor(steps / 20) }),
} as const satisfies Readonly<Record<string, ScheduleOver>>;
export type TaskScheduleName = keyof typeof taskSchedules;

/** What a protocol names, else what the experiment has by itself; nothing where the rate is constant. */
export function taskScheduleOf(
  { schedule: own }: { readonly schedule?: ScheduleOver },
  { schedule: named = null }: { readonly schedule?: TaskScheduleName | null },
): ScheduleOver | undefined {
  return named === null ? own : taskSchedules[named];
}
