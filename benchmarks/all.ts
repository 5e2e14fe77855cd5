/**
 * Runs all benchmarks of revort alone, or those with peers, keeps their results, and rewrites what is made from them.
 *
 *   npm run bench           npx tsx benchmarks/all.ts [--only scaling,auto] [--rounds 3]
 *   npm run bench:peers     npx tsx benchmarks/all.ts --peers
 *
 * One that fails is said and does not stop the others. `--rounds` goes to each that takes rounds. Nothing else should run
 * on the machine.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { say, targetsTable } from "./conclude.js";
import { writeReports } from "./report.js";
import { readResults } from "./results.js";

interface Run {
  readonly name: string;
  readonly words: readonly string[];
  readonly rounds: boolean;
}

const alone: readonly Run[] = [
  { name: "white-dwarf", words: [], rounds: true },
  { name: "batched-mlp", words: ["--batch", "512,16", "--width", "64,32", "--parts", "1,2"], rounds: true },
  { name: "start-up", words: [], rounds: true },
  { name: "scaling", words: [], rounds: true },
  { name: "experiments", words: [], rounds: true },
  { name: "auto", words: [], rounds: true },
  { name: "runtimes", words: [], rounds: true },
  { name: "serving", words: [], rounds: false },
  { name: "operators", words: [], rounds: false },
  { name: "kernels", words: [], rounds: true },
];

const withPeers: readonly Run[] = [
  { name: "peers", words: [], rounds: true },
  { name: "training", words: [], rounds: true },
  { name: "experiment-peers", words: [], rounds: true },
  { name: "work-precision", words: [], rounds: true },
  { name: "javascript-peers", words: [], rounds: true },
  { name: "language-model", words: [], rounds: true },
];

const { values: options } = parseArgs({
  options: {
    peers: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string" },
  },
});
const only = options.only?.split(",");
const runs = (options.peers ? withPeers : alone).filter(({ name }) => only?.includes(name) ?? true);
const failed: string[] = [];
for (const { name, words, rounds } of runs) {
  const given = rounds && options.rounds !== undefined ? ["--rounds", options.rounds] : [];
  say(`\n== ${name}`);
  const program = join(import.meta.dirname, `${name}.ts`);
  const child = spawn(
    process.execPath,
    ["--import", import.meta.resolve("tsx"), program, ...words, ...given, "--save"],
    { stdio: "inherit" },
  );
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) failed.push(name);
}

await writeReports();
const results = readResults();
const own = runs.flatMap(({ name }) => results.get(name)?.targets ?? []);
console.log(`\n${targetsTable(own)}`);
for (const name of failed) console.log(`\n${name} failed; its results are those of an earlier run, if any.`);
process.exitCode = failed.length > 0 ? 1 : 0;
