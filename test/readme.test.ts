import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { assert } from "chai";
import { version } from "../src/version.js";

const readme = readFileSync("README.md", "utf8");

describe("README", () => {
  it("shows a library example that runs as it stands and learns", async () => {
    const [, example] = /```ts\n([\s\S]*?)```/.exec(readme)!;
    // inside the checkout, so that packages resolve; the package itself from its sources
    const folder = mkdtempSync(join("test", ".readme-"));
    try {
      const file = join(folder, "example.ts");
      writeFileSync(file, example!.replace('from "revort"', 'from "../../src/index.js"'));
      const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", file]);
      const [loss, stored] = stdout.trim().split(/\s+/).map(Number);
      // the data are a harmonic oscillation of amplitude 1, so a loss of ½ is what predicting zero would give
      assert.isBelow(loss!, 0.02);
      assert.equal(stored, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("names only scripts and files that exist", () => {
    const scripts = [...readme.matchAll(/scripts\/[\w.-]+\.ts/g)].map(([path]) => path);
    assert.isAbove(scripts.length, 4);
    const files = [...readme.matchAll(/\]\(((?!https?:)[^)#]+)\)/g)].map(([, path]) => path!);
    for (const path of [...scripts, ...files]) assert.isTrue(existsSync(path), path);
  });
});

describe("package.json", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
    version: string;
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
    optionalDependencies: Record<string, string>;
  };

  it("has the version that the code says", () => {
    assert.equal(manifest.version, version);
  });

  it("pins every dependency exactly", () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
    for (const [name, range] of Object.entries(all)) assert.match(range, /^\d+\.\d+\.\d+(-[\w.]+)?$/, name);
  });

  it("has a lock file that names no registry", () => {
    assert.notMatch(readFileSync("package-lock.json", "utf8"), /"resolved"/);
  });
});
