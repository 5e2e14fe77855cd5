import { fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RevortError } from "../core/errors.js";
import { hello, type Message, type Reply, type Request } from "./messages.js";

/** A worker that ended while it was asked something. */
export class WorkerEndedError extends RevortError {}

/** What a session has to say against what it was given, and the name of the error's class there. */
export class SessionFailure extends RevortError {
  constructor(
    message: string,
    readonly kind: string,
  ) {
    super(message);
  }
}

/** A process that holds sessions. */
export interface SessionWorker {
  /** keys of the sessions that it has opened */
  readonly opened: Set<string>;
  readonly pid: number | undefined;
  /** whether it has started, and not ended */
  readonly ready: boolean;
  readonly started: Promise<void>;
  ask(request: Request): Promise<unknown>;
  /** Ends it at once, whatever it does; what it was asked fails. */
  end(reason: string): void;
  /** settles when it has ended, by itself or not, with the reason */
  readonly ended: Promise<string>;
}

/**
 * Starts a process for sessions. Not a thread: to end a thread while ONNX Runtime runs in it ends the whole process, and
 * what exhausts the memory or crashes takes nothing else along.
 */
export function sessionWorker(): SessionWorker {
  const isSource = import.meta.url.endsWith(".ts");
  const program = fileURLToPath(new URL(isSource ? "./worker.ts" : "./worker.js", import.meta.url));
  const child = fork(program, [], {
    // sources go through tsx, which does not reach into other processes unasked
    execArgv: isSource ? ["--import", tsx()] : [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const pending = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let asked = 0;
  let isStarted = false;
  let reason: string | null = null;
  const finish = (why: string) => {
    reason ??= why;
    for (const { reject } of pending.values()) reject(new WorkerEndedError(`Its worker ended: ${reason}.`));
    pending.clear();
  };
  let begin = () => {};
  const started = new Promise<void>((resolve) => {
    begin = resolve;
  });
  child.on("message", ({ id, result, failure }: Reply) => {
    if (id === hello) {
      isStarted = true;
      begin();
      return;
    }
    const waiting = pending.get(id);
    pending.delete(id);
    if (failure === undefined) waiting?.resolve(result);
    else waiting?.reject(new SessionFailure(failure.message, failure.name));
  });
  const ended = new Promise<string>((resolve) => {
    child.on("error", ({ message }) => {
      finish(message);
      if (child.pid === undefined) resolve(message);
    });
    child.on("exit", (code, signal) => {
      finish(signal ?? `exit code ${code}`);
      resolve(reason!);
    });
  });
  return {
    ...{ opened: new Set(), started, ended, pid: child.pid },
    get ready() {
      return isStarted && reason === null;
    },
    ask(request) {
      if (reason !== null) return Promise.reject(new WorkerEndedError(`Its worker ended: ${reason}.`));
      const message: Message = { id: asked++, request };
      return new Promise((resolve, reject) => {
        pending.set(message.id, { resolve, reject });
        // one that has gone is told of by its end
        child.send(message, () => {});
      });
    },
    end(why) {
      finish(why);
      child.kill("SIGKILL");
    },
  };
}

function tsx(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
}
