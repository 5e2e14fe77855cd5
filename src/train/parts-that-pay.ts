import type { BatchCost } from "../runtime/threads.js";

/**
 * In how many parts a batch is gone through at most, where that is left to revort. Each costs more than is estimated of its operators: in
 * 16 parts an update of experiments at their published sizes took 1.05 to 1.2 times the processor time that it takes in 8.
 */
const mostParts = 8;
/** Seconds that a part takes at least: to hand one over takes some tenths of a millisecond. */
const shortest = 1.2e-3;
/** What all parts together cost at most, relative to the whole batch: so much slower is a machine with one core. */
const dearest = 1.1;

/** Seconds of one of so many parts, on the runtime that is faster. */
export function secondsOfPart(costs: readonly BatchCost[], parts: number): number {
  return Math.min(...costs.map(({ fixed, scaling }) => fixed + scaling / parts));
}

/** Whether a part of so many is worth a thread of its own. */
export function partPays(costs: readonly BatchCost[], parts: number): boolean {
  return costs.length > 0 && secondsOfPart(costs, parts) >= shortest;
}

/**
 * In how many parts a batch is gone through where nobody says: the largest power of two that pays. It depends on what the
 * batch costs by estimate and on nothing of the machine, so that sums are rounded alike on every machine.
 */
export function partsThatPay(costs: readonly BatchCost[], batchSize: number): number {
  for (let parts = mostParts; parts > 1; parts /= 2) {
    const dear = parts * secondsOfPart(costs, parts) > dearest * secondsOfPart(costs, 1);
    if (parts <= batchSize && !dear && partPays(costs, parts)) return parts;
  }
  return 1;
}
