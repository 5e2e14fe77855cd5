import { RevortError } from "../core/errors.js";
import { nearName } from "../core/near-name.js";
import { type FloatDType, fromNested, ShapeError, type Tensor } from "../core/tensor.js";
import { type Instant, parseInstant } from "../storage/iso-time.js";

/** A request that cannot be understood: an option with a value it cannot have, or two that contradict each other. */
export class UsageError extends RevortError {}

/** How an option is typed: `--learning-rate` for `learningRate`. */
export function optionFlag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
}

/** A number from the command line. */
export function number(
  option: string,
  accept: (value: number) => boolean = Number.isFinite,
  what = "a number",
) {
  return (text: string): number => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isFinite(value) && accept(value)) return value;
    throw new UsageError(`${option} takes ${what}, but "${text}" was given.`);
  };
}

/** A time: a number, or a date for data that have such. */
export function time(option: string) {
  return (text: string): number | Instant => {
    const moment = parseInstant(text);
    if (moment !== null) return moment;
    if (text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
    throw new UsageError(
      `${option} takes a number, or a date as in ISO 8601 (2024-03-01) where the times of the data are dates, but "${text}" was given.`,
    );
  };
}

export function positive(option: string) {
  return number(option, (value) => value > 0, "a positive number");
}

export function notNegative(option: string) {
  return number(option, (value) => value >= 0, "a number, 0 or more");
}

export function positiveCount(option: string) {
  return number(option, (value) => Number.isSafeInteger(value) && value > 0, "a whole number, 1 or more");
}

export function count(option: string) {
  return number(option, (value) => Number.isSafeInteger(value) && value >= 0, "a whole number, 0 or more");
}

export function port(option: string) {
  return number(
    option,
    (value) => Number.isInteger(value) && value >= 0 && value < 65536,
    "a port, 0 to 65535",
  );
}

const byteUnits: Readonly<Record<string, number>> = {
  ...{ "": 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
};

/** An amount of memory: 500MB, 1.5GiB, or bytes. */
export function byteCount(option: string) {
  return (text: string): number => {
    const match = /^([\d.]+(?:e\d+)?)\s*([a-z]*)$/i.exec(text.trim());
    const bytes = Number(match?.[1]) * (byteUnits[match?.[2]?.toLowerCase() ?? ""] ?? Number.NaN);
    if (Number.isFinite(bytes) && bytes > 0) return bytes;
    throw new UsageError(`${option} takes an amount of memory, as 500MB or 2GiB, but "${text}" was given.`);
  };
}

/** One of a list of words. */
export function oneOf<T extends string>(option: string, words: readonly T[]) {
  return (text: string): T => {
    const word = words.find((candidate) => candidate === text);
    if (word !== undefined) return word;
    const near = nearName(text, words);
    throw new UsageError(
      `${option} takes one of ${words.join(", ")}, but "${text}" was given${near ? `; did you mean "${near}"?` : "."}`,
    );
  };
}

/** A state: numbers with commas, or nested JSON arrays of any rank. */
export function parseState(option: string, text: string, dtype: FloatDType): Tensor {
  const trimmed = text.trim();
  const json = /^[[\d.+-]/.test(trimmed) && !trimmed.startsWith("[") ? `[${trimmed}]` : trimmed;
  let nested: unknown;
  try {
    nested = JSON.parse(json.replace(/([[,\s])\+/g, "$1").replace(/([[,\s-])\./g, "$10."));
  } catch {
    throw new UsageError(
      `${option} takes numbers with commas (1,0) or nested JSON arrays ([[1,0],[0,1]]), but "${text}" was given.`,
    );
  }
  try {
    return fromNested(dtype, nested);
  } catch (cause) {
    if (cause instanceof ShapeError) throw new UsageError(`${option}: ${cause.message}`, { cause });
    throw cause;
  }
}

/** Times to save at: `from:to:by` (both ends, where `by` hits the last) or a list with commas. */
export function parseTimes(option: string, text: string): number[] {
  const one = number(option, Number.isFinite, "times: from:to:by, or numbers with commas");
  if (!text.includes(":")) return text.split(",").map(one);
  const parts = text.split(":");
  const [from, to, by] = parts.map(one) as [number, number, number];
  if (parts.length !== 3 || by === 0 || (to - from) * by < 0) {
    throw new UsageError(
      `${option}: "${text}" must read from:to:by, with a step that leads from the first to the second.`,
    );
  }
  const steps = Math.floor((to - from) / by + 1e-9);
  if (steps > 1e7) throw new UsageError(`${option}: "${text}" means ${steps} times; give fewer.`);
  // the last time is exactly `to` where the step hits it
  return Array.from({ length: steps + 1 }, (_, i) => {
    const time = from + i * by;
    return Math.abs(time - to) <= 1e-9 * Math.abs(by) ? to : time;
  });
}
