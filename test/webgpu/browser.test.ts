import { expect } from "chai";
import { findChromium, inChromium } from "../browser/chromium.js";
import { webGpuChecks } from "./checks.js";
import { readBackChecks } from "./read-backs.js";
import type { Report } from "./report.js";
import { reported } from "./reported.js";

const chromium = findChromium();

type Result = Report | { readonly reason: string };

/** What the page reports, in a Chromium with some flags. */
async function inPage(flags: readonly string[]): Promise<Result> {
  if ("reason" in chromium) return chromium;
  const script = `
import { inPage } from "/dist/test/webgpu/page.js";
const result = inPage();`;
  const page = { project: "test/webgpu/tsconfig.json", script, flags };
  const found = (await inChromium(chromium.path, page)) as Result;
  if ("failure" in found) throw new Error(String(found.failure));
  return found;
}

// a GPU in software where there is no other
reported("ort-webgpu in a browser that forbids eval", { ...webGpuChecks, ...readBackChecks }, () =>
  inPage([
    ...["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
    "--js-flags=--expose-gc",
  ]),
);

describe("ort-webgpu in a browser without a GPU", () => {
  it("says so, and what to do", async function () {
    if ("reason" in chromium) this.skip();
    const found = await inPage(["--disable-gpu"]);
    expect("reason" in found && found.reason)
      .to.contain("ort-webgpu has no GPU")
      .and.contain("jit");
  });
});
