import { SizeError, showBytes } from "../core/size.js";
import type { Runtime } from "./runtime.js";

/** Something that a run keeps in memory. */
export interface MemoryNeed {
  /** `10000 stored states` */
  readonly what: string;
  readonly bytes: number;
}

/** Bytes that this process may still take, those of its container if it has one; infinite where nobody says. */
export function freeMemory(): number {
  // not imported, for browsers have no such module
  const { process } = globalThis as { process?: { availableMemory?: () => number } };
  return process?.availableMemory?.() ?? Number.POSITIVE_INFINITY;
}

/**
 * @param run  what is about to start: "This solve"
 * @param remedy  what makes it smaller, a sentence
 * @throws {SizeError} if it needs more memory than the runtime or the machine has, naming what needs how much
 */
export function checkMemory(
  run: string,
  { name, memory = Number.POSITIVE_INFINITY }: Pick<Runtime, "name" | "memory">,
  needs: readonly MemoryNeed[],
  remedy: string,
): void {
  const total = needs.reduce((sum, { bytes }) => sum + bytes, 0);
  // to ask the system takes longer than a small solve
  if (total < alwaysThere) return;
  const free = freeMemory();
  if (total <= Math.min(memory, free)) return;
  const parts = [...needs].sort((a, b) => b.bytes - a.bytes).filter(({ bytes }) => bytes > total / 100);
  const list = parts.map(({ what, bytes }) => `${showBytes(bytes)} for ${what}`).join(", ");
  const there = memory < free ? `${name} has ${showBytes(memory)}` : `${showBytes(free)} are free`;
  throw new SizeError(`${run} takes about ${showBytes(total)} of memory (${list}), but ${there}. ${remedy}`);
}

const alwaysThere = 2 ** 26;
