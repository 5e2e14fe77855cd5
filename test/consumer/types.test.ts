import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("../..", import.meta.url));
const lowest = JSON.parse(readFileSync(new URL("lowest-typescript/package.json", import.meta.url), "utf8"))
  .dependencies.typescript as string;

/** Installs the lowest TypeScript beside our own, once; returns its compiler, or why there is none. */
function lowestCompiler(): { readonly tsc: string } | { readonly why: string } {
  const folder = join(root, "node_modules", ".cache", `typescript-${lowest}`);
  const tsc = join(folder, "node_modules", "typescript", "bin", "tsc");
  if (existsSync(tsc)) return { tsc };
  try {
    mkdirSync(folder, { recursive: true });
    for (const file of ["package.json", "package-lock.json"]) {
      copyFileSync(new URL(`lowest-typescript/${file}`, import.meta.url), join(folder, file));
    }
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    execFileSync(npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder, stdio: "pipe" });
    return { tsc };
  } catch (cause) {
    return {
      why: `TypeScript ${lowest} cannot be had from the npm registry: ${(cause as Error).message.split("\n")[0]}`,
    };
  }
}

/** What is used of each of the package's modules, by a project with the strictest settings. */
const consumer = (readmeExample: string) => `${readmeExample}
import * as browser from "revort/browser";
import { linear } from "revort/nn";
import { sub, tanh } from "revort/ops";
import { defineField, gradientOf, jit, solve, type Tensor, type TrainResult, threadRuntime, type VectorField } from "revort";

export const losses = (result: TrainResult): readonly number[] => result.losses;
export const known: readonly unknown[] = [browser.jit, linear, tanh, jit, solve, threadRuntime];
export type Field = VectorField;
// @ts-expect-error what has a wrong type is not let through as \`any\`
export const wrong: string = jit();

export const driven = defineField({
  name: "driven",
  state: { position: [2], velocity: [2] },
  args: { force: [2] },
  apply: (b, theta, t, { position, velocity }, { force }) => ({ position: velocity, velocity: sub(b, force, position) }),
});
const start = { position: [1, 0], velocity: [0, 1] };
const args = { force: [0, 1] };
const { ys } = await solve(driven, { y0: start, args, t0: 0, t1: 1 });
export const velocity: Tensor = ys.velocity;
// @ts-expect-error there is no such array
export const mass = ys.mass;
const found = await gradientOf(driven, { fit: { t0: 0, times: [1], y0: start, args, observations: ys } });
export const gradients: readonly Tensor[] = [found.y0.position, found.args.force];
`;

describe("the package's types", function () {
  this.timeout(300_000);
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "revort-consumer-"));
    const place = join(folder, "node_modules", "revort");
    mkdirSync(place, { recursive: true });
    copyFileSync(join(root, "package.json"), join(place, "package.json"));
    symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const built = ["-p", "tsconfig.build.json", "--emitDeclarationOnly", "--outDir", join(place, "dist")];
    execFileSync(process.execPath, [tsc, ...built], { cwd: root, stdio: "pipe" });
    const [, example] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))!;
    writeFileSync(join(folder, "main.ts"), consumer(example!));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Checks the project, and the declarations that it reads, ours and those of other packages. */
  const check = (tsc: string, module: string, moduleResolution: string): string => {
    const compilerOptions = {
      ...{ module, moduleResolution, target: "ES2022", lib: ["ES2022", "DOM"], types: [] },
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
      ...{ skipLibCheck: false, noEmit: true },
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
    return spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { encoding: "utf8" }).stdout;
  };

  it("are taken by the lowest TypeScript that is promised, without those of Node, whatever the module system", function () {
    const found = lowestCompiler();
    if ("why" in found) {
      console.log(`      skipped: ${found.why}`);
      this.skip();
    } else {
      expect(check(found.tsc, "NodeNext", "NodeNext")).to.equal("");
      expect(check(found.tsc, "ESNext", "Bundler")).to.equal("");
    }
  });

  it("are taken by our own TypeScript", () => {
    expect(check(join(root, "node_modules", "typescript", "bin", "tsc"), "NodeNext", "NodeNext")).to.equal(
      "",
    );
  });

  it("need no newer TypeScript than is written down", () => {
    const [major, minor] = lowest.split(".");
    const text = readFileSync(join(root, "docs/decisions/dependencies.md"), "utf8");
    expect(text).to.include(`TypeScript ${major}.${minor} or newer`);
  });
});
