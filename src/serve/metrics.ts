import type * as Prometheus from "prom-client";
import type { Scheduler } from "./scheduler.js";

/** What a server counts, as Prometheus reads it. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  /** @param model  "" where none is meant, or none that there is */
  answered(model: string, route: string, status: number, seconds: number): void;
  ran(model: string, requests: number, rows: number, seconds: number): void;
  replaced(): void;
}

/** Metrics of one server, in a registry of its own. */
export function metricsOf(
  {
    Registry,
    Counter,
    Gauge,
    Histogram,
    collectDefaultMetrics,
  }: Pick<typeof Prometheus, "Registry" | "Counter" | "Gauge" | "Histogram" | "collectDefaultMetrics">,
  scheduler: () => Pick<Scheduler, "waiting" | "busy">,
  models: () => number,
): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
  const requests = new Counter({
    ...{ name: "revort_requests_total", help: "Requests that were answered", registers },
    labelNames: ["model", "route", "status"] as const,
  });
  const durations = new Histogram({
    ...{ name: "revort_request_seconds", help: "From a request to its answer", registers, buckets },
    labelNames: ["model", "route"] as const,
  });
  const runs = new Histogram({
    ...{ name: "revort_run_seconds", help: "Runs of sessions", registers, buckets },
    labelNames: ["model"] as const,
  });
  const shared = new Histogram({
    ...{ name: "revort_run_requests", help: "Requests that went through one run", registers },
    ...{ labelNames: ["model"] as const, buckets: [1, 2, 4, 8, 16, 32, 64, 128] },
  });
  const samples = new Counter({
    ...{ name: "revort_samples_total", help: "Rows that were computed", registers },
    labelNames: ["model"] as const,
  });
  const replaced = new Counter({
    name: "revort_workers_replaced_total",
    help: "Workers that ended",
    registers,
  });
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(value());
      },
    });
  gauge("revort_requests_waiting", "Requests that wait for a worker", () => scheduler().waiting);
  gauge("revort_workers_busy", "Workers that run something", () => scheduler().busy);
  gauge("revort_models", "Models that answer", models);
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    answered(model, route, status, seconds) {
      requests.inc({ model, route, status: String(status) });
      durations.observe({ model, route }, seconds);
    },
    ran(model, count, rows, seconds) {
      runs.observe({ model }, seconds);
      shared.observe({ model }, count);
      samples.inc({ model }, rows);
    },
    replaced: () => replaced.inc(),
  };
}
