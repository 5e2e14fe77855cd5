import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { Tensor } from "../core/tensor.js";
import { encode } from "../graph/encode.js";
import type { Graph, ValueType } from "../graph/graph.js";
import { checkInputs } from "../runtime/inputs.js";
import {
  CompileError,
  type CompileOptions,
  type DeviceTensor,
  type DeviceTensors,
  type Executable,
  InputError,
  RunError,
  RuntimeUnavailableError,
} from "../runtime/runtime.js";
import type { ThreadRuntime } from "../runtime/threads.js";
import type { Message, Output, Reply, Request, ThreadData } from "./thread-messages.js";
import type { ThreadedRuntime } from "./threaded-runtime.js";

export type { ThreadRuntime };

interface Handle extends DeviceTensor {
  readonly tensor: number;
  /** the same tensor here, where it came along */
  readonly value: Tensor | null;
}

/** Milliseconds to look out for an answer at most: what takes longer does not mind being told of. */
const lookout = 0.2;

/** How many requests that nobody waits for are held back at most. */
const heldBack = 64;

const causes = { CompileError, RunError, InputError, RuntimeUnavailableError };

/**
 * A runtime in a thread of its own, for work beside that of this one. Tensors stay in the thread between runs; a graph
 * goes there as ONNX. Node only.
 *
 * @throws {RuntimeUnavailableError} if the runtime does not work there
 */
export async function threadRuntime(name: ThreadedRuntime): Promise<ThreadRuntime> {
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const { port1: answers, port2: replies } = new MessageChannel();
  const worker = startWorker({ runtime: name, counts, replies });
  const pending = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let requests = 0;
  let handles = 0;
  let answered = 0;
  const take = ({ id, result, failure }: Reply): void => {
    answered++;
    const waiting = pending.get(id)!;
    pending.delete(id);
    if (pending.size === 0) worker.unref();
    if (failure === undefined) waiting.resolve(result);
    else {
      const Cause = causes[failure.name as keyof typeof causes] ?? RunError;
      waiting.reject(new Cause(failure.message));
    }
  };
  answers.on("message", take);
  // the thread keeps the process alive only while it is asked something
  answers.unref();
  worker.unref();
  let ended: string | null = null;
  const end = (reason: string) => {
    ended ??= reason;
    for (const { reject } of pending.values())
      reject(new RunError(`The thread of ${name} ended: ${reason}.`));
    pending.clear();
  };
  worker.on("error", ({ message }) => end(message));
  worker.on("exit", (code) => end(`exit code ${code}`));

  const waiting: Request[] = [];
  const tell = (request: Request): Promise<unknown> => {
    if (ended !== null) return Promise.reject(new RunError(`The thread of ${name} has ended: ${ended}.`));
    const message: Message = { id: requests++, requests: [...waiting.splice(0), request] };
    return new Promise((resolve, reject) => {
      pending.set(message.id, { resolve, reject });
      worker.ref();
      worker.postMessage(message);
      Atomics.add(counts, 0, 1);
    });
  };
  /** Tells with what is told next; what fails shows in what follows. */
  const post = (request: Request): void => {
    if (waiting.length < heldBack) waiting.push(request);
    else tell(request).catch(() => {});
  };
  const forget = (tensor: number): void => {
    const last = waiting.at(-1);
    // one request for many, since each costs as much to send as a small tensor
    if (last?.kind === "dispose" && last.tensors.length < heldBack) last.tensors.push(tensor);
    else post({ kind: "dispose", tensors: [tensor] });
  };
  const forgotten = new FinalizationRegistry(forget);
  const handle = (type: Pick<Handle, "dtype" | "shape">, tensor: number, value: Tensor | null): Handle => {
    const made = { dtype: type.dtype, shape: type.shape, tensor, value };
    forgotten.register(made, tensor, made);
    return made;
  };

  async function compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    const executable = handles++;
    try {
      await tell({ kind: "compile", executable, bytes: encode(graph), options });
    } catch (cause) {
      throw new CompileError(
        `${name}-thread cannot run the graph "${graph.name}": ${(cause as Error).message}`,
        { cause },
      );
    }
    const inputs = typesOf(graph.inputs.map((value) => [value.name!, value]));
    const outputs = typesOf(graph.outputs.map(({ name: output, value }) => [output, value]));
    let released = false;
    return {
      inputs,
      outputs,
      async run(given) {
        if (released) throw new RunError(`"${graph.name}" has been released; compile it again to run it.`);
        checkInputs(inputs, given);
        const numbered = (of: DeviceTensors) =>
          Object.fromEntries(Object.entries(of).map(([key, value]) => [key, (value as Handle).tensor]));
        const fresh = Object.fromEntries(Object.keys(outputs).map((output) => [output, handles++]));
        const results = (await tell({
          kind: "run",
          executable,
          inputs: numbered(given),
          outputs: fresh,
        })) as Record<string, Output>;
        return Object.fromEntries(
          Object.entries(results).map(([output, result]) => [
            output,
            handle(result, fresh[output]!, result.value),
          ]),
        );
      },
      async release() {
        if (released) return;
        released = true;
        await tell({ kind: "release", executable });
      },
    };
  }

  // what does not work there fails here, not with the first graph
  await tell({ kind: "dispose", tensors: [] });
  return {
    name: `${name}-thread`,
    version: process.version,
    compile,
    upload(value) {
      const tensor = handles++;
      post({ kind: "upload", tensor, value });
      return handle(value, tensor, null);
    },
    async download(value) {
      const { value: known } = value as Handle;
      if (known !== null) return { ...known, data: known.data.slice() } as Tensor;
      return (await tell({ kind: "download", tensor: (value as Handle).tensor })) as Tensor;
    },
    dispose(value) {
      forgotten.unregister(value);
      forget((value as Handle).tensor);
    },
    lookOut() {
      for (const end = performance.now() + lookout; pending.size > 0 && performance.now() < end; ) {
        if (Atomics.load(counts, 1) === answered) continue;
        const next = receiveMessageOnPort(answers) as { message: Reply } | undefined;
        if (next !== undefined) take(next.message);
      }
    },
    async close() {
      await worker.terminate();
    },
  };
}

/** Starts the thread. Sources go through tsx, which does not reach into threads unasked. */
function startWorker(workerData: ThreadData): Worker {
  if (!import.meta.url.endsWith(".ts")) {
    const worker = new URL("./thread-worker.js", import.meta.url);
    return new Worker(worker, { workerData, transferList: [workerData.replies] });
  }
  const tsx = createRequire(import.meta.url).resolve("tsx/cjs/api");
  const file = fileURLToPath(new URL("./thread-worker.ts", import.meta.url));
  const source = `require(${JSON.stringify(tsx)}).register(); require(${JSON.stringify(file)});`;
  return new Worker(source, { eval: true, workerData, transferList: [workerData.replies] });
}

function typesOf(entries: readonly (readonly [string, ValueType])[]): Record<string, ValueType> {
  return Object.fromEntries(entries.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}
