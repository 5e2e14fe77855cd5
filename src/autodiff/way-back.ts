import { isFloat } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Cotangent } from "./control-rule.js";
import { type Forward, type Passed, region } from "./region.js";
import { pullback } from "./vjp.js";

export interface WayBackRule {
  /** in messages */
  readonly name: string;
  /** as in {@link region} */
  readonly build: (b: Builder, inputs: readonly Value[]) => Forward;
  /** Cotangents of the inputs from those of the outputs, in a scope that sees nothing but what it is given. */
  readonly pull: (b: Builder, passed: Passed, cotangents: readonly Cotangent[]) => readonly Cotangent[];
  /** The same cotangents from the inputs alone, by operators that have derivatives; `pull` is differentiated by it. */
  readonly again: (
    b: Builder,
    inputs: readonly Value[],
    cotangents: readonly Cotangent[],
  ) => readonly Cotangent[];
}

/**
 * A region whose way back is a region too: it is differentiated not through its nodes, nor node by node through the
 * region, but as the function of the inputs that it is. So it need not consist of what has derivatives, and a second
 * derivative takes no other way than the one that is given for it.
 */
export function regionWithWayBack(
  b: Builder,
  inputs: readonly Value[],
  { name, build, pull, again }: WayBackRule,
): readonly Value[] {
  return region(b, inputs, {
    name,
    build,
    pull(scope, passed, arriving) {
      const present = arriving.filter((cotangent) => cotangent !== null);
      const lists = [passed.inputs, passed.outputs, passed.saved, present];
      const arrivingAs = (own: readonly Value[]) => {
        let next = 0;
        return arriving.map((cotangent) => (cotangent === null ? null : own[next++]!));
      };
      let found: readonly number[] = [];
      const results = region(scope, lists.flat(), {
        name: `way back of ${name}`,
        build(inner, values) {
          const [own, outputs, saved, given] = cut(values, lists) as [Value[], Value[], Value[], Value[]];
          const cotangents = pull(inner, { inputs: own, outputs, saved }, arrivingAs(given));
          found = cotangents.flatMap((cotangent, i) => (cotangent === null ? [] : [i]));
          return { outputs: found.map((i) => cotangents[i]!) };
        },
        pull(inner, { inputs: values }, second) {
          const [own, outputs, saved, given] = cut(values, lists) as [Value[], Value[], Value[], Value[]];
          const cotangents = again(inner, own, arrivingAs(given));
          const known = found.filter((i) => (cotangents[i] ?? null) !== null);
          const pulled = pullback(
            inner,
            known.map((i) => cotangents[i]!),
            known.map((i) => second[found.indexOf(i)] ?? null),
            [...own.filter(({ dtype }) => isFloat(dtype)), ...given],
          );
          const ofOwn = own.map(({ dtype }) => (isFloat(dtype) ? pulled.shift()! : null));
          return [...ofOwn, ...[...outputs, ...saved].map(() => null), ...pulled];
        },
      });
      return inputs.map((_, i) => (found.includes(i) ? results[found.indexOf(i)]! : null));
    },
  });
}

/** Cuts a list into parts as long as those of others. */
export function cut<T>(values: readonly T[], lengths: readonly (readonly unknown[])[]): T[][] {
  let from = 0;
  return lengths.map(({ length }) => {
    from += length;
    return values.slice(from - length, from);
  });
}
