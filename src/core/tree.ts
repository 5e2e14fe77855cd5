import type { DType } from "./tensor.js";

/** Anything with an element type: a tensor, a value of a graph, the type of an input. */
export interface Leaf {
  readonly dtype: DType;
}

/**
 * Leaves by name, nested as they belong together, such as `{ y0, parameters: { weight, bias }, state: [y, z] }`. `null`
 * stands for what a setting has no use for.
 */
export type Tree = Leaf | null | { readonly [name: string]: Tree } | readonly Tree[];

/** A tree with names at its root: what belongs together, whatever its leaves are. */
export type Branch = { readonly [name: string]: Tree };

/** The tree T with leaves X in the place of its own; any tree, where nothing is known of T. */
export type Like<T, X> = [Tree] extends [T]
  ? Tree
  : T extends Leaf
    ? X
    : T extends null
      ? null
      : { readonly [K in keyof T]: Like<T[K], X> };

export const isLeaf = (tree: object): tree is Leaf => typeof (tree as Leaf).dtype === "string";

/** The leaves of a tree by their paths, such as `parameters/weight`, in the order in which the tree has them. */
export function pathsOf<T>(tree: T, path = ""): [path: string, leaf: Leaf][] {
  if (tree === null || tree === undefined) return [];
  if (isLeaf(tree)) return [[path, tree]];
  return Object.entries(tree).flatMap(([name, branch]) =>
    pathsOf(branch, path === "" ? name : `${path}/${name}`),
  );
}

/** The leaves of a tree by their paths, as files have them. @param root  what the paths start with */
export function byPath<X extends Leaf>(tree: unknown, root = ""): Readonly<Record<string, X>> {
  return Object.fromEntries(pathsOf(tree, root)) as Record<string, X>;
}

/** The leaves of a tree, in the order in which the tree has them. */
export function leavesOf<X extends Leaf>(tree: unknown): X[] {
  return pathsOf(tree).map(([, leaf]) => leaf as X);
}

/** A tree of the same form, its leaves made from those of a tree and their paths. */
export function mapTree<T, X>(tree: T, make: (leaf: Leaf, path: string) => X, path = ""): Like<T, X> {
  const within = (name: string) => (path === "" ? name : `${path}/${name}`);
  const mapped = (): unknown => {
    if (tree === null || tree === undefined) return null;
    if (isLeaf(tree)) return make(tree, path);
    if (Array.isArray(tree)) return tree.map((branch, i) => mapTree(branch, make, within(`${i}`)));
    return Object.fromEntries(
      Object.entries(tree).map(([name, branch]) => [name, mapTree(branch, make, within(name))]),
    );
  };
  return mapped() as Like<T, X>;
}

/** A tree of the same form, its leaves made from those of a tree: {@link mapTree} for what is done in every run. */
export function mapLeaves<T, X>(tree: T, make: (leaf: Leaf) => X): Like<T, X> {
  const mapped = (branch: unknown): unknown => {
    if (branch === null || branch === undefined) return null;
    if (isLeaf(branch)) return make(branch);
    if (Array.isArray(branch)) return branch.map(mapped);
    // a copy has its properties at once, and takes half the time of an object that grows
    const made: Record<string, unknown> = { ...branch };
    for (const name in made) made[name] = mapped(made[name]);
    return made;
  };
  return mapped(tree) as Like<T, X>;
}

/** A tree of the same form with other leaves, in the order of {@link leavesOf}: what a loop carries, unpacked. */
export function withLeaves<T, X>(tree: T, leaves: readonly X[]): Like<T, X> {
  let next = 0;
  return mapLeaves(tree, () => leaves[next++]!);
}

/** What a tree has in the places of the leaves of a form, in the order of {@link leavesOf} of that; `null` for none. */
export function leavesAt<X>(form: unknown, tree: unknown): (X | null)[] {
  if (form === null || form === undefined) return [];
  if (isLeaf(form)) return [(tree ?? null) as X | null];
  return Object.entries(form).flatMap(([name, branch]) =>
    leavesAt<X>(branch, (tree as Readonly<Record<string, unknown>> | null | undefined)?.[name]),
  );
}

/** The part of a tree that has the names of a form at its root. */
export function partOf(tree: Branch, form: object): Branch {
  return Object.fromEntries(Object.keys(form).map((name) => [name, tree[name]!]));
}
