import type { Tensor } from "../core/tensor.js";
import { type Like, mapTree, pathsOf } from "../core/tree.js";
import type { Program } from "../programs/program.js";
import type { CompileOptions, DeviceTensor, DeviceTensors, Executable, Runtime } from "./runtime.js";

/** A program on a runtime. */
export interface CompiledProgram<In, Out> {
  readonly executable: Executable;
  /**
   * Runs the program once. What its graph has no use for, as the time of an autonomous field, is not handed on.
   *
   * @throws {InputError} for an input of another type than the program's
   */
  run(inputs: Like<In, DeviceTensor>): Promise<Like<Out, DeviceTensor>>;
  release(): Promise<void>;
}

/** @throws {CompileError} if the runtime cannot run the program */
export async function compileProgram<In, Out>(
  runtime: Runtime,
  program: Program<In, Out>,
  options?: CompileOptions,
): Promise<CompiledProgram<In, Out>> {
  const executable = await runtime.compile(program.graph, options);
  return {
    executable,
    async run(inputs) {
      const read = pathsOf(inputs).filter(([path]) => Object.hasOwn(executable.inputs, path));
      const results = await executable.run(Object.fromEntries(read) as DeviceTensors);
      return mapTree(program.outputs, (_, path) => results[path]!) as Like<Out, DeviceTensor>;
    },
    release: () => executable.release(),
  };
}

/** Brings the tensors of a tree to a runtime. */
export function uploadTree<T>(runtime: Runtime, tree: T): Like<T, DeviceTensor> {
  return mapTree(tree, (leaf) => runtime.upload(leaf as Tensor));
}

/** Brings tensors that nobody will write to any more, without a copy where the runtime has its own in host memory. */
export function handOverTree<T>(runtime: Runtime, tree: T): Like<T, DeviceTensor> {
  const { host } = runtime;
  return host === undefined ? uploadTree(runtime, tree) : mapTree(tree, (leaf) => host.wrap(leaf as Tensor));
}

/** Takes the tensors of a tree from a runtime. */
export async function downloadTree<T>(runtime: Runtime, tree: T): Promise<Like<T, Tensor>> {
  const taken = await Promise.all(
    pathsOf(tree).map(async ([path, leaf]) => [path, await runtime.download(leaf as DeviceTensor)] as const),
  );
  const byPath = new Map(taken);
  return mapTree(tree, (_, path) => byPath.get(path)!);
}
