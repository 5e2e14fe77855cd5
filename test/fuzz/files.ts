import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { RevortError } from "../../src/core/errors.js";
import { tensor } from "../../src/core/tensor.js";
import { decodeCheckpoint } from "../../src/deploy/checkpoint-file.js";
import { parseTimeSeries } from "../../src/storage/csv.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/storage/safetensors.js";
import { parseWhitespaceTable } from "../../src/storage/whitespace-table.js";
import { type Chance, mutateBytes } from "./chance.js";
import type { Outcome } from "./use-model.js";

// Files that are no models: data, parameters, and the folder of a run.

const encode = (text: string) => new TextEncoder().encode(text);
const decodeText = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A table with gaps, comments and quotes. */
function table(separator: string): string {
  const rows = Array.from({ length: 12 }, (_, i) => {
    const t = i / 4;
    return [t, Math.cos(t).toFixed(4), i === 5 ? "NA" : (-Math.sin(t)).toFixed(4)].join(separator);
  });
  return [["t", '"x, in m"', "v"].join(separator), "# a comment", ...rows, ""].join("\n");
}

const parameters = encodeSafetensors(
  {
    weight: tensor("float64", [2, 3], [1, 2, 3, 4, 5, 6]),
    bias: tensor("float32", [3], [0, 0.5, 1]),
    step: tensor("int64", [], [7n]),
  },
  { note: "to be changed" },
);

const oddCells = [
  ...[
    "",
    "NA",
    "nan",
    "null",
    "-",
    "1e999",
    "-1e999",
    "1e-999",
    "0x10",
    "1,5",
    "1.5.2",
    "∞",
    "Infinity",
    "12abc",
  ],
  ...[
    '"',
    '""',
    '"a',
    "\t",
    ";",
    ",",
    "#",
    "%",
    "\ufeff",
    "\u0000",
    "\u001b[2J",
    " ",
    "9".repeat(400),
    "x".repeat(5000),
  ],
];

/** Text with cells, lines and separators changed. */
function mutateText(text: string, chance: Chance): string {
  const lines = text.split("\n");
  for (let i = 0; i <= chance.below(3); i++) {
    const at = chance.below(lines.length);
    const cells = (lines[at] ?? "").split(",");
    chance.of([
      () => {
        cells[chance.below(cells.length)] = chance.of(oddCells);
        lines[at] = cells.join(",");
      },
      () => lines.splice(at, 1),
      () => lines.splice(at, 0, lines[chance.below(lines.length)]!),
      () => lines.splice(at, 0, chance.of(oddCells)),
      () => {
        lines[at] = [...cells, chance.of(oddCells)].join(",");
      },
      () => lines.reverse(),
      () => {
        lines[at] = cells.slice(1).join(",");
      },
      () => lines.splice(0, lines.length, lines.join("\r\n")),
      () =>
        lines.splice(0, lines.length, lines.join("\n").replaceAll(",", chance.of([";", "\t", " ", ",,"]))),
      () => lines.splice(at),
    ])();
  }
  return lines.join("\n");
}

const oddValues: readonly unknown[] = [
  ...[null, true, "", "x", "__proto__", 0, -1, 0.5, 1e21, 2 ** 53, -(2 ** 31), 1e308],
  ...[[], {}, [[]], [1, 2, 3], { a: 1 }, "\u001b[31m", "../../x", "mlp:999999999", "mlp:", "rk4"],
];

/** JSON with a value, somewhere inside, changed, removed, added or nested. */
function mutateJson(json: unknown, chance: Chance): unknown {
  if (typeof json !== "object" || json === null || chance.holds(0.05)) return chance.of(oddValues);
  const copy: Record<string, unknown> = Array.isArray(json)
    ? ([...json] as unknown as Record<string, unknown>)
    : { ...json };
  const keys = Object.keys(copy);
  const key = keys.length === 0 ? "x" : chance.of(keys);
  chance.of([
    () => {
      copy[key] = mutateJson(copy[key], chance);
    },
    () => {
      copy[key] = mutateJson(copy[key], chance);
    },
    () => {
      copy[key] = chance.of(oddValues);
    },
    () => delete copy[key],
    () => {
      copy[chance.text()] = chance.of(oddValues);
    },
  ])();
  return copy;
}

function mutateJsonText(text: string, chance: Chance): string {
  let json: unknown = JSON.parse(text);
  for (let i = 0; i <= chance.below(3); i++) json = mutateJson(json, chance);
  return JSON.stringify(json) ?? "";
}

/** The header of a safetensors file, as JSON, changed; or its bytes. */
function mutateSafetensors(bytes: Uint8Array, chance: Chance): Uint8Array {
  if (chance.holds(0.4)) return mutateBytes(bytes, chance);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = encode(mutateJsonText(decodeText(bytes.subarray(8, 8 + length)), chance));
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(
    0,
    chance.holds(0.9) ? BigInt(header.length) : BigInt.asUintN(64, chance.integer()),
    true,
  );
  return Uint8Array.from([...size, ...header, ...bytes.subarray(8 + length)]);
}

/** What the files of a finished run hold, by name. */
export type RunFiles = ReadonlyMap<string, Uint8Array>;

/** A kind of file: how a mutant is made, and what a user does with it. */
interface FileKind {
  readonly name: string;
  readonly mutant: (chance: Chance, run: RunFiles) => Uint8Array;
  readonly use: (bytes: Uint8Array, run: RunFiles) => unknown;
}

async function inFolder<T>(files: RunFiles, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "revort-fuzz-"));
  try {
    for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a command line, and throws what it did not expect. */
async function command(...words: string[]): Promise<void> {
  const { main } = await import("../../src/cli/main.js");
  let text = "";
  const stream = () =>
    new Writable({
      write(chunk, _encoding, done) {
        text += chunk;
        done();
      },
    });
  const stop = new AbortController();
  await main([...words, "--debug"], { stdout: stream(), stderr: stream(), stopSignal: () => stop.signal });
  // with --debug a failure shows its class: revort's own errors have names of their own
  const unexpected =
    /(^|\n)(revort: )?(TypeError|RangeError|SyntaxError|ReferenceError|Error|AssertionError):/.exec(text);
  if (unexpected !== null) throw new Error(text.slice(unexpected.index, unexpected.index + 2000));
}

const tables: readonly [string, string][] = [
  ["csv", table(",")],
  ["tsv", table("\t")],
  ["semicolons", table(";")],
];

function replaced(run: RunFiles, name: string, bytes: Uint8Array): RunFiles {
  return new Map([...run, [name, bytes]]);
}

const kinds: readonly FileKind[] = [
  ...tables.map(
    ([name, text]): FileKind => ({
      name,
      mutant: (chance) =>
        chance.holds(0.3) ? mutateBytes(encode(text), chance) : encode(mutateText(text, chance)),
      use: (bytes) => parseTimeSeries(decodeText(bytes), { source: name }),
    }),
  ),
  {
    name: "columns",
    mutant: (chance) => encode(mutateText(`% a b\n${table(" ").split("\n").slice(2).join("\n")}`, chance)),
    use: (bytes) => parseWhitespaceTable(decodeText(bytes), { source: "columns" }),
  },
  {
    name: "safetensors",
    mutant: (chance) => mutateSafetensors(parameters, chance),
    use: (bytes) => decodeSafetensors(bytes),
  },
  {
    name: "checkpoint",
    mutant: (chance, run) => mutateSafetensors(run.get("checkpoint.safetensors")!, chance),
    use: (bytes) => decodeCheckpoint(bytes, "checkpoint.safetensors"),
  },
];

/** Those that go through a command of their own, which takes longer. */
const commands: readonly FileKind[] = [
  {
    name: "train on csv",
    mutant: (chance) => encode(mutateText(table(","), chance)),
    use: (bytes) =>
      inFolder(new Map([["data.csv", bytes]]), (folder) =>
        command(
          "train",
          join(folder, "data.csv"),
          "--field",
          "mlp:2",
          "--steps",
          "1",
          "--runtime",
          "jit",
          "--out",
          join(folder, "run"),
        ),
      ),
  },
  {
    name: "resume with another run.json",
    mutant: (chance, run) => {
      const bytes = run.get("run.json")!;
      return chance.holds(0.2)
        ? mutateBytes(bytes, chance)
        : encode(mutateJsonText(decodeText(bytes), chance));
    },
    use: (bytes, run) =>
      inFolder(replaced(run, "run.json", bytes), (folder) =>
        command("train", "--resume", folder, "--steps", "3"),
      ),
  },
  {
    name: "resume with another checkpoint",
    mutant: (chance, run) => mutateSafetensors(run.get("checkpoint.safetensors")!, chance),
    use: (bytes, run) =>
      inFolder(replaced(run, "checkpoint.safetensors", bytes), (folder) =>
        command("train", "--resume", folder, "--steps", "3"),
      ),
  },
  {
    name: "resume with other data",
    mutant: (chance, run) => encode(mutateText(decodeText(run.get("data.csv")!), chance)),
    use: (bytes, run) =>
      inFolder(replaced(run, "data.csv", bytes), (folder) =>
        command("train", "--resume", folder, "--steps", "3"),
      ),
  },
  {
    name: "export with other parameters",
    mutant: (chance, run) => mutateSafetensors(run.get("params.safetensors")!, chance),
    use: (bytes, run) =>
      inFolder(replaced(run, "params.safetensors", bytes), (folder) =>
        command("export", folder, "--out", join(folder, "exported.onnx")),
      ),
  },
];

/** A run of two updates, whose files mutants are made of. */
export async function finishedRun(): Promise<RunFiles> {
  return inFolder(new Map([["data.csv", encode(table(","))]]), async (folder) => {
    const out = join(folder, "run");
    await command(
      "train",
      join(folder, "data.csv"),
      "--field",
      "mlp:2",
      "--steps",
      "2",
      "--runtime",
      "jit",
      "--out",
      out,
    );
    const { readdir, readFile } = await import("node:fs/promises");
    const names = (await readdir(out)).filter((name) => !/\.(svg|png)$/.test(name));
    return new Map(
      await Promise.all(names.map(async (name) => [name, await readFile(join(out, name))] as const)),
    );
  });
}

/** A mutant of a file that is no model. Every eighth goes through a command. */
export function fileMutant(chance: Chance, run: RunFiles): { kind: FileKind; bytes: Uint8Array } {
  const kind = chance.of(chance.holds(1 / 8) ? commands : kinds);
  return { kind, bytes: kind.mutant(chance, run) };
}

/** Does what a user does with a file. */
export async function useFile(kind: FileKind, bytes: Uint8Array, run: RunFiles): Promise<Outcome> {
  try {
    await kind.use(bytes, run);
    return { done: [kind.name], fault: null };
  } catch (error) {
    if (error instanceof RevortError) return { done: [], fault: null };
    return { done: [], fault: `${kind.name}: ${error instanceof Error ? error.stack : error}` };
  }
}
