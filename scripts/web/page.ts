import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { forBrowsers } from "./bundle.js";

const source = fileURLToPath(new URL("../../src/web/", import.meta.url));
const ort = fileURLToPath(new URL("../../node_modules/onnxruntime-web/dist/", import.meta.url));

/** What ONNX Runtime looks for beside the script of the worker. */
const wasm = ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.asyncify.wasm"];

/** The files of the page, by name: what a static server sends. */
export type PageFiles = ReadonlyMap<string, Uint8Array>;

/** Makes the page from `src/web`. */
export async function buildPage(): Promise<PageFiles> {
  const { outputFiles } = await build({
    ...forBrowsers,
    entryPoints: ["src/web/main.ts", "src/web/worker.ts"],
    outdir: "page",
    alias: {
      // its build without Node's streams
      "csv-parse/sync": "csv-parse/browser/esm/sync",
      // of which ticks of axes need a part
      vega: "vega-scale",
    },
    write: false,
  });
  const scripts = outputFiles.map(({ path, contents }) => [path.split(/[/\\]/).at(-1)!, contents] as const);
  const texts = ["index.html", "style.css"].map((name) => [name, readFileSync(join(source, name))] as const);
  return new Map([
    ...texts,
    ...scripts,
    ...wasm.map((name) => [name, readFileSync(join(ort, name))] as const),
  ]);
}

/** Writes the page into a folder. */
export function writePage(files: PageFiles, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
}
