import { type Backend, backends } from "../../src/graph-model/backends.js";
import { findChromium, inChromium } from "../browser/chromium.js";
import { operatorChecks } from "../webgpu/operators.js";
import type { Report } from "../webgpu/report.js";
import { reported } from "../webgpu/reported.js";
import { tfjsChecks } from "./checks.js";
import { skipsInPage } from "./skips.js";

const folder = "/node_modules/@tensorflow";

/** Its packages have no modules that a browser loads without a bundler: their scripts are run, and what they define taken. */
const modules = Object.fromEntries(
  ["core", "converter", ...backends.map((backend) => `backend-${backend}`)].map((part) => [
    `@tensorflow/tfjs-${part}`,
    `import "${folder}/tfjs-${part}/dist/tf-${part}.es2017.js";
export default globalThis.tf;`,
  ]),
);

/** A GPU in software where there is no other. */
const flags: Readonly<Partial<Record<Backend, readonly string[]>>> = {
  webgl: ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"],
  webgpu: ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
};

/** What a page reports of a backend. */
async function inPage(
  backend: Backend,
  skipped: Readonly<Record<string, string>>,
): Promise<Report | { readonly reason: string }> {
  const chromium = findChromium();
  if ("reason" in chromium) return chromium;
  const script = `
import "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import { inPage } from "/dist/test/tfjs/page.js";
globalThis.tf.wasm.setWasmPaths("${folder}/tfjs-backend-wasm/dist/");
const result = inPage("${backend}", ${JSON.stringify(skipped)});`;
  const found = (await inChromium(chromium.path, {
    project: "test/tfjs/tsconfig.json",
    script,
    flags: flags[backend] ?? ["--disable-gpu"],
    modules,
    seconds: 280,
  })) as Report | { readonly reason: string };
  if ("failure" in found) throw new Error(String(found.failure));
  return found;
}

/** Declares the tests of a backend in a page that forbids eval. @param isSoon  without those that take long */
export function testedInPage(backend: Backend, isSoon: boolean): void {
  const skipped = skipsInPage(backend, isSoon);
  const name = `tfjs-${backend} in a browser that forbids eval`;
  reported(name, { ...tfjsChecks, ...operatorChecks }, () => inPage(backend, skipped), skipped);
}
