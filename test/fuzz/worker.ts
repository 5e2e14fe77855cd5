import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { chanceOf } from "./chance.js";
import { fileMutant, finishedRun, useFile } from "./files.js";
import { startingModels } from "./models.js";
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

const attempt = await (async (): Promise<(index: number) => Promise<Outcome>> => {
  const path = (index: number, name: string) => join(folder, `${kind}-${seed}-${index}.${name}`);
  if (kind === "models") {
    const starts = startingModels();
    return (index) => {
      const chance = chanceOf(seed, index);
      const start = chance.of(starts);
      const bytes = mutateModel(start, chance);
      writeFileSync(join(folder, `current-${process.pid}`), bytes);
      say({ index, start: start.name, path: path(index, "onnx") });
      return useModel(bytes);
    };
  }
  const run = await finishedRun();
  return (index) => {
    const mutant = fileMutant(chanceOf(seed + 1_000_000, index), run);
    writeFileSync(join(folder, `current-${process.pid}`), mutant.bytes);
    say({ index, start: mutant.kind.name, path: path(index, mutant.kind.name.replaceAll(" ", "-")) });
    return useFile(mutant.kind, mutant.bytes, run);
  };
})();

for (let index = Number(fromText); index < Number(toText); index++) {
  const { done, fault } = await attempt(index);
  say({ index, done, fault });
}
