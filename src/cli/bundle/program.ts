import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BundleError } from "./bundle-error.js";
import { filesUnder } from "./packages.js";

/** The folder of this package: a clone, or where npm has put it. */
export const packageFolder = fileURLToPath(new URL("../../../", import.meta.url));

/** The compiled package, as long as it is needed. */
export interface Compiled {
  readonly folder: string;
  /** the modules, relative to the folder */
  readonly files: readonly string[];
  dispose(): void;
}

/** The package as JavaScript: as npm has it, or compiled now from the sources of a clone. @throws {BundleError} */
export async function compiledPackage(): Promise<Compiled> {
  const isSource = import.meta.url.endsWith(".ts");
  const folder = isSource ? mkdtempSync(join(tmpdir(), "revort-bundle-")) : join(packageFolder, "dist");
  const dispose = () => {
    if (isSource) rmSync(folder, { recursive: true, force: true });
  };
  try {
    if (isSource) await compileTo(folder);
  } catch (cause) {
    dispose();
    throw cause;
  }
  const files = filesUnder(folder).filter((path) => path.endsWith(".js") && !path.endsWith(".min.js"));
  return { folder, files, dispose };
}

async function compileTo(folder: string): Promise<void> {
  const compiler = join(
    dirname(createRequire(import.meta.url).resolve("typescript/package.json")),
    "bin",
    "tsc",
  );
  const project = join(packageFolder, "tsconfig.build.json");
  const words = [
    "-p",
    project,
    "--outDir",
    folder,
    "--declaration",
    "false",
    "--sourceMap",
    "false",
    "--removeComments",
  ];
  await promisify(execFile)(process.execPath, [compiler, ...words]).catch((cause: { stdout?: string }) => {
    const [first] = (cause.stdout ?? "").split("\n");
    throw new BundleError(`The sources do not compile: ${first}. \`npm run check\` says more.`, { cause });
  });
}

/** Node's own program and its licence. */
export interface NodeHere {
  readonly program: string;
  readonly licence: string;
}

/**
 * The Node that runs this.
 *
 * @throws {BundleError} for one that is not whole without libraries of its system, or comes without its licence
 */
export function nodeHere(program = process.execPath): NodeHere {
  const { variables } = process.config as { readonly variables: Readonly<Record<string, unknown>> };
  const shared = Object.keys(variables).filter(
    (name) => /^node_shared/.test(name) && variables[name] === true,
  );
  const other = "Make the bundle with the Node of nodejs.org.";
  if (shared.length > 0) {
    const names = shared.map((name) => name.replace(/^node_shared_?/, "") || "node").join(", ");
    throw new BundleError(
      `${program} uses libraries of this system (${names}), which others may not have. ${other}`,
    );
  }
  const licence = [join(dirname(program), "..", "LICENSE"), "/usr/share/doc/nodejs/LICENSE"].find((path) =>
    existsSync(path),
  );
  if (licence === undefined) {
    throw new BundleError(`The licence of ${program} is not beside it, and has to go along. ${other}`);
  }
  return { program, licence };
}
