import { readRows } from "./csv.js";
import { DataError } from "./data-error.js";
import { parseNpy } from "./npy.js";

/** What a cell of a table holds, as its file has it. */
export type CellValue = string | number | Date | null;

/** A table of whatever file, with named columns. */
export interface CellTable {
  readonly source: string;
  /** the first may be empty, as it is over an index */
  readonly names: readonly string[];
  readonly rows: readonly { readonly cells: readonly CellValue[]; readonly line: number }[];
}

/** Tables of a file of data: one, or, of an array [trajectories, times, columns], one for each trajectory. */
export async function readTables(bytes: Uint8Array, source: string): Promise<CellTable[]> {
  if (/\.npy$/i.test(source)) return npyTables(bytes, source);
  if (/\.parquet$/i.test(source)) return [await parquetTable(bytes, source)];
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DataError({ source }, "it is not UTF-8; save it as UTF-8", { cause });
  }
  const [header, ...rows] = readRows(text, source);
  if (header === undefined || rows.length === 0) {
    throw new DataError({ source }, "it has no rows; give a header line and one line for each time");
  }
  const names = header.cells;
  checkNames(names.slice(names[0] === "" ? 1 : 0), source);
  const uneven = rows.find(({ cells }) => cells.length !== names.length);
  if (uneven !== undefined) {
    throw new DataError(
      { source, line: uneven.line },
      `it has ${uneven.cells.length} cells, but the header has ${names.length}; correct the row ` +
        "(leave a cell empty where nothing was observed)",
    );
  }
  return [{ source, names, rows }];
}

function npyTables(bytes: Uint8Array, source: string): CellTable[] {
  const { shape, data } = parseNpy(bytes, { source });
  if ((shape.length !== 2 && shape.length !== 3) || shape.at(-1)! < 2) {
    throw new DataError(
      { source },
      `its shape is (${shape.join(", ")}); give [times, columns] or [trajectories, times, columns], with time the first column`,
    );
  }
  const [columns, times] = [shape.at(-1)!, shape.at(-2)!];
  const count = shape.length === 3 ? shape[0]! : 1;
  const names = Array.from({ length: columns }, (_, j) => (j === 0 ? "t" : `y${j - 1}`));
  return Array.from({ length: count }, (_, i) => ({
    source: count === 1 ? source : `${source}[${i}]`,
    names,
    rows: Array.from({ length: times }, (_, k) => {
      const from = (i * times + k) * columns;
      return { cells: Array.from(data.subarray(from, from + columns)), line: k };
    }),
  }));
}

async function parquetTable(bytes: Uint8Array, source: string): Promise<CellTable> {
  const { parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const file = {
    byteLength: buffer.byteLength,
    slice: (start: number, end?: number) => buffer.slice(start, end),
  };
  let records: Record<string, unknown>[];
  let names: string[];
  try {
    const metadata = await parquetMetadataAsync(file);
    names = metadata.schema.filter(({ num_children }) => !num_children).map(({ name }) => name);
    records = await parquetReadObjects({ file, metadata });
  } catch (cause) {
    throw new DataError(
      { source },
      `it is no Parquet file that can be read: ${(cause as Error).message}; write it uncompressed or with snappy`,
      { cause },
    );
  }
  checkNames(names, source);
  return {
    ...{ source, names },
    rows: records.map((record, line) => ({ cells: names.map((name) => cellOf(record[name])), line })),
  };
}

function cellOf(value: unknown): CellValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "number" || typeof value === "string" || value instanceof Date) return value;
  return typeof value === "bigint" ? Number(value) : String(value);
}

function checkNames(names: readonly string[], source: string): void {
  const empty = names.indexOf("");
  if (empty >= 0) {
    throw new DataError(
      { source, column: `${empty + 1}` },
      "it has no name; name it, or remove it from every row",
    );
  }
  const twice = names.find((name, j) => names.indexOf(name) !== j);
  if (twice !== undefined)
    throw new DataError({ source, column: twice }, "two columns have this name; rename one of them");
}
