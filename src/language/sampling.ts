import { RevortError } from "../core/errors.js";
import { checkOptions } from "../core/options.js";
import type { Random } from "../core/random.js";

/** Numbers that no token can be drawn with. */
export class SamplingError extends RevortError {}

/** How the next token is drawn. */
export interface SamplingOptions {
  /** what logits are divided by; 0 takes the likeliest token, 1 by default */
  readonly temperature?: number;
  /** draws from so many of the likeliest tokens alone */
  readonly topK?: number;
  /** draws from the fewest of the likeliest tokens whose probabilities add up to this */
  readonly topP?: number;
}

/**
 * Draws a token: softmax(logits / temperature), cut to the likeliest k, and of these to the fewest that reach the probability
 * p. Of tokens that are as likely as each other the one with the smaller id comes first.
 *
 * @throws {SamplingError} for logits that are not finite
 */
export function drawToken(
  logits: Float32Array | Float64Array,
  { temperature = 1, topK, topP }: SamplingOptions,
  random: Random,
): number {
  const most = largestOf(logits);
  if (temperature === 0) return logits.indexOf(most);
  const weights = logits.map((logit) => Math.exp((logit - most) / temperature));
  const chosen = topK === undefined ? null : likeliest(logits, topK);
  const kept = topP === undefined || topP === 1 ? chosen : nucleus(weights, chosen, topP);
  return kept === null
    ? drawn(weights, random)
    : kept[
        drawn(
          kept.map((id) => weights[id]!),
          random,
        )
      ]!;
}

/** @throws {SamplingError} naming the option that is out of range */
export function checkSampling(options: SamplingOptions): void {
  checkOptions("Sampling", options, { temperature: true, topK: true, topP: true });
  const { temperature = 1, topK = 1, topP = 1 } = options;
  const refuse = (what: string, range: string, value: number): never => {
    throw new SamplingError(`The ${what} of sampling must be ${range}, but ${value} was given.`);
  };
  if (!(temperature >= 0 && Number.isFinite(temperature))) refuse("temperature", "0 or more", temperature);
  if (!(Number.isInteger(topK) && topK >= 1)) refuse("topK", "a whole number, 1 or more", topK);
  if (!(topP > 0 && topP <= 1)) refuse("topP", "in (0, 1]", topP);
}

function largestOf(logits: Float32Array | Float64Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const [id, logit] of logits.entries()) {
    if (!Number.isFinite(logit)) {
      throw new SamplingError(`The logit of token ${id} is ${logit}: the model's parameters are of no use.`);
    }
    if (logit > most) most = logit;
  }
  return most;
}

/** A place of a list, as likely as its weight is large. */
function drawn(weights: ArrayLike<number>, random: Random): number {
  let left = random.uniform(0, sumOf(weights));
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return weights.length - 1;
}

function sumOf(weights: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += weights[i]!;
  return sum;
}

/** So many ids of the largest values, by falling values. */
function likeliest(values: ArrayLike<number>, count: number): number[] {
  const found: number[] = [];
  for (let id = 0; id < values.length; id++) {
    if (found.length === count && values[id]! <= values[found.at(-1)!]!) continue;
    let place = found.length;
    while (place > 0 && values[found[place - 1]!]! < values[id]!) place--;
    found.splice(place, 0, id);
    if (found.length > count) found.pop();
  }
  return found;
}

/**
 * The fewest ids, by falling weights, whose share reaches p. Those with less than a share of (1 − p) / n each add up to less
 * than 1 − p, so none of them is among these, and they need not be sorted.
 *
 * @param among  by falling weights; `null` for all
 */
function nucleus(weights: ArrayLike<number>, among: readonly number[] | null, p: number): readonly number[] {
  const total = among === null ? sumOf(weights) : among.reduce((sum, id) => sum + weights[id]!, 0);
  let sorted = among;
  if (sorted === null) {
    const least = ((1 - p) * total) / weights.length;
    const large: number[] = [];
    for (let id = 0; id < weights.length; id++) if (weights[id]! >= least) large.push(id);
    sorted = large.sort((a, b) => weights[b]! - weights[a]! || a - b);
  }
  let sum = 0;
  const end = sorted.findIndex((id) => {
    sum += weights[id]!;
    return sum >= p * total;
  });
  return end < 0 ? sorted : sorted.slice(0, end + 1);
}
