/** The runtimes that a thread can be started with. */
export type ThreadedRuntime = "ort-cpu" | "jit" | "auto";
