import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { jit, ortWasm, ortWebGpu } from "../../src/browser.js";
import { type Job, type Prepared, prepare, type Readiness, type Work } from "../../src/cli/bench/workload.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { tfjs } from "../../src/tfjs.js";

// The same in a page.

const open: Readonly<Record<string, () => Promise<Runtime>>> = {
  jit: async () => jit(),
  "ort-wasm": () => ortWasm({ wasmPaths: "/" }),
  "ort-webgpu": () => ortWebGpu({ wasmPaths: "/" }),
  "tfjs-cpu": () => tfjs({ backend: "cpu" }),
  "tfjs-wasm": () => tfjs({ backend: "wasm" }),
  "tfjs-webgl": () => tfjs({ backend: "webgl" }),
  "tfjs-webgpu": () => tfjs({ backend: "webgpu" }),
};

/** What the page is asked for from outside. */
export interface Bench {
  prepare(runtime: string, job: Job): Promise<Readiness>;
  time(work: Work, repeats: number): Promise<number>;
}

setWasmPaths("/");
let prepared: Prepared | null = null;
const bench: Bench = {
  async prepare(runtime, job) {
    prepared = await prepare(job, open[runtime]!);
    return prepared.readiness;
  },
  time: (work, repeats) => prepared!.time(work, repeats),
};
Object.assign(globalThis, { bench });
