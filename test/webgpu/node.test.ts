import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { child } from "../cli/command.js";
import { webGpuChecks } from "./checks.js";
import { operatorChecks } from "./operators.js";
import type { Report } from "./report.js";
import { reported } from "./reported.js";

/** Where Debian's Chromium has a GPU in software, and Vulkan to reach it. */
const software = "/usr/lib/chromium";

async function inProcess(environment: NodeJS.ProcessEnv): Promise<Report | { readonly reason: string }> {
  const file = fileURLToPath(new URL("process.ts", import.meta.url));
  const started = spawn(process.execPath, ["--expose-gc", "--import", "tsx", file], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, complaints] = await Promise.all([text(started.stdout), text(started.stderr)]);
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

describe("ort-webgpu on the command line", () => {
  it("says that there is no GPU, and what to do", async function () {
    // elsewhere a driver cannot be taken away
    if (process.platform !== "linux") this.skip();
    const env = { VK_ICD_FILENAMES: "none", VK_DRIVER_FILES: "none" };
    const words = ["influenza", "--runtime", "ort-webgpu", "--dtype", "float32"];
    const { code, stderr } = await child("train", words, { env });
    expect(code).to.equal(exitCodes.failed);
    // ONNX Runtime may say more before
    expect(stderr.trimEnd().split("\n").at(-1)).to.match(/^revort: ort-webgpu has no GPU .*Vulkan.* jit/);
  });
});
