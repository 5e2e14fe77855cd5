import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../src/core/random.js";
import { tensor } from "../../src/core/tensor.js";
import { encodeField } from "../../src/deploy/field-file.js";
import type { VectorField } from "../../src/fields/field.js";
import { initialParameters } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { Builder } from "../../src/graph/builder.js";
import { encode } from "../../src/graph/encode.js";
import type { Value } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { methodNamed } from "../../src/methods/named.js";
import { mul, neg, sub } from "../../src/ops/arithmetic.js";
import { matmul } from "../../src/ops/linalg.js";
import { reduceMean } from "../../src/ops/reduce.js";
import { concat, split } from "../../src/ops/slicing.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { loopOver } from "../../src/programs/loop-over.js";
import type { ServeOptions } from "../../src/serve/options.js";
import { type Server, startServer } from "../../src/serve/server.js";

// A server in this process on a folder of small models, and what is sent to it.

export const usual: ServeOptions = {
  ...{ host: "127.0.0.1", port: 0, token: null, workers: 2, queue: 64, timeout: 20 },
  ...{ body: 2 ** 22, batch: 64, look: 3600, logLevel: "silent" },
};

export interface Served extends Server {
  readonly folder: string;
  /** sends JSON, or bytes, or nothing */
  send(path: string, body?: unknown, more?: RequestInit): Promise<Got>;
}

export interface Got {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: what comes is checked by the tests that read it
  readonly json: any;
}

/** Serves files, by their names in a folder of their own. */
export async function serving(
  files: Readonly<Record<string, Uint8Array>>,
  options: Partial<ServeOptions> = {},
): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), "revort-serve-"));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  const server = await startServer(folder, { ...usual, ...options }, () => {});
  return {
    get models() {
      return server.models;
    },
    ...{ url: server.url, scheduler: server.scheduler, folder, look: () => server.look() },
    send: (path, body, more) => send(`${server.url}${path}`, body, more),
    async close() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function send(url: string, body: unknown, more: RequestInit = {}): Promise<Got> {
  const asked: RequestInit =
    body === undefined
      ? {}
      : {
          method: "POST",
          body: body instanceof Uint8Array ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body),
        };
  const response = await fetch(url, { ...asked, ...more });
  const bytes = Buffer.from(await response.arrayBuffer());
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, bytes, json };
}

/** dy/dt = (y₁, −ω² y₀) in float64, of which the solution is known; ω² is a parameter, 1 in the file. */
export function oscillator(): Uint8Array {
  const field: VectorField = {
    name: "oscillator",
    state: ["batch", 2],
    parameters: { stiffness: { shape: [], initial: () => [1] } },
    apply(b, { stiffness }, _t, y) {
      const [place, speed] = split(b, y, 1, [1, 1]);
      return concat(b, [speed!, neg(b, mul(b, place!, stiffness!))], 1);
    },
  };
  const ode = neuralOde({ field, method: methodNamed("rk4"), stepSize: 0.01, dtype: "float64" });
  return encodeField(ode, { stiffness: tensor("float64", [], [1]) });
}

/** A perceptron as a field, 3-16-3, of which the parameters are drawn from a seed. */
export function perceptron(dtype: "float32" | "float64"): Uint8Array {
  const field = mlp({ dim: 3, hidden: [16] });
  const ode = neuralOde({ field, method: methodNamed("midpoint"), stepSize: 0.05, dtype });
  return encodeField(ode, initialParameters(field, Random.seeded(3), dtype));
}

/** y = tanh(x W), 5 → 7, of rows each by itself. */
export function layer(): Uint8Array {
  const random = Random.seeded(2);
  const weights = tensor(
    "float32",
    [5, 7],
    Array.from({ length: 35 }, () => random.normal()),
  );
  return graphOf((b, x) => tanh(b, matmul(b, x, b.constant(weights))));
}

/** x less its mean over the batch: every row sees the others. */
export function centred(): Uint8Array {
  return graphOf((b, x) => sub(b, x, reduceMean(b, x, [0])));
}

function graphOf(build: (b: Builder, x: Value) => Value): Uint8Array {
  const b = new Builder();
  const x = b.input("x", "float32", ["batch", 5]);
  return encode(b.graph({ y: build(b, x) }, "model"));
}

/** Goes round as often as it is told, some 20 000 times in a second: for what takes long. */
export function slow(): Uint8Array {
  const b = new Builder();
  const x = b.input("x", "float32", [64, 64]);
  const trips = b.input("trips", "int64", []);
  const { carried } = loopOver(b, { trips, carried: { x } }, (inner, before) => ({
    carried: { x: tanh(inner, matmul(inner, before.x, before.x)) },
  }));
  return encode(b.graph({ y: carried.x }, "slow"));
}

/** A request for `slow`. */
export const rounds = (trips: number) => ({
  inputs: [
    { name: "x", shape: [64, 64], datatype: "FP32", data: new Array(4096).fill(0.01) },
    { name: "trips", shape: [], datatype: "INT64", data: [trips] },
  ],
  outputs: [{ name: "y", parameters: { binary_data: true } }],
});

/** A request for `layer` or `centred`. */
export const rowsAsked = (rows: readonly (readonly number[])[]) => ({
  inputs: [{ name: "x", shape: [rows.length, 5], datatype: "FP32", data: rows.flat() }],
  outputs: [{ name: "y" }],
});

/** Occupies a worker for about so long: how many rounds that are is measured first, on each of two workers. */
export async function occupation(served: Served): Promise<(milliseconds: number) => Promise<Got>> {
  const ask = (trips: number) => served.send("/v2/models/slow/infer", rounds(trips));
  await Promise.all([ask(100), ask(100)]);
  const started = performance.now();
  await Promise.all([ask(1000), ask(1000)]);
  const each = (performance.now() - started) / 1000;
  return (milliseconds) => ask(Math.ceil(milliseconds / each));
}

/** The beginning of a request that is written by hand. */
export const requestHead = "POST /v2/models/layer/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";

/** What comes back over a connection of its own for text that is sent piece by piece. */
export function raw(url: string, ...pieces: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
    socket.on("connect", async () => {
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise((sent) => setTimeout(sent, 20));
      }
    });
  });
}
