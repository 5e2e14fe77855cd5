import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A Chromium that starts, by its path; or why there is none. */
export function findChromium(): { readonly path: string } | { readonly reason: string } {
  const names = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const tried = process.env.CHROMIUM === undefined ? names : [process.env.CHROMIUM];
  const path = tried.find((name) => spawnSync(name, ["--version"]).status === 0);
  return path === undefined
    ? { reason: `no Chromium at ${tried.join(", ")}; set CHROMIUM to its path` }
    : { path };
}

/** Where the packages lie that the built files import, as an import map has it; and modules that are given as text. */
function importMap(given: Page["modules"] = {}): string {
  const names = [
    "zod",
    "onnx-buf",
    "@bufbuild/protobuf",
    "@bufbuild/protobuf/codegenv2",
    "@bufbuild/protobuf/wkt",
    "onnxruntime-web/webgpu",
    "chai",
  ];
  const modules = join(root, "node_modules");
  const imports = Object.fromEntries(
    names.map((name) => {
      const folder = name
        .split("/")
        .slice(0, name.startsWith("@") ? 2 : 1)
        .join("/");
      const { exports, module, main } = JSON.parse(
        readFileSync(join(modules, folder, "package.json"), "utf8"),
      );
      const entry = exports?.[`.${name.slice(folder.length)}`];
      const file = entryOf(entry) ?? module ?? main;
      return [name, `/node_modules/${folder}/${file.replace(/^\.\//, "")}`];
    }),
  );
  const own = Object.keys(given).map((name, i) => [name, `/modules/${i}.js`]);
  return JSON.stringify({ imports: { ...imports, ...Object.fromEntries(own) } });
}

function entryOf(entry: unknown): string | undefined {
  if (typeof entry === "string") return entry;
  if (typeof entry !== "object" || entry === null) return undefined;
  const conditions = entry as Record<string, unknown>;
  for (const condition of ["browser", "module", "import", "default"]) {
    const found = entryOf(conditions[condition]);
    if (found !== undefined) return found;
  }
  return undefined;
}

const types: Readonly<Record<string, string>> = { ".json": "application/json", ".wasm": "application/wasm" };

/** Serves what was built and a page that runs a script, forbidding eval, and hands over what the page sends back. */
function serve(
  dist: string,
  script: string,
  modules: Page["modules"],
  received: (body: string) => void,
): Promise<{ server: Server; url: string }> {
  const map = importMap(modules);
  const hash = createHash("sha256").update(map).digest("base64");
  const page =
    `<!doctype html><title>revort</title><script type="importmap">${map}</script>` +
    `<script type="module" src="/page.js"></script>`;
  const headers = {
    "Content-Security-Policy": `default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'sha256-${hash}'; connect-src 'self'`,
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url!, "http://localhost").pathname;
    if (path === "/result") {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        response.end();
        received(body);
      });
      return;
    }
    const texts = Object.values(modules ?? {}).map((text, i) => [`/modules/${i}.js`, text]);
    const own: Readonly<Record<string, string>> = {
      ...Object.fromEntries(texts),
      ...{ "/": page, "/page.js": script },
    };
    try {
      const file = path.startsWith("/dist/") ? join(dist, path.slice(6)) : join(root, path);
      const body = own[path] ?? readFileSync(file);
      const type = path === "/" ? "text/html" : (types[extname(path)] ?? "text/javascript");
      response.writeHead(200, { ...headers, "Content-Type": type }).end(body);
    } catch {
      response.writeHead(404, headers).end();
    }
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve({ server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
    });
  });
}

export interface Page {
  /** a project of TypeScript, from the root of the repository, of which the page finds the built files in /dist */
  readonly project: string;
  /** a module that defines `result`, a promise of what the page sends back */
  readonly script: string;
  readonly flags?: readonly string[];
  /** modules by the names that they are imported by, as text */
  readonly modules?: Readonly<Record<string, string>>;
  /** how long it may take; 90 by default */
  readonly seconds?: number;
}

/** What a page sends back, from a Chromium at a path. */
export async function inChromium(
  path: string,
  { project, script, flags = [], modules = {}, seconds = 90 }: Page,
): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), "revort-browser-"));
  const dist = join(folder, "dist");
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const built = spawnSync(process.execPath, [tsc, "-p", join(root, project), "--outDir", dist], {
    encoding: "utf8",
  });
  expect(built.status, `${built.stdout}${built.stderr}`).to.equal(0);
  let receive: (body: string) => void = () => {};
  const received = new Promise<string>((resolve) => {
    receive = resolve;
  });
  const sending = `
    const sent = await result.catch((cause) => ({ failure: String(cause?.stack ?? cause) }));
    await fetch("/result", { method: "POST", body: JSON.stringify(sent) });`;
  const { server, url } = await serve(dist, script + sending, modules, (body) => receive(body));
  const usual = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-background-networking"];
  const quiet = [
    "--disable-component-update",
    "--disable-sync",
    `--user-data-dir=${join(folder, "profile")}`,
  ];
  const browser = spawn(path, [...usual, ...quiet, ...flags, url], { stdio: ["ignore", "ignore", "pipe"] });
  let complaints = "";
  browser.stderr.on("data", (chunk) => {
    complaints += chunk;
  });
  try {
    const body = await Promise.race([
      received,
      new Promise<never>((_, reject) => {
        browser.once("exit", (code) => reject(new Error(`Chromium ended with ${code}: ${complaints}`)));
        const late = () => reject(new Error(`The page has sent nothing back: ${complaints}`));
        setTimeout(late, seconds * 1000).unref();
      }),
    ]);
    return JSON.parse(body);
  } finally {
    server.close();
    const ended = new Promise((resolve) => browser.once("exit", resolve));
    if (browser.exitCode === null && browser.kill()) await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
