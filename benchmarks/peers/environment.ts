import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { say } from "../conclude.js";

/** What is installed for benchmarks alone, outside of the package's own dependencies. */
export const cacheFolder = join(import.meta.dirname, "..", "..", "node_modules", ".cache");

const folder = join(cacheFolder, "revort-peers", "venv");
export const python = join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
const requirements = join(import.meta.dirname, "requirements.txt");
const quiet = { stdio: "pipe" } as const;

/** Whether the environment of the peers is there and whole. */
export function hasPeers(): boolean {
  try {
    execFileSync(python, ["-c", "import diffrax, scipy, torchcde, torchdiffeq, torchode, torchsde"], quiet);
    return true;
  } catch {
    return false;
  }
}

/** Makes the environment of the peers, once, from requirements.txt; returns why it cannot, if so. */
export function makePeers(): string | null {
  if (existsSync(python) && hasPeers()) return null;
  try {
    mkdirSync(folder, { recursive: true });
    if (!existsSync(python)) execFileSync("python3", ["-m", "venv", folder], quiet);
  } catch (cause) {
    return `Python 3 with venv is needed and cannot be run: ${firstLine(cause)}`;
  }
  try {
    say("Installing the peers, once …");
    execFileSync(python, ["-m", "pip", "install", "-q", "-r", requirements], quiet);
  } catch (cause) {
    return `The peers cannot be installed from PyPI: ${firstLine(cause)}`;
  }
  return hasPeers() ? null : "The peers are installed, but cannot be imported.";
}

/** The line of an installer's complaint that says what was wrong. */
export function firstLine(cause: unknown): string {
  const { message, stderr } = cause as { message: string; stderr?: Buffer };
  const lines = (stderr?.toString() || message).trim().split("\n");
  return lines.find((line) => /^(npm )?error/i.test(line)) ?? lines.at(-1)!;
}
