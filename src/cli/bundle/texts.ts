import { readFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../version.js";
import { leftOut } from "./left-out.js";
import { licenceTexts } from "./licence-texts.js";
import type { PackageHere } from "./packages.js";
import type { NodeHere } from "./program.js";

// Texts that a bundle has of its own.

/** Starts the program by the Node beside it, wherever the bundle is and from whatever folder. It needs a shell alone. */
export const launcher = `#!/bin/sh
case $0 in
  */*) here=\${0%/*} ;;
  *) here=. ;;
esac
# through a link, which only then takes a program of the system
if [ -h "$0" ]; then
  here=$(readlink -f "$0")
  here=\${here%/*}
fi
exec "$here/lib/node" "$here/lib/dist/cli/bin.js" "$@"
`;

export function readme(platform: string, named: readonly string[]): string {
  return `revort ${version} for ${platform}

It runs where it is unpacked: no network, no npm and no Node of the system are needed.

  ./revort --help
  ./revort train influenza
  ./revort solve FIELD.onnx --y0 1,0 --t0 0 --t1 5
  ./revort inspect --runtimes

lib/ holds Node ${process.version}, the compiled package, ONNX Runtime for the processor, and what else commands need. Runtimes that are
left out: ${leftOut.join(", ")}.${named.length === 0 ? "" : `\nBeside it: ${named.join(", ")}.`}
LICENSES.txt holds the licences of everything that is inside.
`;
}

/** The licences of everything that is inside. @throws {BundleError} for a package that may not be passed on */
export function licences(own: string, node: NodeHere, packages: readonly PackageHere[]): string {
  const parts = [
    section(`revort ${version}`, [readFileSync(join(own, "LICENSE"), "utf8")]),
    section(`Node.js ${process.version}`, [readFileSync(node.licence, "utf8")]),
    ...packages.map((one) => {
      const { name, version: its, licence, source } = one;
      const about = source === "" ? "" : `\n${source}`;
      return section(`${name} ${its} (${licence})${about}`, licenceTexts(one, packages));
    }),
  ];
  return parts.join("\n");
}

function section(title: string, texts: readonly string[]): string {
  return `${"=".repeat(80)}\n${title}\n${"=".repeat(80)}\n\n${texts.map((text) => text.trim()).join("\n\n")}\n`;
}
