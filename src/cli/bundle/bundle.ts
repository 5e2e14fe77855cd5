import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { printable, printableJson } from "../../core/printable.js";
import { checkWritable, writeAtomic } from "../../storage/atomic.js";
import { type ArchiveEntry, tar } from "../../storage/tar.js";
import { version } from "../../version.js";
import type { Console } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import { UsageError } from "../usage.js";
import { BundleError } from "./bundle-error.js";
import { compressions } from "./compression.js";
import { isBundled, leftOut, manifestName } from "./left-out.js";
import { namedFiles } from "./named.js";
import { filesOf, type PackageHere, packagesFor } from "./packages.js";
import { type Compiled, compiledPackage, nodeHere, packageFolder } from "./program.js";
import { launcher, licences, readme } from "./texts.js";

export interface BundleOptions {
  readonly out?: string;
  readonly json?: boolean;
}

/** Names at the top of a bundle. */
const own: ReadonlySet<string> = new Set(["revort", "lib", "README.txt", "LICENSES.txt"]);

/**
 * `revort bundle`: one archive with all that commands need, for a machine without a network.
 *
 * @param named  runs, models and data that go along
 * @returns the exit code
 */
export async function bundleCommand(
  named: readonly string[],
  options: BundleOptions,
  console: Console,
): Promise<number> {
  if (process.platform === "win32")
    throw new BundleError(
      "Bundles are started by a shell, which Windows has none of. Make one on Linux or macOS.",
    );
  if (isBundled())
    throw new BundleError(
      "This revort came in a bundle. Copy that archive, or make one where revort is from npm.",
    );
  const platform = `${process.platform}-${process.arch}`;
  const folder = `revort-${version}-${platform}`;
  const out = options.out ?? `${folder}.tar.gz`;
  const compressed = compressions.find(({ ending }) => ending.test(out))?.compressed;
  if (compressed === undefined)
    throw new UsageError(`--out takes a name ending in .tar.gz or .tar.xz, but "${out}" was given.`);
  const files = await namedFiles(named, own);
  const packages = packagesFor(packageFolder);
  await checkWritable(out);
  const compiled = await compiledPackage();
  console.note(`Packing Node ${process.version}, revort and ${packages.length} packages …`);
  let bytes: Uint8Array;
  try {
    const entries = [...programFiles(compiled, packages, platform, named), ...files].map((entry) => ({
      ...entry,
      name: `${folder}/${entry.name}`,
    }));
    bytes = await compressed(Readable.from(tar(entries)));
  } finally {
    compiled.dispose();
  }
  await writeAtomic(out, bytes);
  if (options.json) console.json({ out, bytes: bytes.length, folder, platform, named, leftOut });
  else {
    const size = `${(bytes.length / 1e6).toFixed(1)} MB`;
    console.stdout.write(
      `${printable(out)}: ${size}. There: tar xf ${printable(out)} && ${folder}/revort --help\n`,
    );
  }
  return exitCodes.done;
}

/** Everything but what the user has named. */
function programFiles(
  compiled: Compiled,
  packages: readonly PackageHere[],
  platform: string,
  named: readonly string[],
): ArchiveEntry[] {
  const node = nodeHere();
  const text = (name: string, content: string, executable = false): ArchiveEntry => ({
    ...{ name, executable },
    content: () => new TextEncoder().encode(content),
  });
  const file = (name: string, path: string, executable = false): ArchiveEntry => ({
    ...{ name, executable },
    content: () => readFileSync(path),
  });
  const manifest = { revort: version, node: process.version, platform, leftOut };
  return [
    text("revort", launcher, true),
    text("README.txt", readme(platform, named)),
    text("LICENSES.txt", licences(packageFolder, node, packages)),
    file("lib/node", node.program, true),
    text(`lib/${manifestName}`, `${printableJson(manifest, 2)}\n`),
    file("lib/package.json", join(packageFolder, "package.json")),
    ...compiled.files.map((path) => file(`lib/dist/${path}`, join(compiled.folder, path))),
    ...packages.flatMap((one) =>
      filesOf(one).map((path) => file(`lib/${one.place}/${path}`, join(one.folder, path))),
    ),
  ];
}
