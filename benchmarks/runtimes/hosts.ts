import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { forBrowsers } from "../../scripts/web/bundle.js";
import { type RuntimeName, runtimeNames } from "../../src/cli/runtimes.js";
import { gpuInSoftware, openChromium, site } from "../../test/browser/site.js";
import type { Sample } from "../measure.js";
import { childrenOf, memoryOf } from "../memory.js";
import type { Order } from "./host.js";
import type { Bench } from "./page.js";
import type { Job, Readiness, Work } from "./workload.js";

/** A place of its own in which a runtime does a job. */
export interface Host {
  readonly readiness: Readiness;
  time(work: Work, repeats: number): Promise<Sample>;
  /** mebibytes that it takes more than before the runtime was opened; `null` where the system does not tell */
  memory(): number | null;
  close(): Promise<void>;
}

const inPage = ["jit", "ort-wasm", "ort-webgpu", "tfjs-cpu", "tfjs-wasm", "tfjs-webgl", "tfjs-webgpu"];

/** All that can be compared: runtimes in Node, and those of a page in Chromium, `page/…`. */
export const hostNames: readonly string[] = [
  ...runtimeNames.filter((name) => name !== "auto" && !/^tfjs-webg/.test(name)),
  ...inPage.map((name) => `page/${name}`),
];

/** Opens hosts by their names; it fails with the reason where a runtime does not work here. */
export function hosts(): (name: string, job: Job) => Promise<Host> {
  let files: ReturnType<typeof pageFiles> | null = null;
  return async (name, job) => {
    if (!name.startsWith("page/")) return processHost(name as RuntimeName, job);
    files ??= pageFiles();
    return pageHost(name.slice(5), job, await files);
  };
}

async function processHost(runtime: RuntimeName, job: Job): Promise<Host> {
  const child = fork(join(import.meta.dirname, "host.ts"), [], {
    // import.meta.resolve is not there where mocha loads this
    execArgv: ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const ended = once(child, "exit").then(([code, signal]): never => {
    throw new Error(`its process ended with ${signal ?? code}`);
  });
  ended.catch(() => {});
  const ask = async <T>(order: Order): Promise<T> => {
    child.send(order);
    return Promise.race([answerOf<T>(child), ended]);
  };
  await Promise.race([answerOf(child), ended]);
  let memoryMiB: number | null = null;
  try {
    const readiness = await ask<Readiness>({ kind: "prepare", runtime, job });
    return {
      readiness,
      async time(work, repeats) {
        const found = await ask<Sample & { memoryMiB: number }>({ kind: "time", work, repeats });
        memoryMiB = found.memoryMiB;
        return found;
      },
      memory: () => memoryMiB,
      close: async () => void child.kill(),
    };
  } catch (cause) {
    child.kill();
    throw cause;
  }
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const [{ result, failure }] = (await once(child, "message")) as [{ result: T; failure?: string }];
  if (failure !== undefined) throw new Error(failure);
  return result;
}

/** Flags with which Chromium has what a runtime needs, in software where there is no GPU. */
function flagsFor(runtime: string): readonly string[] {
  if (runtime.endsWith("webgpu")) return gpuInSoftware;
  if (runtime.endsWith("webgl"))
    return ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];
  return ["--disable-gpu"];
}

async function pageHost(runtime: string, job: Job, files: PageFiles): Promise<Host> {
  if (!inPage.includes(runtime)) throw new Error(`there is no ${runtime} in a page`);
  const others = childrenOf(process.pid);
  const browser = await openChromium(flagsFor(runtime));
  const own = childrenOf(process.pid).filter((pid) => !others.includes(pid));
  if ("reason" in browser) throw new Error(browser.reason);
  const served = await site(files);
  const close = async () => {
    await browser.close();
    await served.close();
  };
  try {
    const page = await browser.newPage();
    await page.goto(served.url);
    await page.waitForFunction("globalThis.bench !== undefined");
    const before = memoryOf(own);
    const readiness = await page.evaluate(
      ([name, given]) => (globalThis as unknown as { bench: Bench }).bench.prepare(name, given),
      [runtime, job] as const,
    );
    let most: number | null = null;
    return {
      readiness,
      async time(work, repeats) {
        const clock = await page.evaluate(
          ([asked, times]) => (globalThis as unknown as { bench: Bench }).bench.time(asked, times),
          [work, repeats] as const,
        );
        const now = memoryOf(own);
        if (now !== null && before !== null) most = Math.max(most ?? 0, now - before);
        // of the processor time of a browser nobody tells
        return { clock, processor: Number.NaN };
      },
      memory: () => most,
      close,
    };
  } catch (cause) {
    await close();
    const [first] = (cause as Error).message.replace(/^page\.evaluate: (\w*Error: )?/, "").split("\n    at ");
    throw new Error(first!);
  }
}

type PageFiles = ReadonlyMap<string, Uint8Array | string>;

async function pageFiles(): Promise<PageFiles> {
  const { outputFiles } = await build({
    ...forBrowsers,
    entryPoints: [join(import.meta.dirname, "page.ts")],
    write: false,
    alias: { "csv-parse/sync": "csv-parse/browser/esm/sync", vega: "vega-scale" },
  });
  const read = (path: string) => readFileSync(join(import.meta.dirname, "..", "..", "node_modules", path));
  const from = (folder: string, names: readonly string[]) =>
    names.map((name) => [name, read(`${folder}/${name}`)] as const);
  return new Map<string, Uint8Array | string>([
    ["index.html", '<!doctype html><title>bench</title><script type="module" src="/page.js"></script>'],
    ["page.js", outputFiles[0]!.contents],
    ...from("onnxruntime-web/dist", [
      ...["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.asyncify.wasm"],
      ...["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.asyncify.mjs"],
    ]),
    ...from("@tensorflow/tfjs-backend-wasm/dist", [
      ...["tfjs-backend-wasm.wasm", "tfjs-backend-wasm-simd.wasm", "tfjs-backend-wasm-threaded-simd.wasm"],
    ]),
  ]);
}
