import { isReversible } from "../../methods/method.js";
import { methodNamed } from "../../methods/named.js";
import { readBytes } from "../../storage/read.js";
import { modelInputs } from "../run-inputs.js";
import { isModelFile } from "../run-settings.js";
import { aboutSeries, differingOption } from "../series/unchanged.js";
import { optionFlag, UsageError } from "../usage.js";
import type { TaskRun } from "./folder.js";
import type { TaskOptions, TaskSettings } from "./settings.js";

/** Options that a resumed run may be given: they do not change what it computes. */
const free = [
  "threads",
  "steps",
  "resume",
  "out",
  "overwrite",
  "checkpointEvery",
  "json",
  "strict",
  "intervals",
];

/** A resumed run keeps its settings. @throws {UsageError} naming what would change them */
export async function checkUnchanged(
  folder: string,
  { settings, init, field }: Pick<TaskRun, "settings" | "init" | "field">,
  options: TaskOptions,
): Promise<void> {
  const { series } = settings;
  const others = series === null ? [] : aboutSeries;
  const isKept = async (name: string, asked: unknown): Promise<boolean> => {
    if (free.includes(name) || others.includes(name)) return true;
    if (name === "init") return init !== null && Buffer.from(init).equals(await readBytes(asked as string));
    if (name === "reversible")
      return settings.coupling !== null || isReversible(methodNamed(settings.solver));
    return settings[name as keyof TaskSettings] === asked;
  };
  let changed: string | null = series === null ? null : differingOption(series, options);
  if (options.field !== undefined && isModelFile(options.field) && changed === null) {
    const given = await modelInputs(options.field);
    const isSame = [...given].every(([name, bytes]) => sameBytes(bytes, field?.files.get(name)));
    if (!isSame) changed = "field";
  }
  for (const [name, asked] of Object.entries(options)) if (!(await isKept(name, asked))) changed ??= name;
  if (changed === null) return;
  throw new UsageError(
    `The run ${folder} keeps its settings; leave out ${optionFlag(changed)} (only --steps may change), or start a new run.`,
  );
}

function sameBytes(one: Uint8Array | string, other: Uint8Array | string | undefined): boolean {
  return other !== undefined && Buffer.from(one).equals(Buffer.from(other));
}
