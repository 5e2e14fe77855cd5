import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { respond } from "../../scripts/web/respond.js";

/** A Firefox that starts, by its path; or why there is none. */
export function findFirefox(): { readonly path: string } | { readonly reason: string } {
  const names = ["/usr/bin/firefox-esr", "/usr/bin/firefox"];
  const tried = process.env.FIREFOX === undefined ? names : [process.env.FIREFOX];
  const path = tried.find((name) => spawnSync(name, ["--version"]).status === 0);
  return path === undefined
    ? { reason: `no Firefox at ${tried.join(", ")}; set FIREFOX to its path` }
    : { path };
}

/** So that it asks for nothing from elsewhere, and shows nothing first. */
const preferences = {
  ...{ "browser.shell.checkDefaultBrowser": false, "datareporting.policy.dataSubmissionEnabled": false },
  ...{ "app.update.enabled": false, "toolkit.telemetry.enabled": false, "app.normandy.enabled": false },
  ...{ "network.captive-portal-service.enabled": false, "network.connectivity-service.enabled": false },
  ...{ "browser.startup.homepage_override.mstone": "ignore", "browser.safebrowsing.malware.enabled": false },
};

/** What a site's page posts to `/result`, in a Firefox at a path. */
export async function inFirefox(
  path: string,
  files: ReadonlyMap<string, Uint8Array | string>,
  seconds = 120,
): Promise<unknown> {
  const profile = mkdtempSync(join(tmpdir(), "revort-firefox-"));
  const lines = Object.entries(preferences).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
  );
  writeFileSync(join(profile, "user.js"), lines.join("\n"));
  let receive: (body: string) => void = () => {};
  const received = new Promise<string>((resolve) => {
    receive = resolve;
  });
  const server = createServer(async (request, response) => {
    if (request.url !== "/result") return respond(files, request, response);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    response.end();
    receive(Buffer.concat(chunks).toString());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const browser = spawn(path, ["--headless", "--no-remote", "--profile", profile, url], { stdio: "ignore" });
  const ended = new Promise((resolve) => browser.once("exit", resolve));
  try {
    const late = new Promise<never>((_, reject) => {
      const say = () => reject(new Error(`Firefox's page has sent nothing back in ${seconds} s.`));
      setTimeout(say, 1000 * seconds).unref();
    });
    return JSON.parse(await Promise.race([received, late]));
  } finally {
    if (browser.exitCode === null && browser.kill()) await ended;
    server.close();
    server.closeAllConnections();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
