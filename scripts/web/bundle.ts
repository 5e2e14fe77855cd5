import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type BuildOptions, build } from "esbuild";
import { version } from "../../src/version.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** How modules for browsers are made. Names of functions and classes are kept: those of errors are shown. */
export const forBrowsers = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: ["es2022"],
  platform: "browser",
  conditions: ["revort-source"],
  minify: true,
  keepNames: true,
  legalComments: "eof",
  logLevel: "warning",
} as const satisfies BuildOptions;

/** Sizes of a file, in bytes: as it is, and as servers send it. */
export interface Sizes {
  readonly bytes: number;
  readonly gzipped: number;
}

/** The package as one module for pages without a bundler. */
export async function bundlePackage(): Promise<{ readonly code: Uint8Array } & Sizes> {
  const { outputFiles } = await build({
    ...forBrowsers,
    entryPoints: ["src/bundle.ts"],
    banner: { js: `/*! revort ${version}, MIT license */` },
    write: false,
  });
  const code = outputFiles[0]!.contents;
  return { code, bytes: code.length, gzipped: gzipSync(code, { level: 9 }).length };
}

/** As documents have them: 1.05 MB (0.37 MB gzipped). */
export function showSizes({ bytes, gzipped }: Sizes): string {
  const megabytes = (count: number) => `${(count / 1e6).toFixed(2)} MB`;
  return `${megabytes(bytes)}, ${megabytes(gzipped)} gzipped`;
}
