import { leavesAt, leavesOf, pathsOf, withLeaves } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import { GraphError, type Value } from "../graph/graph.js";
import { type LoopOptions, loop } from "../ops/control.js";

/** What an iteration gives, as trees of values. */
export interface TreeStep<C, S> {
  readonly carried: C;
  /** what this iteration adds to each scan */
  readonly scans?: S;
  /** a bool scalar: whether to go on */
  readonly proceed?: Value;
}

/**
 * A {@link loop} that carries a tree of values, and stacks up another.
 *
 * @throws {GraphError} if an iteration hands on a tree of another form than it was given
 */
export function loopOver<C, S = null>(
  b: Builder,
  { carried, ...options }: Omit<LoopOptions, "carried"> & { readonly carried: C },
  body: (b: Builder, carried: C, iteration: Value) => TreeStep<C, S>,
): { carried: C; scans: S } {
  let form: S | null = null;
  const end = loop(b, { ...options, carried: leavesOf<Value>(carried) }, (inner, iteration, values) => {
    const step = body(inner, withLeaves(carried, values) as C, iteration);
    form = step.scans ?? null;
    const next = leavesAt<Value>(carried, step.carried);
    if (next.includes(null) || next.length !== leavesOf(step.carried).length) {
      const list = (tree: unknown) => pathsOf(tree).map(([path]) => path);
      throw new GraphError(`Loop: ${list(carried)} were carried in, but ${list(step.carried)} came back.`);
    }
    return { ...step, carried: next as Value[], scans: leavesOf<Value>(step.scans) };
  });
  return { carried: withLeaves(carried, end.carried) as C, scans: withLeaves(form, end.scans) as S };
}
