import { scale } from "vega";
import { ChartError } from "./chart-error.js";

export interface Axis {
  readonly title: string;
  /** Shown behind the title in brackets: "time (s)". */
  readonly unit?: string;
  /** Linear unless said otherwise. On a log axis, values that are not positive are left out. */
  readonly scale?: "linear" | "log";
  /** The ends of the axis; from the data unless given. What lies outside is not drawn. */
  readonly domain?: readonly [number, number];
  /** What is labelled, classes say, in the place of round values. */
  readonly labels?: readonly Tick[];
}

/** One place on an axis that is labelled. */
export interface Tick {
  readonly value: number;
  readonly label: string;
}

export function axisTitle({ title, unit }: Axis): string {
  return unit === undefined ? title : `${title} (${unit})`;
}

/** Below this, numbers lose digits and Vega its ticks. */
const negligible = 1e-300;

/** Whether a value has a place on an axis of this kind; near the ends of float64 there is none. */
export function isDrawable(axis: Axis, value: number): boolean {
  return Math.abs(value) <= 1e300 && (axis.scale !== "log" || value >= negligible);
}

/**
 * The ends of an axis: those asked for, or those of the data with a margin on either side (a share of the whole;
 * in decades on a log axis), or [0, 1] (log: [1, 10]) where there is nothing to draw.
 *
 * @throws {ChartError} if the ends asked for are not increasing, finite, and on a log axis positive
 */
export function domainOf(axis: Axis, values: Iterable<number>, margin: number): [number, number] {
  const log = axis.scale === "log";
  if (axis.domain !== undefined) {
    const [low, high] = axis.domain;
    if (!(high - low > negligible) || !isDrawable(axis, low) || !isDrawable(axis, high)) {
      throw new ChartError(
        `The axis ${JSON.stringify(axis.title)} has the domain [${low}, ${high}]; ` +
          `give two finite${log ? " and positive" : ""} numbers, the smaller first.`,
      );
    }
    return [low, high];
  }
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!isDrawable(axis, value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return log ? [1, 10] : [0, 1];
  return log ? widenLog(low, high, margin) : widenLinear(low, high, margin);
}

function widenLinear(low: number, high: number, margin: number): [number, number] {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  const single = largest > negligible ? largest * 0.05 : 0.5;
  const pad = high - low > Math.max(largest * 1e-12, negligible) ? (high - low) * margin : single;
  return [low - pad, high + pad];
}

function widenLog(low: number, high: number, margin: number): [number, number] {
  const bottom = Math.log10(low);
  const top = Math.log10(high);
  const pad = top - bottom > 1e-9 ? (top - bottom) * margin : 0.5;
  return [Math.max(10 ** (bottom - pad), 1e-305), Math.min(10 ** (top + pad), 1e305)];
}

/** How far along the axis a value is, from 0 to 1. */
export function shareOf(axis: Axis, value: number, [low, high]: readonly [number, number]): number {
  if (axis.scale !== "log") return (value - low) / (high - low);
  return (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low));
}

/** About `count` round values in the domain; fewer, never more than twice as many. */
export function ticksOf(axis: Axis, domain: readonly [number, number], count: number): Tick[] {
  if (axis.labels !== undefined) return everySo(axis.labels, count);
  const ticks = axis.scale === "log" ? logTicks(domain, count) : [];
  // Within one decade a linear choice is as good on a log axis.
  return ticks.length > 1 ? ticks : linearTicks(domain, count).filter(({ value }) => isDrawable(axis, value));
}

/** All labels if there are at most so many, else every second one, every third … */
function everySo(labels: readonly Tick[], count: number): Tick[] {
  const step = Math.ceil(labels.length / count);
  return labels.filter((_, i) => i % step === 0);
}

/** The multiples of each power of ten on a log axis, or the powers alone where those are too many. */
export function minorTicksOf(axis: Axis, [low, high]: readonly [number, number]): number[] {
  if (axis.scale !== "log") return [];
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  if (last - first > 60) return [];
  const digits = last - first <= 6 ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : [1];
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
    .flatMap((exponent) => digits.map((digit) => Number(`${digit}e${exponent}`)))
    .filter((value) => value >= low && value <= high);
}

function linearTicks(domain: readonly [number, number], count: number): Tick[] {
  const linear = scale("linear")().domain(domain);
  const values = linear.ticks(count) as number[];
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest !== 0 && (largest >= 1e5 || largest < 1e-3)) {
    const exponent = Number(largest.toExponential(6).split("e")[1]);
    return values.map((value) => ({ value, label: inPowers(value, exponent) }));
  }
  const format = linear.tickFormat(count) as (value: number) => string;
  return values.map((value) => ({ value, label: format(value).replaceAll(",", "\u2009") }));
}

/** 1, 2 and 5 times the powers of ten if they are few enough, else the powers alone, else every second of them … */
function logTicks([low, high]: readonly [number, number], count: number): Tick[] {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  // Written in decimal, for 10 ** exponent is not always the nearest float64.
  const within = ({ value }: Tick): boolean => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
  const plain = first >= -4 && last <= 4;
  const multiples = (digits: readonly number[], step: number): Tick[] =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i)
      .filter((exponent) => exponent % step === 0)
      .flatMap((exponent) => digits.map((digit) => logTick(digit, exponent, plain)))
      .filter(within);
  const all = multiples([1, 2, 5], 1);
  if (all.length <= 1.5 * count) return all;
  for (let step = 1; ; step++) {
    const powers = multiples([1], step);
    if (powers.length <= count + 1) return powers;
  }
}

function logTick(digit: number, exponent: number, plain: boolean): Tick {
  const value = Number(`${digit}e${exponent}`);
  if (plain)
    return {
      value,
      label: value.toLocaleString("en", { maximumFractionDigits: 5 }).replaceAll(",", "\u2009"),
    };
  return { value, label: digit === 1 ? `10${superscript(exponent)}` : inPowers(value, exponent) };
}

/** −0.00025 as −2.5×10⁻⁴, with the exponent that the labels of an axis share. */
function inPowers(value: number, exponent: number): string {
  if (value === 0) return "0";
  // The exponent is moved in decimal, for its power of ten may be beyond what float64 holds.
  const [digits, own] = value.toExponential().split("e");
  const shifted = Number(`${digits}e${Number(own) - exponent}`);
  return `${String(Number(shifted.toPrecision(6))).replace("-", "−")}×10${superscript(exponent)}`;
}

function superscript(exponent: number): string {
  return [...String(exponent)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]!)).join("");
}
