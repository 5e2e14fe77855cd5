import type { IncomingMessage, ServerResponse } from "node:http";
import { extname } from "node:path";

const types: Readonly<Record<string, string>> = {
  ...{ ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".wasm": "application/wasm" },
  ...{ ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8" },
};

/** Forbids eval, and everything from elsewhere; for workers, too, which do not have the policy that is in the page. */
export const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'";

/** Sends one of some files, by name; `/` is the page. */
export function respond(
  files: ReadonlyMap<string, Uint8Array | string>,
  { url, method }: Pick<IncomingMessage, "url" | "method">,
  response: ServerResponse,
): void {
  // as it is: what is no name of a file is not found, whatever it means elsewhere
  const path = (url ?? "/").split(/[?#]/)[0]!;
  const name = path === "/" ? "index.html" : path.slice(1);
  const body = files.get(name);
  const headers = {
    "Content-Security-Policy": policy,
    "Content-Type": types[extname(name)] ?? "application/octet-stream",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
  };
  if (method !== "GET" && method !== "HEAD") response.writeHead(405, { Allow: "GET, HEAD" }).end();
  else if (body === undefined) response.writeHead(404, { "Content-Type": "text/plain" }).end("not found\n");
  else
    response
      .writeHead(200, { ...headers, "Content-Length": Buffer.byteLength(body) })
      .end(method === "HEAD" ? undefined : body);
}
