import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { forBrowsers } from "../../scripts/web/bundle.js";
import type { Host, PageHosts } from "../../src/cli/bench/hosts.js";
import type { Job } from "../../src/cli/bench/workload.js";
import { gpuInSoftware, openChromium, site } from "../../test/browser/site.js";
import { childrenOf, memoryOf } from "../memory.js";
import type { Bench } from "./page.js";

const inPage = ["jit", "ort-wasm", "ort-webgpu", "tfjs-cpu", "tfjs-wasm", "tfjs-webgl", "tfjs-webgpu"];

/** Runtimes in a page in Chromium, `page/…`. */
export function pageHosts(): PageHosts {
  let files: ReturnType<typeof pageFiles> | null = null;
  return {
    names: inPage.map((name) => `page/${name}`),
    async open(name, job) {
      files ??= pageFiles();
      return pageHost(name.replace(/^page\//, ""), job, await files);
    },
  };
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
