import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Writable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";

// Command lines in this process, with streams that remember, and in processes of their own.

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A stream that calls back with all that was written so far. */
function memory(onWrite: (text: string) => void = () => {}): Writable & { text: string } {
  const stream = Object.assign(
    new Writable({
      write(chunk, _encoding, done) {
        stream.text += chunk;
        onWrite(stream.text);
        done();
      },
    }),
    { text: "" },
  );
  return stream;
}

/**
 * Runs a command line in this process: words, or a text without quotes.
 *
 * @param stopAfter  Ctrl-C is pressed as soon as stderr shows this
 */
export async function run(line: readonly string[] | string, stopAfter?: RegExp): Promise<Outcome> {
  const words = typeof line === "string" ? line.split(" ") : line;
  // commands are loaded on demand, which in mocha is another module graph than that of static imports
  const { main } = await import("../../src/cli/main.js");
  const interrupt = new AbortController();
  const stdout = memory();
  const stderr = memory((text) => {
    if (stopAfter?.test(text)) interrupt.abort();
  });
  const code = await main(words, { stdout, stderr, stopSignal: () => interrupt.signal });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Runs a command that must succeed, with `--json`, and parses what it prints. */
// biome-ignore lint/suspicious/noExplicitAny: what a command prints is checked by the tests that read it
export async function json(...words: string[]): Promise<any> {
  const { code, stdout, stderr } = await run([...words, "--json"]);
  expect(code, stderr).to.equal(0);
  return JSON.parse(stdout);
}

/** Runs a command that must fail with an exit code and one readable line; returns the line. */
export async function refusal(code: number, ...words: string[]): Promise<string> {
  const outcome = await run(words);
  expect(outcome.code, outcome.stderr).to.equal(code);
  expect(outcome.stdout).to.equal("");
  return sentence(outcome.stderr);
}

/** The one line that says why a command failed: readable, and no stack trace. */
export function sentence(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line.startsWith("revort: "));
  expect(lines, stderr).to.have.length(1);
  expect(stderr.trimEnd().split("\n").at(-1)).to.equal(lines[0]);
  expect(stderr).not.to.match(/\n\s+at |Unexpected failure|\[object|(?<!received )undefined/);
  return lines[0]!;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The file of a script of the project. */
export const script = (name: string): string => join(root, "scripts", `${name}.ts`);

export const fixture = (name: string): string => join(root, "test", "fixtures", "pytorch", name);
export const shared = (...names: string[]): string => join(dirname(root), "shared", ...names);

/** Starts a script in a process of its own, as users do. */
export function start(
  name: string,
  words: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): { process: ChildProcess; ended: Promise<Outcome & { signal: NodeJS.Signals | null }> } {
  // by its address: the command may run in any folder
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const child = spawn(process.execPath, ["--import", tsx, script(name), ...words], {
    ...options,
    env: { ...process.env, ...options.env },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Outcome & { signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? -1, signal, stdout, stderr }));
  });
  return { process: child, ended };
}

/** Runs a script to its end. */
export function child(name: string, words: readonly string[], options: Parameters<typeof start>[2] = {}) {
  return start(name, words, options).ended;
}

/** A folder for the tests of a suite, removed after them. */
export function scratch(): (...names: string[]) => string {
  let folder: string | undefined;
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });
  return (...names) => {
    folder ??= mkdtempSync(join(tmpdir(), "revort-cli-"));
    return join(folder, ...names);
  };
}

/** Writes a file into a scratch folder. */
export function written(path: string, content: string | Uint8Array): string {
  writeFileSync(path, content);
  return path;
}

// biome-ignore lint/suspicious/noExplicitAny: as above
export const readJson = (path: string): any => JSON.parse(readFileSync(path, "utf8"));
