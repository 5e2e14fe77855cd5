import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { version } from "../src/version.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "src");

interface Layer {
  readonly name: string;
  /** builds graphs: synchronous, pure, deterministic */
  readonly pure?: true;
  /** may use Node's own modules, which no browser has */
  readonly node?: true;
  /** the only folders it may import, where those are fewer than all below it */
  readonly only?: readonly string[];
}

/** The folders of src/ from the bottom: each may import itself and what stands before it. */
const layers: readonly Layer[] = [
  { name: "version", pure: true },
  { name: "core", pure: true },
  { name: "graph", pure: true },
  { name: "ops", pure: true },
  { name: "autodiff", pure: true },
  { name: "chains", pure: true },
  { name: "import", pure: true },
  { name: "fields", pure: true },
  { name: "nn", pure: true },
  { name: "systems", pure: true },
  { name: "methods", pure: true },
  { name: "learning", pure: true },
  { name: "control", pure: true },
  { name: "events", pure: true },
  { name: "programs", pure: true },
  { name: "runtime" },
  { name: "graph-model", pure: true },
  // the runtimes themselves are leaves: see `entryPoints`
  { name: "runtimes", only: ["version", "core", "graph", "ops", "import", "runtime", "graph-model"] },
  { name: "storage", node: true, only: ["core"] },
  { name: "plot", node: true, only: ["core"] },
  { name: "integrate" },
  { name: "gradients" },
  { name: "train" },
  { name: "equilibrium", pure: true },
  { name: "models" },
  { name: "language" },
  { name: "deploy", node: true },
  { name: "library" },
  { name: "experiments" },
  { name: "figures", node: true },
  { name: "serve", node: true },
  { name: "cli", node: true },
  // the public names of folders: ops.ts, nn.ts and language.ts
  { name: "doors", pure: true },
  { name: "browser" },
  // the same and the doors, as one module
  { name: "bundle", only: ["browser", "doors"] },
  // the page, all of it for a browser
  { name: "web" },
  { name: "index" },
  // what needs packages that are not installed with revort
  { name: "tfjs" },
];

/** What may choose a runtime, and so import one: files that are run, and the public names. */
const entryPoints = [
  ...["cli/", "serve/", "web/runtimes.ts", "figures/memory-of-one.ts"],
  ...["browser.ts", "index.ts", "tfjs.ts"],
];

/** Files of other layers that may use Node's modules: worker threads are Node's, and so are the libraries of its packages. */
const nodeFiles = [
  "runtimes/thread.ts",
  "runtimes/thread-messages.ts",
  "runtimes/thread-worker.ts",
  "runtimes/node-threads.ts",
  "runtimes/ort-cuda.ts",
  "runtimes/relaxed-simd.ts",
];

/** Files that import each other, types included: a value has the scope that it was built in, and none are to be added. */
const tangled: readonly (readonly string[])[] = [
  ["graph/graph.ts", "graph/builder.ts", "graph/check-call.ts"],
];

interface Import {
  /** the file that is imported, from src/, or the name of a package */
  readonly target: string;
  readonly own: boolean;
  /** whether nothing of it is left when the types are gone */
  readonly typeOnly: boolean;
}

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.replaceAll("\\", "/"))
  .sort();

/** A file without its comments. */
function codeOf(file: string): string {
  const text = readFileSync(join(source, file), "utf8");
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

function importsOf(file: string): Import[] {
  const code = codeOf(file);
  const statements = code.matchAll(/^\s*(?:import|export)\s+(type\s)?[^"';]*?from\s+"([^"]+)"/gm);
  const others = code.matchAll(/\bimport\s*\(?\s*(type\s)?"([^"]+)"/g);
  return [...statements, ...others].map(([, type, specifier]) => {
    const own = specifier!.startsWith(".");
    const path = join(dirname(join(source, file)), specifier!).replace(/\.js$/, ".ts");
    return {
      target: own ? relative(source, path).replaceAll("\\", "/") : specifier!,
      own,
      typeOnly: type !== undefined,
    };
  });
}

/** Files of src/ that give out what folders of their names hold. */
const doors = ["ops.ts", "nn.ts", "language.ts"];

const layerOf = (file: string): string =>
  doors.includes(file) ? "doors" : file.split("/")[0]!.replace(/\.ts$/, "");
const imports = new Map(files.map((file) => [file, importsOf(file)]));
const all = [...imports].flatMap(([file, targets]) => targets.map((target) => ({ file, ...target })));

describe("architecture", () => {
  it("is read as it is: many files, many imports, each to a file that there is", () => {
    expect(files.length).to.be.above(100);
    expect(all.length).to.be.above(500);
    const missing = all.filter(({ own, target }) => own && !files.includes(target));
    expect(missing.map(({ file, target }) => `${file} → ${target}`)).to.deep.equal([]);
    // in a file that uses all kinds
    expect(importsOf("index.ts").some(({ target }) => target === "runtimes/ort-node.ts")).to.equal(true);
    expect(importsOf("runtimes/ort-node.ts").some(({ target }) => target === "onnxruntime-node")).to.equal(
      true,
    );
  });

  it("has a place for each folder of src/", () => {
    const known = layers.map(({ name }) => name);
    expect([...new Set(files.map(layerOf))].filter((name) => !known.includes(name))).to.deep.equal([]);
  });

  it("imports only downwards", () => {
    const wrong = all.flatMap(({ file, target, own }) => {
      if (!own) return [];
      const [from, to] = [layerOf(file), layerOf(target)];
      if (from === to) return [];
      const height = layers.findIndex(({ name }) => name === from);
      const { only } = layers[height]!;
      const below = layers.slice(0, height).map(({ name }) => name);
      const allowed = (only ?? below).includes(to) && below.includes(to);
      return allowed ? [] : [`${file} → ${target}`];
    });
    expect(wrong).to.deep.equal([]);
  });

  it("chooses a runtime at entry points alone", () => {
    const wrong = all
      .filter(
        ({ file, target, own }) => own && layerOf(target) === "runtimes" && layerOf(file) !== "runtimes",
      )
      .filter(({ file }) => !entryPoints.some((entry) => file.startsWith(entry)));
    expect(wrong.map(({ file, target }) => `${file} → ${target}`)).to.deep.equal([]);
  });

  it("has no cycle of imports, of types neither", () => {
    const state = new Map<string, "open" | "done">();
    const path: string[] = [];
    const cycles: string[] = [];
    const visit = (file: string): void => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") {
        const cycle = path.slice(path.indexOf(file));
        if (!tangled.some((known) => cycle.every((one) => known.includes(one)))) {
          cycles.push([...cycle, file].join(" → "));
        }
        return;
      }
      state.set(file, "open");
      path.push(file);
      for (const { target, own } of imports.get(file) ?? []) if (own) visit(target);
      path.pop();
      state.set(file, "done");
    };
    files.forEach(visit);
    expect(cycles).to.deep.equal([]);
  });

  const of = (which: (layer: Layer) => boolean) => {
    const names = layers.filter(which).map(({ name }) => name);
    return files.filter((file) => names.includes(layerOf(file)));
  };

  it("waits for nothing below the runtime: what builds graphs is synchronous", () => {
    const pure = of((layer) => layer.pure === true);
    expect(pure.length).to.be.above(50);
    const waiting = pure.filter((file) => /\b(async|await|Promise|setTimeout)\b/.test(codeOf(file)));
    expect(waiting).to.deep.equal([]);
  });

  it("draws no random numbers and reads no clock where graphs are built", () => {
    const impure = of((layer) => layer.pure === true).filter((file) =>
      /\bMath\.random\b|\bDate\b|\bperformance\b|\bprocess\./.test(codeOf(file)),
    );
    expect(impure).to.deep.equal([]);
  });

  it("uses Node's modules only where files and processes are handled", () => {
    const wrong = of((layer) => layer.node !== true).flatMap((file) =>
      (nodeFiles.includes(file) ? [] : importsOf(file))
        .filter(({ target, own }) => !own && target.startsWith("node:"))
        .map(({ target }) => `${file} → ${target}`),
    );
    expect(wrong).to.deep.equal([]);
  });
});

/** Files that are run or opened, and not imported by another of src/. */
const roots = [
  ...["index.ts", "tfjs.ts", "bundle.ts", "ops.ts", "nn.ts", "language.ts", "cli/bin.ts"],
  ...["figures/memory-of-one.ts", "runtimes/thread-worker.ts", "serve/worker.ts", "cli/bench/host.ts"],
  ...["web/main.ts", "web/worker.ts"],
];

/** Things of which there is a list, by how they are declared: whoever adds one and forgets the list is told. */
const listed: Readonly<Record<string, { readonly folder: string; readonly declared: RegExp }>> = {
  operators: { folder: "ops/", declared: /^export const (\w+): Op\b/gm },
  tableaux: {
    folder: "methods/tableaux/",
    declared: /^export const (\w+) = \{$|^export const (\w+) = \{ name/gm,
  },
  layers: { folder: "nn/", declared: /^export function (\w+)\([^;{]*\): (?:\w*Layer|\w*Cell)\b/gm },
  experiments: { folder: "experiments/", declared: /^export const (\w+): (?:Task)?Experiment\b/gm },
  adjoints: {
    folder: "chains/",
    declared: /^(?:export )?const (\w+) = \{(?=(?:(?!^\})[\s\S])*^\} as const satisfies ChainAdjoint)/gm,
  },
  "rules of TensorFlow.js": { folder: "graph-model/", declared: /^export const (\w+): Rules\b/gm },
};

describe("what is added in one place", () => {
  it("is a file that another takes in", () => {
    const taken = new Set(all.filter(({ own }) => own).map(({ target }) => target));
    expect(files.filter((file) => !taken.has(file) && !roots.includes(file))).to.deep.equal([]);
  });

  for (const [what, { folder, declared }] of Object.entries(listed)) {
    it(`is in its list: ${what}`, () => {
      const found = files
        .filter((file) => file.startsWith(folder))
        .flatMap((file) =>
          [...codeOf(file).matchAll(declared)].map(([, name, other]) => ({ file, name: (name ?? other)! })),
        );
      expect(found.length).to.be.above(0);
      const elsewhere = (own: string, name: string) =>
        files.some((file) => file !== own && new RegExp(`\\b${name}\\b`).test(codeOf(file)));
      // a list may be in the same file, where the names of records are among their strings
      const listedThere = (own: string, name: string) =>
        [
          ...codeOf(own)
            .replace(/"[^"\n]*"/g, "")
            .matchAll(new RegExp(`\\b${name}\\b`, "g")),
        ].length > 1;
      const forgotten = found.filter(({ file, name }) => !elsewhere(file, name) && !listedThere(file, name));
      expect(forgotten.map(({ file, name }) => `${file}: ${name}`)).to.deep.equal([]);
    });
  }
});

describe("what a browser takes", () => {
  it("needs no module of Node, by any way", () => {
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const { target, own, typeOnly } of imports.get(file) ?? []) if (own && !typeOnly) visit(target);
    };
    for (const entry of ["bundle.ts", "web/main.ts", "web/worker.ts"]) visit(entry);
    expect(reached.size).to.be.above(100);
    const wrong = [...reached].flatMap((file) =>
      importsOf(file)
        .filter(({ target, own, typeOnly }) => !own && !typeOnly && /^node:|-node$/.test(target))
        .map(({ target }) => `${file} → ${target}`),
    );
    expect(wrong).to.deep.equal([]);
    for (const file of reached) expect(/\bprocess\.|\bBuffer\./.test(codeOf(file)), file).to.equal(false);
  });

  it("is all that Node has, but for files, threads and ONNX Runtime's binding, with which calls run", () => {
    const own = importsOf("index.ts").map(({ target }) => target);
    expect(own).to.have.members([
      "browser.ts",
      "deploy/load-model.ts",
      "library/calls.ts",
      "runtimes/auto-node.ts",
      "runtimes/auto-node.ts",
      "runtimes/node-threads.ts",
      "runtimes/ort-cuda.ts",
      "runtimes/ort-node.ts",
      "runtimes/thread.ts",
    ]);
  });
});

describe("the version", () => {
  it("is that of package.json", () => {
    const { version: published } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      version: string;
    };
    expect(version).to.equal(published);
  });
});
