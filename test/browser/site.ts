import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { findChromium } from "./chromium.js";

const types: Readonly<Record<string, string>> = {
  ...{ ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript" },
  ...{ ".css": "text/css", ".wasm": "application/wasm", ".svg": "image/svg+xml" },
};

/** A policy that forbids eval, and everything from elsewhere. */
export const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'";

/** A server on this machine that has given files, each sent with the policy. */
export async function site(
  find: (path: string) => Uint8Array | string | undefined,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, "http://localhost");
    const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    const body = find(path);
    const headers = {
      "Content-Security-Policy": policy,
      "Content-Type": types[extname(path)] ?? "application/octet-stream",
    };
    if (body === undefined) response.writeHead(404, headers).end();
    else response.writeHead(200, headers).end(body);
  });
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
