import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RuntimeUnavailableError } from "../../runtime/runtime.js";
import { type RuntimeName, runtimeNames } from "../runtimes.js";
import type { Order } from "./host.js";
import type { Sample } from "./measure.js";
import type { Job, Readiness, Work } from "./workload.js";

/** A place of its own in which a runtime does a job. */
export interface Host {
  readonly readiness: Readiness;
  time(work: Work, repeats: number): Promise<Sample>;
  /** mebibytes that it takes more than before the runtime was opened; `null` where the system does not tell */
  memory(): number | null;
  close(): Promise<void>;
}

/** Runtimes in pages of a browser, which a clone can open: they are made of its sources. */
export interface PageHosts {
  /** `page/…` */
  readonly names: readonly string[];
  open(name: string, job: Job): Promise<Host>;
}

/** The runtimes in Node that can be compared. */
const inNode: readonly string[] = runtimeNames.filter((name) => name !== "auto" && !/^tfjs-webg/.test(name));

/** All that can be compared. */
export function hostNames(pages: PageHosts | null): readonly string[] {
  return [...inNode, ...(pages?.names ?? [])];
}

/** Opens a host by its name. @throws {RuntimeUnavailableError} or as the host does, where a runtime does not work here */
export async function openHost(name: string, job: Job, pages: PageHosts | null): Promise<Host> {
  if (!name.startsWith("page/")) return processHost(name as RuntimeName, job);
  if (pages !== null) return pages.open(name, job);
  throw new RuntimeUnavailableError(
    `${name} is a runtime in a page. Those are compared by \`npx tsx scripts/bench.ts\` in a clone of revort.`,
  );
}

async function processHost(runtime: RuntimeName, job: Job): Promise<Host> {
  const isSource = import.meta.url.endsWith(".ts");
  const program = fileURLToPath(new URL(isSource ? "./host.ts" : "./host.js", import.meta.url));
  const child = fork(program, [], {
    // sources go through tsx; import.meta.resolve is not there where mocha loads this
    execArgv: isSource ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const ended = once(child, "exit").then(([code, signal]): never => {
    throw new Error(`its process ended with ${signal ?? code}`);
  });
  ended.catch(() => {});
  const ask = async <T>(order: Order): Promise<T> => {
    child.send(order);
    return Promise.race([answerOf<T>(child), ended]);
  };
  await Promise.race([answerOf(child), ended]);
  let memoryMiB: number | null = null;
  try {
    const readiness = await ask<Readiness>({ kind: "prepare", runtime, job });
    return {
      readiness,
      async time(work, repeats) {
        const found = await ask<Sample & { memoryMiB: number }>({ kind: "time", work, repeats });
        memoryMiB = found.memoryMiB;
        return found;
      },
      memory: () => memoryMiB,
      close: async () => void child.kill(),
    };
  } catch (cause) {
    child.kill();
    throw cause;
  }
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const [{ result, failure }] = (await once(child, "message")) as [{ result: T; failure?: string }];
  if (failure !== undefined) throw new Error(failure);
  return result;
}
