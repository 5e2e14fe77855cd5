import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("../..", import.meta.url));
const taskFile = new URL("task.mjs", import.meta.url);

/** A Chromium that starts, by its path; or why there is none. */
function findChromium(): { readonly path: string } | { readonly reason: string } {
  const names = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const tried = process.env.CHROMIUM === undefined ? names : [process.env.CHROMIUM];
  const path = tried.find((name) => spawnSync(name, ["--version"]).status === 0);
  return path === undefined
    ? { reason: `no Chromium at ${tried.join(", ")}; set CHROMIUM to its path` }
    : { path };
}

/** Where the packages lie that the built files import, as an import map has it. */
function importMap(): string {
  const names = [
    "zod",
    "onnx-buf",
    "@bufbuild/protobuf",
    "@bufbuild/protobuf/codegenv2",
    "@bufbuild/protobuf/wkt",
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
  return JSON.stringify({ imports });
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

const script = `
import * as revort from "/dist/browser.js";
import { task } from "/task.mjs";
let evaluates = true;
try { new Function("return 1")(); } catch { evaluates = false; }
const result = await task(revort).catch((cause) => ({ failure: String(cause?.stack ?? cause) }));
await fetch("/result", { method: "POST", body: JSON.stringify({ ...result, evaluates }) });
`;

/** Serves the built package and the page, and hands over what the page sends back. */
function serve(dist: string, received: (body: string) => void): Promise<{ server: Server; url: string }> {
  const map = importMap();
  const hash = createHash("sha256").update(map).digest("base64");
  const page =
    `<!doctype html><title>revort</title><script type="importmap">${map}</script>` +
    `<script type="module" src="/page.js"></script>`;
  const headers = {
    "Content-Security-Policy": `default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'sha256-${hash}'; connect-src 'self'`,
  };
  const types: Record<string, string> = { ".html": "text/html", ".json": "application/json" };
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
    try {
      const text =
        path === "/"
          ? page
          : path === "/page.js"
            ? script
            : path === "/task.mjs"
              ? readFileSync(taskFile)
              : readFileSync(path.startsWith("/dist/") ? join(dist, path.slice(6)) : join(root, path));
      const type = path === "/" ? "text/html" : (types[extname(path)] ?? "text/javascript");
      response.writeHead(200, { ...headers, "Content-Type": type }).end(text);
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

describe("the compiled runtime in a browser that forbids eval", function () {
  this.timeout(90_000);

  it("computes what it computes in Node, to the bit", async function () {
    const chromium = findChromium();
    if ("reason" in chromium) {
      console.log(`      skipped: ${chromium.reason}`);
      this.skip();
    }
    const folder = mkdtempSync(join(tmpdir(), "revort-browser-"));
    const dist = join(folder, "dist");
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const built = spawnSync(
      process.execPath,
      [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", dist],
      {
        encoding: "utf8",
      },
    );
    expect(built.status, `${built.stdout}${built.stderr}`).to.equal(0);
    let receive: (body: string) => void = () => {};
    const received = new Promise<string>((resolve) => {
      receive = resolve;
    });
    const { server, url } = await serve(dist, (body) => receive(body));
    const browser = spawn(
      chromium.path,
      [
        ...[
          "--headless=new",
          "--no-sandbox",
          "--disable-gpu",
          "--no-first-run",
          "--disable-background-networking",
        ],
        ...[
          "--disable-component-update",
          "--disable-sync",
          `--user-data-dir=${join(folder, "profile")}`,
          url,
        ],
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    let complaints = "";
    browser.stderr.on("data", (chunk) => {
      complaints += chunk;
    });
    try {
      const body = await Promise.race([
        received,
        new Promise<never>((_, reject) => {
          browser.once("exit", (code) => reject(new Error(`Chromium ended with ${code}: ${complaints}`)));
          setTimeout(
            () => reject(new Error(`The page has sent nothing back: ${complaints}`)),
            60_000,
          ).unref();
        }),
      ]);
      const { evaluates, ...inBrowser } = JSON.parse(body);
      const { task } = await import(taskFile.href);
      const inNode = await task(await import(pathToFileURL(join(root, "src", "browser.ts")).href));
      expect(evaluates, "whether the page may evaluate text").to.equal(false);
      expect(inNode.ys).to.have.length(24);
      // WebAssembly leaves no freedom to the engine, but for the bits of NaN
      expect(inBrowser).to.deep.equal(inNode);
    } finally {
      server.close();
      const ended = new Promise((resolve) => browser.once("exit", resolve));
      if (browser.exitCode === null && browser.kill()) await ended;
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    }
  });
});
