import { withoutRegions } from "../../src/autodiff/region.js";
import type { FloatDType, Tensor } from "../../src/core/tensor.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Graph, Value } from "../../src/graph/graph.js";
import { pick, upload } from "../../src/integrate/solve.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";

/** Runs a graph once, from host to host. Inputs that the graph does not take are left out. */
export async function runGraph(
  runtime: Runtime,
  graph: Graph,
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const executable = await runtime.compile(graph);
  try {
    const results = await executable.run(pick(upload(runtime, inputs), executable.inputs));
    const entries = Object.entries(results).map(
      async ([name, value]) => [name, await runtime.download(value)] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  } finally {
    await executable.release();
  }
}

/**
 * Builds a graph on inputs of the types of the tensors given, and runs it once on them. Outputs may have the names of
 * inputs; those that are `null` are left out.
 */
export async function evaluate<Name extends string>(
  runtime: Runtime,
  inputs: Readonly<Record<string, Tensor>>,
  build: (b: Builder, values: Readonly<Record<string, Value>>) => Readonly<Record<Name, Value | null>>,
): Promise<Record<Name, Tensor>> {
  const b = new Builder();
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape }]) => [name, b.input(name, dtype, shape)]),
  );
  const outputs = Object.fromEntries(
    Object.entries<Value | null>(build(b, values)).flatMap(([name, value]) =>
      value === null ? [] : [[`out/${name}`, value] as const],
    ),
  );
  const results = await runGraph(runtime, b.graph(outputs, "test"), inputs);
  return Object.fromEntries(
    Object.entries(results).map(([name, value]) => [name.slice("out/".length), value]),
  ) as Record<Name, Tensor>;
}

/** Numbers as a tensor: a scalar, or rows of `width`. */
export function rows(values: number | readonly number[], width = 1, dtype: FloatDType = "float64"): Tensor {
  return typeof values === "number"
    ? tensor(dtype, [], [values])
    : tensor(dtype, [values.length / width, width], values);
}

/** The numbers of what is built, solves and other regions within it included, on the compiled runtime. */
export async function valuesOf(
  build: (b: Builder) => Readonly<Record<string, Value>>,
  inputs: Readonly<Record<string, Tensor>> = {},
): Promise<Record<string, number[]>> {
  const b = new Builder();
  const outputs = await runGraph(jit(), withoutRegions(b.graph(build(b))), inputs);
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, numbers(value)]));
}
