import { shown } from "../core/printable.js";
import { DataError } from "./data-error.js";

/** A series of several channels with its class. */
export interface LabelledSeries {
  readonly label: string;
  /** [times][channels]; NaN where nothing was observed */
  readonly values: readonly (readonly number[])[];
}

/**
 * Series of the UEA archive's `.ts` files: a header of lines that start with @, then one series in each line, its channels
 * separated by colons, the class last. `?` is a missing value.
 *
 * @throws {DataError} naming source, line and remedy
 */
export function parseUea(text: string, { source }: { readonly source: string }): LabelledSeries[] {
  const lines = text.split(/\r?\n/);
  const start = lines.findIndex((line) => /^@data\s*$/i.test(line.trim()));
  if (start < 0) {
    throw new DataError({ source }, "there is no line @data; give a .ts file of the UEA archive");
  }
  if (lines.slice(0, start).some((line) => /^@timestamps\s+true/i.test(line.trim()))) {
    throw new DataError({ source }, "its series have time stamps; give a file with @timeStamps false");
  }
  if (lines.slice(0, start).some((line) => /^@(classlabel\s+false|targetlabel\s+true)/i.test(line.trim()))) {
    throw new DataError(
      { source },
      "its series have no classes (@classLabel false); give a problem of classes",
    );
  }
  const series = lines.flatMap((line, at) =>
    at <= start || line.trim() === "" || line.startsWith("#")
      ? []
      : [seriesIn(line, { source, line: at + 1 })],
  );
  if (series.length === 0) throw new DataError({ source }, "there is no series after @data");
  const channels = series[0]!.values[0]!.length;
  const odd = series.findIndex(({ values }) => values[0]!.length !== channels);
  if (odd >= 0) {
    throw new DataError(
      { source },
      `series ${odd + 1} has ${series[odd]!.values[0]!.length} channels, but the first one has ${channels}`,
    );
  }
  return series;
}

function seriesIn(line: string, place: { readonly source: string; readonly line: number }): LabelledSeries {
  const parts = line.split(":");
  const label = parts.pop()!.trim();
  if (parts.length === 0 || label === "") {
    throw new DataError(
      place,
      "there is no class; write the channels and then the class, separated by colons",
    );
  }
  const channels = parts.map((part, channel) =>
    part.split(",").map((cell) => {
      const value = cell.trim() === "?" ? Number.NaN : cell.trim() === "" ? undefined : Number(cell);
      if (value !== undefined && (Number.isFinite(value) || cell.trim() === "?")) return value;
      throw new DataError(
        { ...place, column: `${channel + 1}` },
        `${shown(cell)} is not a number; write ? for a missing one`,
      );
    }),
  );
  const length = Math.max(...channels.map((channel) => channel.length));
  // channels that end earlier were not observed any more
  return {
    label,
    values: Array.from({ length }, (_, time) => channels.map((channel) => channel[time] ?? Number.NaN)),
  };
}

/**
 * Series from JSON: a list of `{ "label": "a", "x": [[…], …] }`, x by time and channel.
 *
 * @throws {DataError} naming source and the entry
 */
export function parseSeriesJson(text: string, { source }: { readonly source: string }): LabelledSeries[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw new DataError({ source }, `it is not valid JSON: ${(cause as Error).message.slice(0, 200)}`, {
      cause,
    });
  }
  if (!Array.isArray(list) || list.length === 0) {
    throw new DataError({ source }, 'give a list of series, [{ "label": …, "x": [[…], …] }, …]');
  }
  const wrong = (i: number, why: string) => new DataError({ source }, `series ${i + 1} ${why}`);
  let channels: number | null = null;
  return list.map((entry: { label?: unknown; x?: unknown } | null, i) => {
    const { label, x } = entry ?? {};
    if (typeof label !== "string" && typeof label !== "number") throw wrong(i, "has no label");
    if (!Array.isArray(x) || x.length === 0) throw wrong(i, "has no x, a list of rows");
    const values = x.map((row: unknown) => {
      if (!Array.isArray(row) || row.some((value) => value !== null && typeof value !== "number")) {
        throw wrong(i, "has a row of x that is not a list of numbers");
      }
      channels ??= row.length;
      if (row.length !== channels)
        throw wrong(i, `has a row of ${row.length} channels, where others have ${channels}`);
      return row.map((value: number | null) => value ?? Number.NaN);
    });
    return { label: String(label), values };
  });
}
