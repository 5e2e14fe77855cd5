import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { webGpuChecks } from "./checks.js";
import { operatorChecks } from "./operators.js";
import type { Report } from "./report.js";
import { reported } from "./reported.js";

/** Where Debian's Chromium has a GPU in software, and Vulkan to reach it. */
const software = "/usr/lib/chromium";

async function inProcess(environment: NodeJS.ProcessEnv): Promise<Report | { readonly reason: string }> {
  const file = fileURLToPath(new URL("process.ts", import.meta.url));
  const child = spawn(process.execPath, ["--expose-gc", "--import", "tsx", file], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
  try {
    return JSON.parse(out.slice(out.lastIndexOf("\n")));
  } catch {
    throw new Error(`The process reported nothing: ${out}${complaints}`);
  }
}

reported("ort-webgpu in Node", { ...webGpuChecks, ...operatorChecks }, async () => {
  const found = await inProcess({});
  const driver = `${software}/vk_swiftshader_icd.json`;
  if (!("reason" in found) || !existsSync(driver)) return found;
  return inProcess({ VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: software });
});
