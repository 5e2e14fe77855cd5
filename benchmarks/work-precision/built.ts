import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/**
 * Compiles a script of this folder and the sources, as a package is built; sources run through tsx take longer, since it
 * wraps every function that is created.
 *
 * @returns where the script is
 */
export function built(script: string): string {
  const folder = join(root, "node_modules", ".cache", "revort-built");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  const settings = join(folder, "tsconfig.json");
  writeFileSync(
    settings,
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        outDir: folder,
        rootDir: root,
        typeRoots: [join(root, "node_modules/@types")],
      },
      include: [],
      files: [join(import.meta.dirname, script)],
    }),
  );
  execFileSync(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", settings], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  return join(folder, "benchmarks", "work-precision", script.replace(/\.ts$/, ".js"));
}
