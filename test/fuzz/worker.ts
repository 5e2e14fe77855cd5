import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { chanceOf } from "./chance.js";
import { compare } from "./compare.js";
import { fileMutant, finishedRun, useFile } from "./files.js";
import { ownModels, startingModels } from "./models.js";
import { mutateModel } from "./mutate-model.js";
import { type Outcome, useModel } from "./use-model.js";

// A batch of mutants in a process of its own, which may hang, crash or be stopped: each is announced before it is
// tried, and lies in a file until it is done.

const [kind, seedText, fromText, toText, folder] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const seed = Number(seedText);

const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Tries a mutant; one with which something is wrong is kept. */
async function watched(
  index: number,
  start: string,
  path: string,
  bytes: Uint8Array,
  use: () => Promise<Outcome>,
) {
  writeFileSync(join(folder, `current-${process.pid}`), bytes);
  say({ index, start, path });
  const outcome = await use();
  if (outcome.fault !== null) writeFileSync(path, bytes);
  return outcome;
}

const attempt = await (async (): Promise<(index: number) => Promise<Outcome>> => {
  const path = (index: number, name: string) => join(folder, `${kind}-${seed}-${index}.${name}`);
  if (kind === "models") {
    const starts = startingModels();
    return (index) => {
      const chance = chanceOf(seed, index);
      const start = chance.of(starts);
      const bytes = mutateModel(start, chance);
      return watched(index, start.name, path(index, "onnx"), bytes, () => useModel(bytes));
    };
  }
  if (kind === "compared") {
    const starts = ownModels();
    return (index) => {
      const chance = chanceOf(seed + 2_000_000, index);
      const start = chance.of(starts);
      const bytes = mutateModel(start, chance, 1);
      return watched(index, start.name, path(index, "onnx"), bytes, async () => {
        const found = await compare(bytes);
        return { done: [found.kind], fault: found.kind === "differ" ? found.why : null };
      });
    };
  }
  const run = await finishedRun();
  return (index) => {
    const { kind: use, bytes } = fileMutant(chanceOf(seed + 1_000_000, index), run);
    const at = path(index, use.name.replaceAll(" ", "-"));
    return watched(index, use.name, at, bytes, () => useFile(use, bytes, run));
  };
})();

for (let index = Number(fromText); index < Number(toText); index++) {
  const { done, fault } = await attempt(index);
  say({ index, done, fault });
}
