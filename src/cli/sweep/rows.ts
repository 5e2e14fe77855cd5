import { hasRunFile, readRunText, runFiles } from "../run-files.js";
import type { SweepPoint } from "./grid.js";

/** What became of a run of a sweep. */
export interface SweepRow extends SweepPoint {
  readonly folder: string;
  /** "waiting" where it has not begun, or not come to its end */
  readonly status: "done" | "failed" | "waiting";
  /** why there is no result */
  readonly reason: string | null;
  /** numbers of its result, by name: losses, metrics, fitted parameters */
  readonly measures: Readonly<Record<string, number>>;
  readonly steps: number | null;
  readonly seconds: number | null;
  readonly warnings: readonly string[];
}

/** What a result.json may say, of whatever kind its run is. */
export interface RunResult {
  readonly stopped?: string;
  readonly steps?: number;
  readonly seconds?: number;
  readonly losses?: readonly number[];
  readonly loss?: { readonly last: number | null; readonly min: number | null };
  readonly check?: {
    readonly loss: number | null;
    readonly trainedLoss: number | null;
    readonly warning: string | null;
  } | null;
  readonly fitted?: Readonly<Record<string, number>>;
  /** of several trajectories */
  readonly parameters?: Readonly<Record<string, { readonly value: number }>> | null;
  readonly warnings?: readonly { readonly message: string }[];
  readonly validations?: readonly { readonly loss: number }[];
  readonly training?: Measured;
  readonly test?: Measured | null;
  readonly findings?: Readonly<Record<string, unknown>>;
}

interface Measured {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The result of a run that came to its end; `null` for one that has none, or was interrupted. @throws {StorageError} */
export async function resultOf(folder: string): Promise<RunResult | null> {
  if (!(await hasRunFile(folder, runFiles.result))) return null;
  try {
    const result = JSON.parse(await readRunText(folder, runFiles.result)) as RunResult;
    return result.stopped === undefined || result.stopped === "aborted" ? null : result;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The numbers of a result, by name; the first is what it is judged by. */
export function measuresOf(result: RunResult): Record<string, number> {
  const { loss, check, fitted = {}, parameters, validations = [], training, test, findings = {} } = result;
  const measured = (of: string, measures: Measured | null | undefined) =>
    measures == null
      ? []
      : Object.entries({ loss: measures.loss, ...measures.metrics }).map(([k, v]) => [`${of} ${k}`, v]);
  const validated = validations.map((one) => one.loss).filter(Number.isFinite);
  const entries: (readonly [string, unknown])[] = [
    ...(validated.length === 0 ? [] : [["validation loss", Math.min(...validated)] as const]),
    // the loss before the last update is all there is where it was not solved again after it
    ...(training === undefined ? [["loss", check?.trainedLoss ?? loss?.last] as const] : []),
    ...(measured("training", training) as [string, number][]),
    ...(measured("test", test) as [string, number][]),
    ["loss solved accurately", check?.loss],
    ...Object.entries(fitted),
    ...Object.entries(parameters ?? {}).map(([name, { value }]) => [name, value] as const),
    ...Object.entries(findings),
  ];
  return Object.fromEntries(
    entries.filter(
      (entry): entry is [string, number] => typeof entry[1] === "number" && Number.isFinite(entry[1]),
    ),
  );
}

/** A run as its folder has it. */
export async function rowOf(
  point: SweepPoint & { folder: string },
  reason: string | null,
): Promise<SweepRow> {
  const result = await resultOf(point.folder);
  if (result === null || reason !== null) {
    const status = reason === null ? "waiting" : "failed";
    return { ...point, status, reason, measures: {}, steps: null, seconds: null, warnings: [] };
  }
  return {
    ...point,
    ...{ status: "done", reason: null, measures: measuresOf(result) },
    ...{ steps: result.steps ?? null, seconds: result.seconds ?? null },
    warnings: [
      ...(result.warnings ?? []).map(({ message }) => message),
      ...(result.check?.warning ? [result.check.warning] : []),
    ],
  };
}
