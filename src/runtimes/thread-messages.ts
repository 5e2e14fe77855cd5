import type { MessagePort } from "node:worker_threads";
import type { Tensor } from "../core/tensor.js";
import type { CompileOptions } from "../runtime/runtime.js";
import type { ThreadedRuntime } from "./threaded-runtime.js";

// What the two ends of `threadRuntime` say to each other.

/** What the thread is asked to do. Tensors and executables go by numbers that this side gives out. */
export type Request =
  | {
      readonly kind: "compile";
      readonly executable: number;
      readonly bytes: Uint8Array;
      readonly options: CompileOptions;
    }
  | { readonly kind: "upload"; readonly tensor: number; readonly value: Tensor }
  | { readonly kind: "download"; readonly tensor: number }
  | {
      readonly kind: "run";
      readonly executable: number;
      readonly inputs: Readonly<Record<string, number>>;
      readonly outputs: Readonly<Record<string, number>>;
    }
  | { readonly kind: "dispose"; readonly tensors: number[] }
  | { readonly kind: "release"; readonly executable: number };

/** What a thread is started with. */
export interface ThreadData {
  readonly runtime: ThreadedRuntime;
  /** shared: how many messages have been sent, and how many answered, for those who look out for them */
  readonly counts: Int32Array;
  /** where the answers go */
  readonly replies: MessagePort;
}

/** What goes to the thread at once: requests that nobody waits for, and the one whose answer is wanted. */
export interface Message {
  readonly id: number;
  readonly requests: readonly Request[];
}

/** What a run says of one of its outputs. A small one comes along, since asking for it costs more than sending it. */
export interface Output {
  readonly dtype: Tensor["dtype"];
  readonly shape: readonly number[];
  readonly value: Tensor | null;
}

/** Outputs up to this many bytes come along with the reply. */
export const smallOutput = 65536;

/** The answer to the last request of message `id`. */
export interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: { readonly name: string; readonly message: string };
}
