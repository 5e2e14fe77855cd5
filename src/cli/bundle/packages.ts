import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { BundleError } from "./bundle-error.js";

/** A package that commands need, where it is and where the bundle has it. */
export interface PackageHere {
  readonly name: string;
  readonly version: string;
  /** as SPDX names it */
  readonly licence: string;
  /** who wrote it, where it says so */
  readonly author: string | null;
  /** a person, a project, an address: where there is more to know */
  readonly source: string;
  readonly folder: string;
  /** relative to the package of revort */
  readonly place: string;
}

/** The part of a package.json that is read here. */
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name?: string };
  readonly homepage?: string;
  readonly repository?: string | { readonly url?: string };
  readonly exports?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** Browsers' runtimes, types, and what only install scripts and programs of packages use. */
const notNeeded =
  /^(onnxruntime-web|adm-zip|global-agent|iconv-lite|rw|vega-typings|@types\/.*|@tensorflow\/.*)$/;

export function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/**
 * The packages that revort needs, with those that they need in turn, as Node finds them from where they are. What is optional
 * and not installed is passed over.
 *
 * @throws {BundleError} for one that is missing
 */
export function packagesFor(root: string): PackageHere[] {
  const found = new Map<string, PackageHere>();
  const add = (from: { readonly folder: string; readonly place: string }, manifest: Manifest): void => {
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = manifest;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      if (notNeeded.test(name)) continue;
      const folder = folderOf(name, from.folder);
      if (folder === null) {
        if (!Object.hasOwn(dependencies, name) || Object.hasOwn(optionalDependencies, name)) continue;
        throw new BundleError(
          `The package ${name}, which ${manifest.name} needs, is not installed. Run \`npm install\`.`,
        );
      }
      // Node looks beside a package first: one of another version goes into the folder of whoever needs it
      const usual = join("node_modules", name);
      const taken = found.get(usual);
      const place = taken === undefined || taken.folder === folder ? usual : join(from.place, usual);
      if (found.has(place)) continue;
      const own = manifestIn(folder);
      const { repository, homepage, license: named = "" } = own;
      const author = (typeof own.author === "object" ? own.author.name : own.author) ?? null;
      const source = homepage ?? (typeof repository === "object" ? repository.url : repository) ?? "";
      const here = { name, version: own.version, licence: named, author, source, folder, place };
      found.set(place, here);
      add(here, own);
    }
  };
  add({ folder: root, place: "" }, manifestIn(root));
  return [...found.values()].sort((a, b) => (a.place < b.place ? -1 : 1));
}

/** Where Node finds a package from a folder; `null` if nowhere. */
function folderOf(name: string, from: string): string | null {
  for (let at = realpathSync(from); ; at = dirname(at)) {
    const folder = join(at, "node_modules", name);
    if (existsSync(join(folder, "package.json"))) return realpathSync(folder);
    if (dirname(at) === at) return null;
  }
}

/** For those who develop: types, maps, sources, tests, documents. For pages without a bundler: modules of another form. */
const others = [
  /\.([cm]?ts|map|flow|md|markdown|tsbuildinfo|png)$/i,
  /^(tests?|__tests__|docs?|examples?|benchmarks?|\.\w+)\//i,
  /\.min\.js$|^umd\//,
];
const licence = /^(licen[cs]e|copying|notice)/i;

/** What is needed of packages that hold much more, by the paths in them. */
const needed: Readonly<Record<string, (path: string) => boolean>> = {
  // the library of this platform, without those of GPUs beside it
  "onnxruntime-node": (path) =>
    !path.startsWith("bin/") ||
    (path.includes(`/${process.platform}/${process.arch}/`) &&
      !/providers_|directml|dxcompiler|dxil/i.test(path)),
  // the tokens of GPT-2
  "gpt-tokenizer": (path) =>
    path.startsWith("esm/")
      ? !/^esm\/(bpeRanks|encoding|encodingParams)\/(?!r50k_base|constants)|^esm\/(model|fixtures)\//.test(
          path,
        )
      : !/^(cjs|data|src)\//.test(path),
  "@expo-google-fonts/source-sans-3": (path) =>
    !path.endsWith(".ttf") || /^(400Regular|600SemiBold)\//.test(path),
  // modules alone
  vega: (path) => !path.startsWith("build/") || path === "build/vega.module.js",
  "csv-parse": (path) => !path.startsWith("dist/"),
  "@bufbuild/protobuf": (path) => !path.startsWith("dist/cjs/"),
  zod: (path) => !/\.cjs$|^(v3|v4-mini|mini)\//.test(path),
};

/** D3 and Vega have each package as sources and built, of which one is what Node takes. */
function oneForm(folder: string): (path: string) => boolean {
  const { exports } = manifestIn(folder);
  const entry = typeof exports === "object" ? exports.default : undefined;
  const [, form] = /^\.\/(build|dist|src)\//.exec(entry ?? "") ?? [];
  const isOther = (path: string) => /^(build|dist|src)\//.test(path) && !path.startsWith(`${form}/`);
  const isDouble = (path: string) => entry?.endsWith(".mjs") === true && path.endsWith(".js");
  return (path) => form === undefined || !(isOther(path) || isDouble(path));
}

/** The files of a package that commands, or its licence, need: paths relative to its folder. */
export function filesOf({ name, folder }: Pick<PackageHere, "name" | "folder">): string[] {
  const isNeeded = needed[name] ?? (/^(d3|vega)-/.test(name) ? oneForm(folder) : () => true);
  return filesUnder(folder).filter((path) => {
    if (path.startsWith("node_modules/")) return false;
    return licence.test(path) || (!others.some((kind) => kind.test(path)) && isNeeded(path));
  });
}

/** The texts of a package's licence that it holds: paths relative to its folder. */
export function licencesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => licence.test(name))
    .sort();
}

/** All files under a folder, with `/` between the parts of their paths; links are not followed. */
export function filesUnder(folder: string, within = ""): string[] {
  return readdirSync(join(folder, within), { withFileTypes: true })
    .flatMap((entry) => {
      const path = within === "" ? entry.name : `${within}/${entry.name}`;
      if (entry.isDirectory()) return path === "node_modules" ? [] : filesUnder(folder, path);
      return entry.isFile() ? [path] : [];
    })
    .sort();
}
