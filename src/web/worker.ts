import type { Runtime } from "../runtime/runtime.js";
import { benchmark } from "./benchmark.js";
import { catalogue } from "./catalogue.js";
import type { News, Order, RuntimeName } from "./messages.js";
import { openRuntime } from "./runtimes.js";
import { openTraining, type Training } from "./training.js";

/** What is used of a worker's global scope. */
interface Scope {
  postMessage(news: News): void;
  addEventListener(type: "message", listener: (event: { readonly data: Order }) => void): void;
}

/** Does what the page asks for. */
function serve(scope: Scope): void {
  const opened = new Map<RuntimeName, Promise<Runtime>>();
  let training: Training | null = null;
  // of what is trained now, from the order on: what is still being prepared is not begun
  let stopping = new AbortController();
  const open = (name: RuntimeName): Promise<Runtime> => {
    const runtime = opened.get(name) ?? openRuntime(name);
    opened.set(name, runtime);
    // one that could not be opened may be asked for again
    runtime.catch(() => opened.delete(name));
    return runtime;
  };
  const tell = (news: News) => scope.postMessage(news);
  const obey = async (order: Order): Promise<void> => {
    switch (order.kind) {
      case "catalogue":
        return tell({ kind: "catalogue", catalogue: await catalogue() });
      case "train":
        training = null;
        stopping = new AbortController();
        training = await openTraining(order.request, open, tell);
        return training.run(order.request.steps, stopping.signal);
      case "resume":
        stopping = new AbortController();
        return training?.run(order.steps, stopping.signal);
      case "stop":
        return stopping.abort();
      case "benchmark":
        for await (const timing of benchmark(order.runtimes, openRuntime)) tell({ kind: "timing", timing });
        return tell({ kind: "timed" });
    }
  };
  scope.addEventListener("message", ({ data }) => {
    obey(data).catch((cause: Error) => {
      tell({ kind: "failed", of: data.kind, name: cause.name, message: cause.message });
    });
  });
}

serve(globalThis as unknown as Scope);
