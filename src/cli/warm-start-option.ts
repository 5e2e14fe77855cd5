import { UsageError } from "./usage.js";

/** Windows to begin with, as `8:400,24:300`, or `none`. @throws {UsageError} */
export function parseStages(text: string): { size: number; updates: number }[] {
  if (text === "none") return [];
  const stages = text.split(",").map((one) => /^\s*(\d+):(\d+)\s*$/.exec(one));
  const found = stages.map((match) => ({ size: Number(match?.[1]), updates: Number(match?.[2]) }));
  if (found.every(({ size, updates }) => size >= 1 && updates >= 1)) return found;
  throw new UsageError(
    `--warm-start takes windows and updates, as 8:400,24:300 (400 updates on windows of 8 gaps between observations, then 300 ` +
      `on 24), or none, but "${text}" was given.`,
  );
}
