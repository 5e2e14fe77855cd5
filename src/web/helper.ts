import type { News, Order } from "./messages.js";

/** A worker that does what the page asks for, and tells of it. */
export interface Helper {
  ask(order: Order): void;
}

export function openHelper(hear: (news: News) => void): Helper {
  const worker = new Worker(new URL("worker.js", document.baseURI), { type: "module" });
  worker.addEventListener("message", ({ data }: MessageEvent<News>) => hear(data));
  worker.addEventListener("error", ({ message }) => {
    hear({
      kind: "failed",
      of: "catalogue",
      name: "Error",
      message: message ?? "The worker cannot be loaded.",
    });
  });
  return { ask: (order) => worker.postMessage(order) };
}
