import { withoutRegions } from "../autodiff/region.js";
import { pullback } from "../autodiff/vjp.js";
import { numbers } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Node, Value } from "../graph/graph.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";

/** Why the slope of an operator is not finite, where its value is. */
const reasons: Readonly<Record<string, string>> = {
  Pow: "d xⁿ/dn = xⁿ ln x needs a base above 0, and d xⁿ/dx is infinite at 0 for n < 1",
  Sqrt: "its slope is infinite at 0",
  Log: "its slope is infinite at 0",
  Reciprocal: "its slope is infinite at 0",
  Div: "its slope is infinite where it divides by 0",
  ReduceL2: "a norm has no slope at 0",
};

/** Why the slope of a node is not finite, as the end of a sentence. */
export function reasonOf({ op }: Node): string {
  const reason = reasons[op.type];
  return reason === undefined ? "" : `, for ${reason}`;
}

/** A derivative of which every cotangent can be looked at. */
export interface WatchedDerivative {
  /** Looks at it with some inputs. @returns the first rule that makes of finite cotangents others, and whom those reach */
  readonly at: (inputs: DeviceTensors) => Promise<{ node: Node; reached: number[] } | null>;
  readonly release: () => Promise<void>;
}

/**
 * Compiles a derivative, operator by operator.
 *
 * @param wrt  what it is taken in
 */
export async function watchedDerivative(
  b: Builder,
  runtime: Runtime,
  { output, cotangent, wrt }: { output: Value; cotangent: Value; wrt: readonly Value[] },
): Promise<WatchedDerivative> {
  const steps: { node: Node; incoming: Value[]; outgoing: Value[] }[] = [];
  const present = (values: readonly (Value | null)[]) => values.filter((value) => value !== null);
  const gradients = pullback(b, [output], [cotangent], wrt, (node, incoming, outgoing) => {
    steps.push({ node, incoming: present(incoming), outgoing: present(outgoing) });
  });
  const computed = new Set(
    [...steps.flatMap(({ incoming, outgoing }) => [...incoming, ...outgoing]), ...present(gradients)].filter(
      ({ node }) => node !== null,
    ),
  );
  const outputs = Object.fromEntries([...computed].map((value) => [`value/${value.id}`, value]));
  const executable = await runtime.compile(withoutRegions(b.graph(outputs, "derivative")));
  return {
    async at(inputs) {
      const read = Object.entries(inputs).filter(([name]) => Object.hasOwn(executable.inputs, name));
      const results = await executable.run(Object.fromEntries(read));
      const finite = new Map<Value, boolean>();
      for (const value of computed) {
        const host = await runtime.download(results[`value/${value.id}`]!);
        finite.set(value, numbers(host).every(Number.isFinite));
      }
      const allFinite = (value: Value) => finite.get(value) ?? true;
      const first = steps.find(
        ({ incoming, outgoing }) => incoming.every(allFinite) && !outgoing.every(allFinite),
      );
      if (first === undefined) return null;
      const reached = wrt.flatMap((_, k) => (gradients[k] && !allFinite(gradients[k]) ? [k] : []));
      return { node: first.node, reached };
    },
    release: () => executable.release(),
  };
}

/** Names, of which at most four are shown. */
export function shownNames(names: readonly string[]): string {
  const list = names.map((name) => JSON.stringify(name));
  return list.length > 4 ? `${list.slice(0, 4).join(", ")} and ${list.length - 4} more` : list.join(", ");
}
