import type { ThreadRuntime, Threads } from "../runtime/threads.js";
import { batchCostOf, prices, sizesOf, workOf } from "./cost.js";
import type { ThreadedRuntime } from "./threaded-runtime.js";

/** What the runtimes that threads can be started with choose from. */
const choices: Readonly<Record<ThreadedRuntime, readonly (keyof typeof prices)[]>> = {
  "ort-cpu": ["ort-cpu"],
  jit: ["jit"],
  auto: ["jit", "ort-cpu"],
};

export interface ThreadsOptions extends Pick<Threads, "most" | "worth" | "required"> {
  /** starts one */
  readonly open: (runtime: ThreadedRuntime) => Promise<ThreadRuntime>;
}

/** Threads that are started when they are asked for, and kept until all are closed. */
export function threadsBy({ open, ...about }: ThreadsOptions): Threads {
  const started = new Map<string, Promise<ThreadRuntime>[]>();
  return {
    ...about,
    costsOf(graph, given, runtime) {
      if (!Object.hasOwn(choices, runtime)) return [];
      const sizes = sizesOf(graph, given);
      // the loop over updates is one of which nothing is known
      const work = workOf(graph, sizes, { trips: 1, given });
      return choices[runtime as ThreadedRuntime].map((name) => batchCostOf(work, prices[name]));
    },
    async start(runtime, count) {
      const own = started.get(runtime) ?? [];
      started.set(runtime, own);
      while (own.length < count) own.push(open(runtime as ThreadedRuntime));
      return Promise.all(own.slice(0, count));
    },
    async close() {
      const all = [...started.values()].flat();
      started.clear();
      for (const one of await Promise.allSettled(all)) {
        if (one.status === "fulfilled") await one.value.close();
      }
    },
  };
}

/** This thread alone, where work is split as it is where there are more. */
export function oneThread(): Threads {
  return threadsBy({
    ...{ most: 1, worth: 0, required: false },
    open: () => {
      throw new Error("There is one thread.");
    },
  });
}
