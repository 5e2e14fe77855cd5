import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { RevortError } from "../core/errors.js";
import { printable } from "../core/printable.js";
import type { logLevels } from "../serve/options.js";
import { type Server, startServer } from "../serve/server.js";
import { readBytes, textOf } from "../storage/read.js";
import type { Console } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import { UsageError } from "./usage.js";

export interface ServeCommandOptions {
  readonly port?: number;
  readonly host?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly workers?: number;
  readonly queue?: number;
  readonly timeout?: number;
  readonly maxBody?: number;
  readonly maxBatch?: number;
  readonly logLevel?: (typeof logLevels)[number];
  readonly json?: boolean;
}

/** A place where nothing can listen. */
export class ListenError extends RevortError {}

const loopback = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/;
const mebibyte = 2 ** 20;

/**
 * `revort serve`: answers until it is told to stop by a signal, and then what has come.
 *
 * @returns the exit code
 */
export async function serveCommand(
  folder: string,
  options: ServeCommandOptions,
  console: Console,
): Promise<number> {
  await checkFolder(folder);
  const { host = "127.0.0.1", port = 8000, logLevel = "info" } = options;
  const token = await tokenOf(options);
  const stop = console.stopSignal();
  const server = await startServer(
    folder,
    {
      ...{ host, port, token, logLevel, look: 1 },
      ...{ workers: options.workers ?? availableParallelism(), queue: options.queue ?? 64 },
      ...{
        timeout: options.timeout ?? 30,
        body: options.maxBody ?? 64 * mebibyte,
        batch: options.maxBatch ?? 64,
      },
    },
    (line) => console.stderr.write(line),
  ).catch((cause: NodeJS.ErrnoException) => {
    throw cause.syscall === undefined ? cause : listenError(host, port, cause);
  });
  say(folder, server, host, token, options, console);
  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener("abort", resolve, { once: true }));
  await server.close();
  console.note("All that had come was answered.");
  return exitCodes.done;
}

function say(
  folder: string,
  { url, models }: Server,
  host: string,
  token: string | null,
  { json }: ServeCommandOptions,
  console: Console,
): void {
  if (json) {
    const listed = models.map(({ name, state, reason }) => ({ name, state, reason }));
    console.json({ url, folder, token: token !== null, models: listed });
  } else {
    const lines = models.map(({ name, state, reason }) =>
      printable(`  ${name}${state === "READY" ? "" : `: not served, because ${reason}`}`),
    );
    console.stdout.write(
      `${[`Serving ${printable(folder)} on ${url} (${url}/openapi.json says how)`, ...lines].join("\n")}\n`,
    );
  }
  if (models.length === 0)
    console.note(
      `${folder} holds no models yet: there is no .onnx in it or in its folders. They are served as they come.`,
    );
  if (token === null && !loopback.test(host))
    console.note(
      `warning: whoever reaches ${host} can use these models. --token-file FILE asks for a token.`,
    );
}

async function checkFolder(folder: string): Promise<void> {
  const stats = await stat(folder).catch(() => null);
  if (stats?.isDirectory()) return;
  throw new UsageError(
    stats === null
      ? `There is no folder ${folder}. Give one that holds runs or .onnx files, as runs.`
      : `${folder} is no folder. Give the folder that it is in.`,
  );
}

/** @throws {UsageError} for two tokens, or one that no header can hold */
async function tokenOf({ token, tokenFile }: ServeCommandOptions): Promise<string | null> {
  if (token !== undefined && tokenFile !== undefined)
    throw new UsageError("Give --token or --token-file, not both.");
  const read = async (path: string) => textOf(await readBytes(path), path).trim();
  const found = token ?? (tokenFile === undefined ? process.env.REVORT_TOKEN : await read(tokenFile));
  if (found === undefined) return null;
  if (/^[\x21-\x7e]+$/.test(found)) return found;
  throw new UsageError("A token has visible ASCII characters, without spaces, and at least one of them.");
}

function listenError(host: string, port: number, cause: NodeJS.ErrnoException): ListenError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: "something else listens there. Choose another --port, or 0 for any",
    EACCES: "that is for administrators. Choose a --port from 1024 on",
    EADDRNOTAVAIL: "this machine has no such address. Choose another --host",
    ENOTFOUND: "there is no such name. Choose another --host",
  };
  return new ListenError(`Cannot listen on ${host}:${port}: ${why[cause.code ?? ""] ?? cause.message}.`, {
    cause,
  });
}
