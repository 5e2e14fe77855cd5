/**
 * A server under load for a while: is every answer right, how long does it take, and does its memory grow?
 *
 *   npx tsx benchmarks/serving.ts [--seconds 60] [--clients 16] [--json] [--save]
 *
 * Clients in this process ask one after the other, each for one thing at a time, over loopback: inference of one row, solves of
 * equal steps (which share runs), solves of chosen steps, and requests that are wrong. Every answer is held against the one
 * that the same request had alone, to the byte. Memory is that of the server and its workers, once a second.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { autoNode } from "../src/runtimes/auto-node.js";
import { layer, oscillator, perceptron, rowsAsked } from "../test/serve/served.js";
import { conclude, readOptions, say } from "./conclude.js";
import { provenance, table } from "./measure.js";
import { memoryOf } from "./memory.js";
import { target } from "./result.js";

const options = readOptions({ seconds: "60", clients: "16" });
const [seconds, clients] = [Number(options.seconds), Number(options.clients)];

const folder = mkdtempSync(join(tmpdir(), "revort-serving-"));
const files = { "layer.onnx": layer(), "oscillator.onnx": oscillator(), "mlp.onnx": perceptron("float32") };
for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
const script = join(import.meta.dirname, "..", "scripts", "serve.ts");
const server = spawn(
  process.execPath,
  ["--import", import.meta.resolve("tsx"), script, folder, "--port", "0", "--json", "--log-level", "warn"],
  { stdio: ["ignore", "pipe", "inherit"] },
);
const [said] = (await once(server.stdout, "data")) as [Buffer];
const { url } = JSON.parse(said.toString()) as { url: string };

interface Kind {
  readonly name: string;
  readonly path: string;
  readonly body: string;
  readonly status: number;
}

const kinds: readonly Kind[] = [
  { name: "inference", path: "layer/infer", body: JSON.stringify(rowsAsked([[1, 2, 3, 4, 5]])), status: 200 },
  {
    ...{ name: "solve, equal steps", path: "mlp/solve", status: 200 },
    body: JSON.stringify({ y0: [0.1, -0.2, 0.3], t1: 2, saveAt: [1, 2] }),
  },
  {
    ...{ name: "solve, chosen steps", path: "oscillator/solve", status: 200 },
    body: JSON.stringify({ y0: [1, 0], saveAt: [5, 10], rtol: 1e-6 }),
  },
  { name: "wrong request", path: "layer/infer", body: '{"inputs": [', status: 400 },
];

async function ask({ path, body }: Kind): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}/v2/models/${path}`, { method: "POST", body });
  return { status: response.status, text: await response.text() };
}

const expected = new Map<Kind, string>();
for (const kind of kinds) expected.set(kind, (await ask(kind)).text);
const latencies = new Map(kinds.map((kind) => [kind, [] as number[]]));
const wrong = new Map(kinds.map((kind) => [kind, 0]));
const memory: number[] = [];

const started = performance.now();
const end = started + seconds * 1000;
async function client(first: number): Promise<void> {
  for (let i = first; performance.now() < end; i++) {
    const kind = kinds[i % kinds.length]!;
    const begun = performance.now();
    const { status, text } = await ask(kind).catch((cause) => ({ status: 0, text: String(cause) }));
    latencies.get(kind)!.push(performance.now() - begun);
    if (status === kind.status && text === expected.get(kind)) continue;
    wrong.set(kind, wrong.get(kind)! + 1);
    if (wrong.get(kind) === 1) say(`${kind.name}: ${status} ${text.slice(0, 200)}`);
  }
}
const sampling = setInterval(() => {
  const taken = memoryOf(server.pid!);
  if (taken !== null) memory.push(taken);
  const done = (performance.now() - started) / 1000;
  if (Math.round(done) % 10 === 0)
    say(`${done.toFixed(0)} of ${seconds} s, ${memory.at(-1)?.toFixed(0) ?? "?"} MiB`);
}, 1000);
await Promise.all(Array.from({ length: clients }, (_, i) => client(i)));
clearInterval(sampling);
const metrics = await (await fetch(`${url}/metrics`)).text();
server.kill("SIGTERM");
const [code] = (await once(server, "exit")) as [number | null];
rmSync(folder, { recursive: true, force: true });

const at = (sorted: readonly number[], share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
const rows = kinds.map((kind) => {
  const sorted = latencies.get(kind)!.sort((a, b) => a - b);
  return {
    ...{ request: kind.name, count: sorted.length, wrong: wrong.get(kind)! },
    ...{ median: at(sorted, 0.5), p99: at(sorted, 0.99), most: at(sorted, 1) },
  };
});
const bad = rows.reduce((sum, row) => sum + row.wrong, 0);
const shared = /revort_run_requests_sum\{model="mlp"\} (\d+)/.exec(metrics);
const runs = /revort_run_requests_count\{model="mlp"\} (\d+)/.exec(metrics);
// the first fifth warms up: sessions are opened, heaps grow to their size
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
const [early, late] = [
  memory.slice(memory.length / 5, (2 * memory.length) / 5),
  memory.slice((-memory.length / 5) | 0),
];
const growth = memory.length < 20 ? null : median(late) / median(early);
await conclude(
  {
    ...{ benchmark: "serving", ...provenance([await autoNode()]) },
    settings: {
      ...{ seconds, clients, requestsPerRun: shared && runs ? Number(shared[1]) / Number(runs[1]) : null },
      ...{ memoryMiB: median(late) },
    },
    rows,
    failures: [
      ...(bad > 0 ? [`${bad} answers were not as they should be`] : []),
      ...(code === 0 ? [] : [`the server ended with ${code}`]),
    ],
    targets:
      growth === null
        ? []
        : [
            target(
              {
                name: "serving/memory",
                what: "a server under load: its memory at the end over that when it had warmed up",
                wanted: { atMost: 1.1 },
              },
              growth,
              `medians over a fifth of ${seconds} s each, of the server and its workers`,
            ),
          ],
  },
  options,
  {
    text: `Milliseconds, ${clients} clients for ${seconds} s\n\n${table(
      ["request", "count", "wrong", "median", "p99", "most"],
      rows.map((row) => [
        ...[row.request, String(row.count), String(row.wrong)],
        ...[row.median, row.p99, row.most].map((value) => value.toFixed(1)),
      ]),
    )}`,
  },
);
process.exitCode = bad > 0 ? 1 : 0;
