import { showBytes } from "../core/size.js";
import type { Kept } from "./messages.js";

/** In words: 1 state (48 bytes) of 1001 (48 kB), reversible. */
export function showKept({ gradient, states, bytes, all }: Kept): string {
  return `${states} ${states === 1 ? "state" : "states"} (${showBytes(bytes)}) of ${all.states} (${showBytes(all.bytes)}), ${gradient}`;
}

/** 0.7 ms, 66.7 s */
export function showTime(seconds: number): string {
  return seconds < 1
    ? `${Number((1000 * seconds).toPrecision(3))} ms`
    : `${Number(seconds.toPrecision(3))} s`;
}
