import { type FloatDType, tensor } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import { add, mul } from "../ops/arithmetic.js";
import { CompileError, type Runtime } from "../runtime/runtime.js";
import { type Console, table } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import { openRuntime, type RuntimeName, runtimeNames } from "./runtimes.js";

/** Whether a runtime works here, found out by running something on it. */
export interface RuntimeReport {
  readonly runtime: RuntimeName;
  readonly works: boolean;
  /** of what runs underneath; `null` where it does not work */
  readonly version: string | null;
  /** float types that it computes in */
  readonly dtypes: readonly FloatDType[];
  /** why it does not work, or not as it should, and what to install; `null` where it does */
  readonly reason: string | null;
}

/** Opens every runtime, one after the other, and computes with it. */
export async function reportRuntimes(names: readonly RuntimeName[] = runtimeNames): Promise<RuntimeReport[]> {
  const reports: RuntimeReport[] = [];
  for (const runtime of names) reports.push(await reportRuntime(runtime));
  return reports;
}

async function reportRuntime(name: RuntimeName): Promise<RuntimeReport> {
  const failed = (cause: unknown): RuntimeReport => ({
    ...{ runtime: name, works: false, version: null, dtypes: [] },
    reason: (cause as Error).message,
  });
  let note: string | null = null;
  try {
    const say = (line: string) => {
      note = line;
    };
    const runtime = await openRuntime(name, { say });
    const dtypes: FloatDType[] = [];
    for (const dtype of ["float32", "float64"] as const)
      if (await computes(runtime, dtype)) dtypes.push(dtype);
    return { runtime: name, works: true, version: runtime.version, dtypes, reason: note };
  } catch (cause) {
    return failed(cause);
  }
}

/** Whether x² + 1 comes out right in a float type; false where the runtime does not have that. */
async function computes(runtime: Runtime, dtype: FloatDType): Promise<boolean> {
  const b = new Builder();
  const x = b.input("x", dtype, [2]);
  try {
    const executable = await runtime.compile(b.graph({ y: add(b, mul(b, x, x), 1) }, "test"));
    const { y } = await executable.run({ x: runtime.upload(tensor(dtype, [2], [3, -0.5])) });
    const found = [...(await runtime.download(y!)).data].join();
    await executable.release();
    if (found === "10,1.25") return true;
    throw new Error(`${runtime.name} computes ${found} where 10,1.25 is right`);
  } catch (cause) {
    if (cause instanceof CompileError) return false;
    throw cause;
  }
}

/** `revort inspect --runtimes`: which runtimes work here, and what to install for the others. @returns the exit code */
export async function runtimesCommand(
  { json }: { readonly json?: boolean },
  console: Console,
): Promise<number> {
  const reports = await reportRuntimes();
  if (json) console.json({ runtimes: reports });
  else console.stdout.write(`${listing(reports)}\n`);
  return exitCodes.done;
}

function listing(reports: readonly RuntimeReport[]): string {
  const rows = reports.map(({ runtime, works, version, dtypes }) => [
    ...[runtime, works ? "works" : "does not work"],
    ...[dtypes.join(", ") || "–", version ?? "–"],
  ]);
  const reasons = reports.flatMap(({ runtime, reason }) =>
    reason === null ? [] : [`${runtime}: ${reason}`],
  );
  return [table([["runtime", "here", "computes in", "version"], ...rows]), ...reasons].join("\n\n");
}
