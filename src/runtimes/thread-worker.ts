import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { sizeOf } from "../core/tensor.js";
import { decode } from "../graph/decode.js";
import { toGraph } from "../import/to-graph.js";
import type { DeviceTensor, Executable, Runtime } from "../runtime/runtime.js";
import { auto } from "./auto.js";
import { jit } from "./jit/jit.js";
import { ortNode } from "./ort-node.js";
import {
  type Message,
  type Output,
  type Reply,
  type Request,
  smallOutput,
  type ThreadData,
} from "./thread-messages.js";

// The other end of `threadRuntime`: one request after the other, in order; of a message, the answer to the last.

const { runtime: name, counts, replies } = workerData as ThreadData;
let opened: Promise<Runtime> | null = null;
const tensors = new Map<number, DeviceTensor>();
const executables = new Map<number, Executable>();

async function open(): Promise<Runtime> {
  if (name === "jit") return jit();
  return name === "auto" ? auto(jit(), await ortNode()) : ortNode();
}

async function answer(request: Request): Promise<unknown> {
  opened ??= open();
  const runtime = await opened;
  switch (request.kind) {
    case "compile": {
      const graph = toGraph(decode(request.bytes));
      executables.set(request.executable, await runtime.compile(graph, request.options));
      return;
    }
    case "upload":
      tensors.set(request.tensor, runtime.upload(request.value));
      return;
    case "download":
      return runtime.download(tensors.get(request.tensor)!);
    case "run": {
      const inputs = Object.entries(request.inputs).map(([input, tensor]) => [input, tensors.get(tensor)!]);
      const results = await executables.get(request.executable)!.run(Object.fromEntries(inputs));
      const outputs: Record<string, Output> = {};
      for (const [output, tensor] of Object.entries(results)) {
        tensors.set(request.outputs[output]!, tensor);
        const { dtype, shape } = tensor;
        const isSmall = sizeOf(shape) * 8 <= smallOutput;
        outputs[output] = {
          dtype,
          shape: [...shape],
          value: isSmall ? await runtime.download(tensor) : null,
        };
      }
      return outputs;
    }
    case "dispose":
      for (const tensor of request.tensors) tensors.delete(tensor);
      return;
    case "release":
      await executables.get(request.executable)?.release();
      executables.delete(request.executable);
      return;
  }
}

/** Milliseconds to look out for another message after a run before going to sleep: to wake up takes some 0.08 of them. */
const lookout = 1;

async function serve({ id, requests }: Message): Promise<void> {
  let reply: Reply;
  try {
    let result: unknown;
    for (const request of requests) result = await answer(request);
    reply = { id, result };
  } catch (cause) {
    const error = cause as Error;
    reply = { id, failure: { name: error.constructor.name, message: error.message } };
  }
  replies.postMessage(reply);
  Atomics.add(counts, 1, 1);
}

/** messages received so far */
let received = 0;
/** messages that are not served yet, in order */
const queue: Message[] = [];
let isServing = false;

/** Serves what is in the queue, and what comes soon after a run. */
async function serveAll(): Promise<void> {
  isServing = true;
  for (let message = queue.shift() ?? null; message !== null; ) {
    await serve(message);
    const isRun = message.requests.at(-1)!.kind === "run";
    message = queue.shift() ?? (isRun ? nextSoon() : null);
  }
  isServing = false;
}

function nextSoon(): Message | null {
  for (const end = performance.now() + lookout; performance.now() < end; ) {
    if (Atomics.load(counts, 0) === received) continue;
    const next = receiveMessageOnPort(parentPort!) as { message: Message } | undefined;
    if (next === undefined) continue;
    received++;
    return next.message;
  }
  return null;
}

parentPort!.on("message", (message: Message) => {
  received++;
  queue.push(message);
  if (!isServing) serveAll();
});
