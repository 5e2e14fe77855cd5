import { nearName } from "../../core/near-name.js";
import { UsageError } from "../usage.js";

// What a sweep goes over: seeds, and values of options.

/** An option by its name without dashes, and the values that it takes in turn. */
export interface GridAxis {
  readonly option: string;
  readonly values: readonly string[];
}

/** One choice of values, and a seed. */
export interface SweepPoint {
  /** by the names of options */
  readonly values: Readonly<Record<string, string>>;
  readonly seed: number;
  /** what its run is called within the sweep's folder */
  readonly name: string;
}

const mostRuns = 10_000;

/** Seeds from `0:10` (ten of them, 0 to 9) or `0,3,7`. @throws {UsageError} */
export function parseSeeds(text: string): number[] {
  const wrong = () =>
    new UsageError(
      `--seeds takes FROM:TO (0:10 is ten seeds, 0 to 9) or whole numbers with commas, but "${text}" was given.`,
    );
  const words = text.split(text.includes(":") ? ":" : ",").map((word) => word.trim());
  if (!words.every((word) => /^\d{1,15}$/.test(word))) throw wrong();
  const numbers = words.map(Number);
  if (!text.includes(":")) return unrepeated("--seeds", numbers);
  const [from, to] = numbers as [number, number];
  if (numbers.length !== 2 || to <= from) throw wrong();
  if (to - from > mostRuns) {
    throw new UsageError(`--seeds ${text} means ${to - from} seeds; give ${mostRuns} at most.`);
  }
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** An axis from `learning-rate=1e-2,1e-3`; values that hold commas are separated by semicolons. @throws {UsageError} */
export function parseAxis(text: string): GridAxis {
  const [, option, values] = /^(?:--)?([a-z][a-z0-9-]*)=(.*)$/s.exec(text.trim()) ?? [];
  if (option === undefined || values === undefined) {
    throw new UsageError(
      `--grid takes OPTION=VALUE,VALUE,…, as learning-rate=1e-2,1e-3 (or field=mlp:16;mlp:32,32), but "${text}" was given.`,
    );
  }
  const list = values.split(values.includes(";") ? ";" : ",").map((value) => value.trim());
  if (list.some((value) => value === "")) {
    throw new UsageError(`--grid ${option} has an empty value in "${values}"; leave it out.`);
  }
  return { option, values: unrepeated(`--grid ${option}`, list) };
}

function unrepeated<T>(what: string, list: readonly T[]): T[] {
  const twice = list.find((value, i) => list.indexOf(value) !== i);
  if (twice === undefined) return [...list];
  throw new UsageError(`${what} has ${twice} twice; give each once.`);
}

/** @throws {UsageError} for an option that there is not, with the one that was perhaps meant */
export function unknownOption(option: string, known: readonly string[]): UsageError {
  const near = nearName(option, known);
  return new UsageError(
    `A sweep cannot set "${option}"${near === undefined ? "" : `; did you mean "${near}"?`} It takes options of ` +
      `revort train, without dashes: ${known.join(", ")}.`,
  );
}

/** Every choice of values with every seed, the last axis and then the seeds fastest. @throws {UsageError} */
export function pointsOf(grid: readonly GridAxis[], seeds: readonly number[]): SweepPoint[] {
  const runs = grid.reduce((product, { values }) => product * values.length, seeds.length);
  if (runs > mostRuns)
    throw new UsageError(`This sweep has ${runs} runs; give fewer values (${mostRuns} at most).`);
  const choices = grid.reduce<Record<string, string>[]>(
    (all, { option, values }) => all.flatMap((one) => values.map((value) => ({ ...one, [option]: value }))),
    [{}],
  );
  const taken = new Set<string>();
  return choices.flatMap((values) =>
    seeds.map((seed) => {
      const words = [
        ...Object.entries(values).map(([option, value]) => `${option}-${value}`),
        `seed-${seed}`,
      ];
      const plain = words.map((word) => word.replace(/[^\w.+-]+/g, "-")).join("_");
      let name = plain;
      for (let i = 2; taken.has(name); i++) name = `${plain}-${i}`;
      taken.add(name);
      return { values, seed, name };
    }),
  );
}
