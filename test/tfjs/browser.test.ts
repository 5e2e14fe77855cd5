import { type Backend, backends } from "../../src/graph-model/backends.js";
import { findChromium, inChromium } from "../browser/chromium.js";
import { operatorChecks } from "../webgpu/operators.js";
import type { Report } from "../webgpu/report.js";
import { reported } from "../webgpu/reported.js";
import { tfjsChecks } from "./checks.js";
import { leftOut } from "./known.js";
import { skips } from "./skips.js";

const folder = "/node_modules/@tensorflow";

/** Its packages have no modules that a browser loads without a bundler: their scripts are run, and what they define taken. */
const modules = Object.fromEntries(
  ["core", "converter", ...backends.map((backend) => `backend-${backend}`)].map((part) => [
    `@tensorflow/tfjs-${part}`,
    `import "${folder}/tfjs-${part}/dist/tf-${part}.es2017.js";
export default globalThis.tf;`,
  ]),
);

/** What the page is not asked for: what no backend has, and what this one is spared. */
const skipped = (backend: Backend): Readonly<Record<string, string>> => ({
  ...(skips as Readonly<Record<string, string>>),
  ...leftOut(backend),
});

type Result = Report | { readonly reason: string };

const chromium = findChromium();

/** A GPU in software where there is no other. */
const webGpuFlags = [
  ...["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
];
const webGlFlags = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];

/** What the page reports of a backend, with a GPU in software where there is no other. */
async function inPage(backend: Backend): Promise<Result> {
  if ("reason" in chromium) return chromium;
  const script = `
import "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import { inPage } from "/dist/test/tfjs/page.js";
globalThis.tf.wasm.setWasmPaths("${folder}/tfjs-backend-wasm/dist/");
const result = inPage("${backend}", ${JSON.stringify(skipped(backend))});`;
  const flags = backend === "webgl" ? webGlFlags : webGpuFlags;
  const page = { project: "test/tfjs/tsconfig.json", script, flags, modules, seconds: 200 };
  const found = (await inChromium(chromium.path, page)) as Result;
  if ("failure" in found) throw new Error(String(found.failure));
  return found;
}

for (const backend of backends) {
  reported(
    `tfjs-${backend} in a browser that forbids eval`,
    { ...tfjsChecks, ...operatorChecks },
    () => inPage(backend),
    skipped(backend),
  );
}
