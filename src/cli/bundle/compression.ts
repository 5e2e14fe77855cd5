import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createGzip } from "node:zlib";
import { BundleError } from "./bundle-error.js";

/** How an archive is compressed, by the ending of its name. */
export interface Compression {
  readonly ending: RegExp;
  compressed(archive: Readable): Promise<Uint8Array>;
}

/** gzip, which every tar opens, and xz, a third smaller, which takes a program of the system here and there. */
export const compressions: readonly Compression[] = [
  { ending: /\.(tar\.gz|tgz)$/, compressed: (archive) => buffer(archive.pipe(createGzip({ level: 9 }))) },
  { ending: /\.(tar\.xz|txz)$/, compressed: byXz },
];

async function byXz(archive: Readable): Promise<Uint8Array> {
  const xz = spawn("xz", ["-6", "-T0", "-c"], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve, reject) => {
    const failed = (why: string) =>
      reject(new BundleError(`A .tar.xz is made by the program xz, ${why}. Install it, or name a .tar.gz.`));
    xz.on("error", ({ message }) => failed(`which does not start (${message})`));
    xz.on("close", (code) => (code === 0 ? resolve() : failed(`which ended with code ${code}`)));
  });
  // where it ends early, that is said, and not that nobody reads what it is given
  xz.stdin.on("error", () => archive.destroy());
  const [bytes] = await Promise.all([buffer(archive.pipe(xz.stdin) && xz.stdout), ended]);
  return bytes;
}
