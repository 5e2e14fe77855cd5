import { spawnSync } from "node:child_process";

/** The Python to try things with: that of REVORT_PYTHON, or python3. */
const interpreter = process.env.REVORT_PYTHON ?? "python3";

export interface PythonOutcome {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a Python text. */
export function python(script: string, ...args: string[]): PythonOutcome {
  return pythonScript("-c", script, ...args);
}

/** Runs a Python file. */
export function pythonScript(...args: string[]): PythonOutcome {
  const { status, stdout, stderr } = spawnSync(interpreter, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  return { ok: status === 0, stdout: stdout ?? "", stderr: stderr ?? "" };
}

/** Why tests that need these modules are skipped; `null` if they need not be. */
export function missingModules(...modules: string[]): string | null {
  if (python(`import ${modules.join(", ")}`).ok) return null;
  return `${interpreter} with ${modules.join(", ")} is not importable here (REVORT_PYTHON names another Python)`;
}
