import { allowFusedMultiplyAdd } from "../../runtimes/relaxed-simd.js";
import { openRuntime, type RuntimeName } from "../runtimes.js";
import { type Job, type Prepared, prepare, type Work } from "./workload.js";

// A process of its own for a runtime: what it takes to load, and its memory, are its own. It answers one message after the other.

export type Order =
  | { readonly kind: "prepare"; readonly runtime: RuntimeName; readonly job: Job }
  | { readonly kind: "time"; readonly work: Work; readonly repeats: number };

allowFusedMultiplyAdd();
const before = process.memoryUsage.rss();
let prepared: Prepared | null = null;

async function obey(order: Order): Promise<unknown> {
  if (order.kind === "prepare") {
    prepared = await prepare(order.job, () => openRuntime(order.runtime));
    return prepared.readiness;
  }
  const busy = process.cpuUsage();
  const clock = await prepared!.time(order.work, order.repeats);
  const { user, system } = process.cpuUsage(busy);
  return {
    clock,
    processor: (user + system) * 1e-6,
    memoryMiB: (process.resourceUsage().maxRSS * 1024 - before) / 2 ** 20,
  };
}

process.on("message", (order: Order) => {
  obey(order).then(
    (result) => process.send!({ result }),
    (cause: Error) => process.send!({ failure: cause.message }),
  );
});
process.on("disconnect", () => process.exit());
process.send!({ result: "started" });
