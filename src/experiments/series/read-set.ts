import { nearName } from "../../core/near-name.js";
import { shown } from "../../core/printable.js";
import { type CellTable, type CellValue, readTables } from "../../storage/cells.js";
import { DataError, type Place } from "../../storage/data-error.js";
import { type Instant, parseInstant } from "../../storage/iso-time.js";
import { isOneOf, type SentinelWarning, sentinelsIn, unusedNote } from "../../storage/missing-values.js";
import { readCell } from "../../storage/number-cell.js";
import { otherTime, unnamedBeside } from "../../storage/time-name.js";
import { refuseWords, refuseWordsAsTimes } from "../../storage/word-columns.js";
import { steadyNotes, takenForTime } from "../doubtful-columns.js";
import type { DataFile } from "../task-experiment.js";
import { type Clock, clockOf, type TimeUnit } from "./clock.js";
import { inputAt } from "./samples.js";
import type { Series, SeriesSet } from "./series-set.js";

/** What the columns of a table are. */
export interface SeriesColumns {
  /** the column that says which trajectory a row belongs to; `null` where each file is one */
  readonly trajectory: string | null;
  /** the column of times; `null` for the first of the others */
  readonly time: string | null;
  /** what is a state; `null` for all that is nothing else */
  readonly observe: readonly string[] | null;
  /** what drives the field without being its state */
  readonly inputs: readonly string[];
  /** the columns with the errors of measurements, by what they are errors of */
  readonly errors: Readonly<Record<string, string>>;
  /** of dates and times; `null` for one that suits them */
  readonly timeUnit: TimeUnit | null;
  /** of a run whose other data these are: what its dates are told from, and in which unit */
  readonly clock?: Pick<Clock, "origin" | "unit">;
  /** whether 1,5 is one and a half; `null` where that follows from the file */
  readonly decimalComma: boolean | null;
  /** numbers that stand for values that are missing, in all columns but those of times and trajectories */
  readonly missing: readonly number[];
}

/** Trajectories, and how their file was understood where that is not plain. */
export interface ReadSet {
  readonly set: SeriesSet;
  readonly notes: readonly string[];
  /** numbers that stand for missing values, by all appearances */
  readonly warnings: readonly SentinelWarning[];
}

/** A row whose time is not in units yet. */
interface RawRow {
  readonly time: number | Instant;
  readonly cells: readonly CellValue[];
  readonly place: Place;
}

/**
 * Trajectories from files.
 *
 * @throws {DataError} naming file, line, column and remedy
 */
export async function readSet(files: readonly DataFile[], columns: SeriesColumns): Promise<ReadSet> {
  const tables: CellTable[] = [];
  for (const { name, bytes } of files) tables.push(...(await readTables(bytes, name)));
  const { source, names } = tables[0]!;
  for (const other of tables) {
    const missing = names.find((name) => !other.names.includes(name));
    if (missing === undefined && other.names.length === names.length) continue;
    throw new DataError(
      { source: other.source },
      `its columns are ${other.names.join(", ")}, but those of ${source} are ${names.join(", ")}; give files with the same columns`,
    );
  }
  const roles = rolesOf(names, source, columns);
  const columnOf = (name: string) => ({
    name,
    cells: tables.flatMap(({ names: own, rows }) => rows.map(({ cells }) => cells[own.indexOf(name)])),
  });
  refuseWordsAsTimes(columnOf(names[roles.time]!), names, source);
  refuseWords(roles.observed.map(columnOf), source);
  const comma = columns.decimalComma ?? hasDecimalCommas(tables);
  const read = (cell: CellValue, place: Place) => numberIn(cell, place, comma);
  const groups = groupsOf(tables, roles, read);
  const clock = clockOf(groups, columns.timeUnit, source, columns.clock);
  const found = new Set<number>();
  const measured: ReadNumber = (cell, place) => {
    const value = read(cell, place);
    const missing = columns.missing.find((one) => isOneOf(value, [one]));
    if (missing === undefined) return value;
    found.add(missing);
    return Number.NaN;
  };
  const series = [...groups].map(([id, rows]) =>
    seriesOf({ id, rows, names, roles, columns }, clock.at, measured),
  );
  for (const [j, name] of roles.observed.entries()) {
    if (series.every(({ values }) => values.every((row) => Number.isNaN(row[j]!)))) {
      throw new DataError(
        { source, column: name },
        "it has no value in any row; leave it out with --observe",
      );
    }
  }
  const timeName = names[roles.time] || "time";
  const other = columns.time === null ? otherTime(timeName, roles.observed) : null;
  const others = [...columns.inputs, ...Object.values(columns.errors)];
  return {
    warnings: [
      ...sentinelsIn(roles.observed, (j) => series.flatMap(({ values }) => values.map((row) => row[j]!))),
      ...sentinelsIn(others, (j) =>
        [...groups.values()]
          .flat()
          .map(({ cells, place }) => measured(cells[names.indexOf(others[j]!)]!, place)),
      ),
    ],
    set: {
      time: { name: timeName, unit: clock.unit, origin: clock.origin },
      observed: roles.observed,
      inputs: columns.inputs,
      series,
    },
    notes: [
      ...(comma && columns.decimalComma === null ? ["Commas are read as decimal commas: 1,5 is 3/2."] : []),
      ...clock.notes,
      ...unusedNote(columns.missing, (one) => found.has(one)),
      ...(other === null ? [] : [takenForTime(timeName, other)]),
      ...steadyNotes(roles.observed, (j) => series.flatMap(({ values }) => values.map((row) => row[j]!))),
    ],
  };
}

/** Which columns are what, as places among the names of the first table. */
interface Roles {
  readonly trajectory: number | null;
  readonly time: number;
  readonly observed: readonly string[];
}

function rolesOf(names: readonly string[], source: string, columns: SeriesColumns): Roles {
  const placeOf = (name: string, option: string) => {
    const place = names.indexOf(name);
    if (place >= 0) return place;
    const near = nearName(name, names);
    throw new DataError(
      { source },
      `${option} names the column ${shown(name)}, which it does not have${near === undefined ? "" : ` (did you mean ${shown(near)}?)`}; ` +
        `its columns are ${names.join(", ")}`,
    );
  };
  const trajectory = columns.trajectory === null ? null : placeOf(columns.trajectory, "--trajectory");
  const time =
    columns.time === null ? names.findIndex((_, j) => j !== trajectory) : placeOf(columns.time, "--time");
  const other = columns.time === null && names[time] === "" ? otherTime("", names) : null;
  if (other !== null) {
    throw new DataError({ source, column: other }, `${unnamedBeside(shown(other))}, or say --time ${other}`);
  }
  for (const name of columns.inputs) placeOf(name, "--input");
  for (const [of, name] of Object.entries(columns.errors)) {
    placeOf(of, "--error");
    placeOf(name, "--error");
  }
  const others = [...columns.inputs, ...Object.values(columns.errors)];
  // an index without a name is nothing that was observed
  const isIndex = (j: number) => j === 0 && names[0] === "" && time !== 0;
  const rest = names.filter(
    (name, j) => j !== trajectory && j !== time && !isIndex(j) && !others.includes(name),
  );
  for (const name of columns.observe ?? []) placeOf(name, "--observe");
  const observed = columns.observe ?? rest;
  const wrong = observed.find((name) => !rest.includes(name));
  if (wrong !== undefined) {
    throw new DataError({ source, column: wrong }, "it is observed and something else as well; name it once");
  }
  const stray = Object.keys(columns.errors).find((name) => !observed.includes(name));
  if (stray !== undefined) {
    throw new DataError({ source, column: stray }, "--error is for columns that are observed; leave it out");
  }
  if (observed.length === 0) {
    throw new DataError({ source }, "it has no column of observations beside those; give one");
  }
  return { trajectory, time, observed };
}

/** Whether all commas in the cells of tables that are not separated by commas can only be those of decimals. */
function hasDecimalCommas(tables: readonly CellTable[]): boolean {
  let [found, clear, points] = [null as Place | null, false, false];
  for (const { source, rows } of tables) {
    for (const { cells, line } of rows) {
      for (const cell of cells) {
        if (typeof cell !== "string") continue;
        if (/^[+-]?\d+\.\d+$/.test(cell)) points = true;
        if (!/^[+-]?\d*,\d+(e[+-]?\d+)?$/i.test(cell)) continue;
        found ??= { source, line };
        // 1,234 might be a thousand; 1,5 and 0,123 are not
        if (!/^[+-]?[1-9]\d{0,2},\d{3}$/.test(cell)) clear = true;
      }
    }
  }
  if (found === null) return false;
  if (clear && !points) return true;
  throw new DataError(
    found,
    points
      ? "some numbers have a decimal comma and some a point; write all of them in one way"
      : "its commas may be those of decimals or of thousands; say --decimal-comma, or write numbers without them",
  );
}

/** A number, NaN where there is none. */
function numberIn(cell: CellValue, place: Place, comma: boolean): number {
  if (cell === null) return Number.NaN;
  if (cell instanceof Date)
    throw new DataError(place, "it is a date, but a number is wanted; leave the column out with --observe");
  if (typeof cell === "number") {
    if (Math.abs(cell) === Number.POSITIVE_INFINITY) {
      throw new DataError(place, "it is infinite; leave out what was not measured: NaN, or nothing");
    }
    return cell;
  }
  const read = readCell(comma ? cell.replace(",", ".") : cell);
  if (read.kind === "wrong") throw new DataError(place, read.reason);
  return read.kind === "number" ? read.value : Number.NaN;
}

type ReadNumber = (cell: CellValue, place: Place) => number;

/** The rows of each trajectory, in the order of the files. */
function groupsOf(
  tables: readonly CellTable[],
  { trajectory, time }: Roles,
  read: ReadNumber,
): Map<string, RawRow[]> {
  const names = tables[0]!.names;
  const groups = new Map<string, RawRow[]>();
  for (const { source, names: own, rows } of tables) {
    const places = names.map((name) => own.indexOf(name));
    const seen = new Set<string>();
    for (const { cells: found, line } of rows) {
      const cells = places.map((place) => found[place]!);
      const place = { source, line };
      const label = trajectory === null ? null : cells[trajectory];
      if (trajectory !== null && (label === null || label === "")) {
        throw new DataError(
          { ...place, column: names[trajectory]! },
          "it does not say which trajectory the row belongs to; fill it in",
        );
      }
      const id =
        label === null || label === undefined
          ? source
          : label instanceof Date
            ? label.toISOString()
            : String(label);
      if (!seen.has(id) && groups.has(id)) {
        throw new DataError(
          place,
          `the trajectory ${shown(id)} is in another file already; name it otherwise, or put them together`,
        );
      }
      seen.add(id);
      const row = { time: timeIn(cells[time]!, { ...place, column: names[time]! }, read), cells, place };
      const before = groups.get(id);
      if (before === undefined) groups.set(id, [row]);
      else before.push(row);
    }
  }
  return groups;
}

function timeIn(cell: CellValue, place: Place, read: ReadNumber): number | Instant {
  if (cell instanceof Date) {
    const ms = cell.getTime();
    return { seconds: Math.floor(ms / 1000), fraction: (ms - 1000 * Math.floor(ms / 1000)) / 1000 };
  }
  if (typeof cell === "string") {
    const instant = parseInstant(cell);
    if (instant !== null) return instant;
    if (/^\d{4}-\d{2}/.test(cell)) {
      throw new DataError(
        place,
        `${shown(cell)} is no date and time that there is; write it as 2024-03-01T12:30:00`,
      );
    }
  }
  const time = read(cell, place);
  if (Number.isNaN(time)) throw new DataError(place, "the time is missing; give it or remove the row");
  return time;
}

interface RawSeries {
  readonly id: string;
  readonly rows: readonly RawRow[];
  readonly names: readonly string[];
  readonly roles: Roles;
  readonly columns: SeriesColumns;
}

function seriesOf(raw: RawSeries, at: Clock["at"], read: ReadNumber): Series {
  const { id, rows, names, roles, columns } = raw;
  const times = rows.map((row) => at(row.time, row.place));
  const back = times.findIndex((value, k) => k > 0 && !(value > times[k - 1]!));
  if (back >= 0) {
    throw new DataError(
      { ...rows[back]!.place, column: names[roles.time]! },
      `in the trajectory ${shown(id)} the time ${times[back]} does not come after ${times[back - 1]}; sort its rows by time, ` +
        `keep one for each time${roles.trajectory === null ? ", or name the column of trajectories with --trajectory" : ""}`,
    );
  }
  if (times.length < 2) {
    throw new DataError(
      rows[0]!.place,
      `the trajectory ${shown(id)} has one row, but two or more are needed; leave it out`,
    );
  }
  const columnsIn = (list: readonly string[]) =>
    rows.map(({ cells, place }) =>
      list.map((name) => read(cells[names.indexOf(name)]!, { ...place, column: name })),
    );
  const values = columnsIn(roles.observed);
  const lost = roles.observed.find((_, j) => values.every((row) => Number.isNaN(row[j]!)));
  if (lost !== undefined) {
    throw new DataError(
      { ...rows[0]!.place, column: lost },
      `the trajectory ${shown(id)} has no value in it; leave the trajectory out, or the column with --observe`,
    );
  }
  const hasErrors = Object.keys(columns.errors).length > 0;
  return {
    ...{ id, times, values },
    errors: hasErrors ? errorsOf(raw, values, read) : null,
    inputs: filled(raw, times, columnsIn(columns.inputs)),
  };
}

/** The error of each measurement; NaN in columns that have none. @throws {DataError} for one that is missing, or no size */
function errorsOf({ rows, names, roles, columns }: RawSeries, values: Series["values"], read: ReadNumber) {
  return rows.map(({ cells, place }, k) =>
    roles.observed.map((name, j) => {
      const column = columns.errors[name];
      if (column === undefined || Number.isNaN(values[k]![j]!)) return Number.NaN;
      const error = read(cells[names.indexOf(column)]!, { ...place, column });
      if (error > 0) return error;
      throw new DataError(
        { ...place, column },
        `the error of ${shown(name)} is ${Number.isNaN(error) ? "missing" : error}; give a positive number, or leave the measurement out`,
      );
    }),
  );
}

/** Inputs without gaps: between their neighbours, linearly; at the ends the nearest. */
function filled(
  { id, rows, columns }: RawSeries,
  times: readonly number[],
  inputs: readonly (readonly number[])[],
) {
  const whole = columns.inputs.map((column, j) => {
    const known = inputs.map((_, k) => k).filter((k) => !Number.isNaN(inputs[k]![j]!));
    if (known.length === 0) {
      const place = { ...rows[0]!.place, column };
      throw new DataError(place, `the input has no value in the trajectory ${shown(id)}; leave that out`);
    }
    const path = { times: known.map((k) => times[k]!), inputs: known.map((k) => [inputs[k]![j]!]) };
    return times.map((t) => inputAt(path, 0, t));
  });
  return times.map((_, k) => whole.map((values) => values[k]!));
}
