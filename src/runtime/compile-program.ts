import type { Tensor } from "../core/tensor.js";
import { isLeaf, type Like, leavesOf, mapLeaves, withLeaves } from "../core/tree.js";
import type { Program } from "../programs/program.js";
import type { CompileOptions, DeviceTensor, DeviceTensors, Executable, Runtime } from "./runtime.js";

/** A program on a runtime. */
export interface CompiledProgram<In, Out> {
  readonly executable: Executable;
  /**
   * Runs the program once. What its graph has no use for, as the time of an autonomous field, is not handed on.
   *
   * @throws {InputError} for an input of another type than the program's, or one that is missing
   */
  run(inputs: Like<In, DeviceTensor>): Promise<Like<Out, DeviceTensor>>;
  release(): Promise<void>;
}

/** A program of some type on a runtime. */
export type CompiledOf<P> = P extends Program<infer In, infer Out> ? CompiledProgram<In, Out> : never;

/** @throws {CompileError} if the runtime cannot run the program */
export async function compileProgram<In, Out>(
  runtime: Runtime,
  program: Program<In, Out>,
  options?: CompileOptions,
): Promise<CompiledProgram<In, Out>> {
  const executable = await runtime.compile(program.graph, options);
  // where things lie is found out once: a run takes microseconds
  const read = placesIn(program.inputs).filter(({ path }) => Object.hasOwn(executable.inputs, path));
  const outputs = builderOf(program.outputs);
  return {
    executable,
    async run(inputs) {
      const given: Record<string, DeviceTensor> = {};
      for (const { path, keys } of read) {
        let at: unknown = inputs;
        for (const key of keys) at = (at as Record<string, unknown> | null | undefined)?.[key];
        if (at !== null && at !== undefined) given[path] = at as DeviceTensor;
      }
      return outputs(await executable.run(given)) as Like<Out, DeviceTensor>;
    },
    release: () => executable.release(),
  };
}

/** Where a leaf lies in a tree: its path, and the names that lead there. */
interface Place {
  readonly path: string;
  readonly keys: readonly string[];
}

function placesIn(tree: unknown, keys: readonly string[] = []): Place[] {
  if (tree === null || tree === undefined) return [];
  if (isLeaf(tree)) return [{ path: keys.join("/"), keys }];
  return Object.entries(tree).flatMap(([name, branch]) => placesIn(branch, [...keys, name]));
}

/** Makes trees of the form of one from leaves by their paths. */
function builderOf(tree: unknown, path = ""): (leaves: DeviceTensors) => unknown {
  if (tree === null || tree === undefined) return () => null;
  if (isLeaf(tree)) return (leaves) => leaves[path];
  const branches = Object.entries(tree).map(
    ([name, branch]) => [name, builderOf(branch, path === "" ? name : `${path}/${name}`)] as const,
  );
  if (Array.isArray(tree)) return (leaves) => branches.map(([, build]) => build(leaves));
  // as in mapLeaves
  const form: Record<string, unknown> = Object.fromEntries(branches);
  return (leaves) => {
    const made = { ...form };
    for (const [name, build] of branches) made[name] = build(leaves);
    return made;
  };
}

/** Brings the tensors of a tree to a runtime. */
export function uploadTree<T>(runtime: Runtime, tree: T): Like<T, DeviceTensor> {
  return mapLeaves(tree, (leaf) => runtime.upload(leaf as Tensor));
}

/** Brings tensors that nobody will write to any more to a runtime, without a copy where it has them in host memory. */
export function handOverTree<T>(runtime: Runtime, tree: T): Like<T, DeviceTensor> {
  const { host } = runtime;
  return host === undefined
    ? uploadTree(runtime, tree)
    : mapLeaves(tree, (leaf) => host.wrap(leaf as Tensor));
}

/** Takes the tensors of a tree from a runtime. */
export async function downloadTree<T>(runtime: Runtime, tree: T): Promise<Like<T, Tensor>> {
  const leaves = leavesOf<DeviceTensor>(tree).map((leaf) => runtime.download(leaf));
  return withLeaves(tree, await Promise.all(leaves));
}

/** Frees the tensors of a tree early. */
export function disposeTree(runtime: Runtime, tree: unknown): void {
  for (const leaf of leavesOf<DeviceTensor>(tree)) runtime.dispose(leaf);
}
