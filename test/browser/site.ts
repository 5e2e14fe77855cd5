import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium } from "playwright-core";
import { respond } from "../../scripts/web/respond.js";
import { findChromium } from "./chromium.js";

/** A server on this machine that has given files, each sent with a policy that forbids eval. */
export async function site(
  files: ReadonlyMap<string, Uint8Array | string>,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => respond(files, request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Flags for a GPU in software, where there is no other. */
export const gpuInSoftware = [
  ...["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
];

/** A Chromium to be driven, or why there is none. */
export async function openChromium(
  args: readonly string[] = ["--disable-gpu"],
): Promise<Browser | { readonly reason: string }> {
  const found = findChromium();
  if ("reason" in found) return found;
  return chromium.launch({
    executablePath: found.path,
    args: ["--no-sandbox", "--disable-background-networking", ...args],
  });
}
