import { RevortError } from "../core/errors.js";
import type { DType, Tensor } from "../core/tensor.js";
import type { Graph, ValueType } from "../graph/graph.js";

/** A tensor where the runtime keeps it: host memory, a GPU buffer, a WebAssembly heap. Opaque but for its type. */
export interface DeviceTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Named tensors on a device, as they go into a graph and come out of it. */
export type DeviceTensors = Readonly<Record<string, DeviceTensor>>;

/** A compiled graph. */
export interface Executable {
  readonly inputs: Readonly<Record<string, ValueType>>;
  readonly outputs: Readonly<Record<string, ValueType>>;
  /** the runtime that the last run was on, where there are several to choose from */
  readonly runsOn?: string;
  /**
   * Runs the graph once. Inputs stay valid and unchanged; outputs are new and belong to the caller. A static input
   * shape must match; a symbolic one takes any size.
   *
   * @throws {InputError} for a missing, unknown or misfitting input
   */
  run(inputs: DeviceTensors): Promise<DeviceTensors>;
  /** Frees what the executable holds; a second time it does nothing. Running it afterwards throws RunError. */
  release(): Promise<void>;
}

export interface CompileOptions {
  /** threads inside one operator; by default what the runtime thinks right */
  readonly threads?: number;
}

/**
 * Something that runs graphs. States stay on its device between runs: only `upload` and `download` cross over.
 *
 * Implementations are leaves: nothing but entry points imports them.
 */
export interface Runtime {
  readonly name: string;
  /** version of what runs underneath, for benchmark tables */
  readonly version: string;
  /** @throws {CompileError} if the runtime cannot run the graph, naming the operator */
  compile(graph: Graph, options?: CompileOptions): Promise<Executable>;
  upload(value: Tensor): DeviceTensor;
  download(value: DeviceTensor): Promise<Tensor>;
  /** Frees a tensor early. Tensors that are not disposed of are freed with the garbage, if their runtime can. */
  dispose(value: DeviceTensor): void;
  /** bytes that a run may take at most, where there is a bound besides what the machine has */
  readonly memory?: number;
  /** Where loops are unrolled: another number of iterations is another graph to compile, so few numbers are better. */
  readonly writesLoopsOut?: true;
  /** Where the runtime keeps its tensors in host memory: they can be shared with others, without copies. */
  readonly host?: HostMemory;
  /**
   * Looks out, for a moment, for answers of what works beside this thread. For those who have nothing else to do until
   * then: to be told of them takes longer.
   */
  lookOut?(): void;
}

/** Tensors of a runtime that are host memory. What is shared must not be written to. */
export interface HostMemory {
  read(value: DeviceTensor): Tensor;
  wrap(value: Tensor): DeviceTensor;
}

/** A runtime that cannot compile a graph. */
export class CompileError extends RevortError {}

/** A runtime that failed while running a graph. */
export class RunError extends RevortError {}

/** An input of an executable that is missing, unknown, or of another type than the graph's. */
export class InputError extends RevortError {}

/** A runtime that is not installed, or does not work on this machine. */
export class RuntimeUnavailableError extends RevortError {}
