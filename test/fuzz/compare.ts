import * as ort from "onnxruntime-node";
import { Random } from "../../src/core/random.js";
import { sizeOf, type Tensor, tensor } from "../../src/core/tensor.js";
import { decode } from "../../src/graph/decode.js";
import type { Graph } from "../../src/graph/graph.js";
import { toGraph } from "../../src/import/to-graph.js";
import { jit } from "../../src/runtimes/jit/jit.js";

/** What came of running a file on revort's own runtime and on ONNX Runtime as it is. */
export type Comparison =
  | { readonly kind: "agree" | "both refuse" | "only ONNX Runtime takes it" | "not run" }
  | { readonly kind: "differ" | "only revort takes it"; readonly why: string };

const largest = 1 << 16;

/** Numbers for the inputs of a graph, of every type. */
function feedsOf(graph: Graph): Record<string, Tensor> | null {
  const random = Random.seeded(3);
  const feeds: Record<string, Tensor> = {};
  for (const { name, dtype, shape } of graph.inputs) {
    const dims = shape.map((dim) => (typeof dim === "number" ? dim : 2));
    if (sizeOf(dims) > largest) return null;
    const values = Array.from({ length: sizeOf(dims) }, () => random.uniform(-1, 1));
    feeds[name!] = tensor(
      dtype,
      dims,
      dtype.startsWith("float") ? values : values.map((x) => Math.trunc(3 * x)),
    );
  }
  return feeds;
}

async function onRevort(graph: Graph, feeds: Readonly<Record<string, Tensor>>): Promise<Tensor[]> {
  const runtime = jit();
  const executable = await runtime.compile(graph);
  try {
    const given = Object.fromEntries(
      Object.keys(executable.inputs).map((name) => [name, runtime.upload(feeds[name]!)]),
    );
    const results = await executable.run(given);
    return await Promise.all(graph.outputs.map(({ name }) => runtime.download(results[name]!)));
  } finally {
    await executable.release();
  }
}

async function onOrt(bytes: Uint8Array, feeds: Readonly<Record<string, Tensor>>): Promise<Tensor[]> {
  const session = await ort.InferenceSession.create(bytes, {
    ...{ logSeverityLevel: 4, intraOpNumThreads: 1, graphOptimizationLevel: "disabled" },
  });
  try {
    // inputs that the file has values for need not be given
    const given = Object.fromEntries(
      session.inputNames
        .filter((name) => name in feeds)
        .map((name) => {
          const { dtype, shape, data } = feeds[name]!;
          return [name, new ort.Tensor(dtype as "float32", data as Float32Array, shape)];
        }),
    );
    const results = await session.run(given);
    return session.outputNames.map((name) => {
      const { type, dims, data } = results[name]!;
      return { dtype: type, shape: dims, data } as Tensor;
    });
  } finally {
    await session.release();
  }
}

/** Where two results differ by more than float32 arithmetic explains, in words. */
function difference(ours: Tensor, theirs: Tensor): string | null {
  const type = (t: Tensor) => `${t.dtype}[${t.shape.join(", ")}]`;
  if (type(ours) !== type(theirs)) return `${type(ours)}, not ${type(theirs)}`;
  const size = Array.from(theirs.data, Number).reduce(
    (most, x) => Math.max(most, Number.isFinite(x) ? Math.abs(x) : 0),
    0,
  );
  for (let i = 0; i < ours.data.length; i++) {
    const [x, y] = [Number(ours.data[i]), Number(theirs.data[i])];
    if (!(Object.is(x, y) || x === y || Math.abs(x - y) <= 1e-3 * Math.max(size, 1e-3)))
      return `element ${i} is ${x}, not ${y}`;
  }
  return null;
}

/** Runs a file on both, with its inputs as they are declared. */
export async function compare(bytes: Uint8Array): Promise<Comparison> {
  const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
  let graph: Graph | null = null;
  try {
    graph = toGraph(decode(bytes, { source: "mutant.onnx" }));
  } catch {
    return { kind: "not run" };
  }
  const feeds = feedsOf(graph);
  if (feeds === null) return { kind: "not run" };
  let theirs: Tensor[] | null = null;
  let why = "";
  try {
    theirs = await onOrt(bytes, feeds);
  } catch (error) {
    why = messageOf(error);
  }
  let ours: Tensor[];
  try {
    ours = await onRevort(graph, feeds);
  } catch {
    return { kind: theirs === null ? "both refuse" : "only ONNX Runtime takes it" };
  }
  if (theirs === null) return { kind: "only revort takes it", why };
  for (const [i, value] of ours.entries()) {
    const wrong = difference(value, theirs[i]!);
    if (wrong !== null) return { kind: "differ", why: `output ${i}: ${wrong}` };
  }
  return { kind: "agree" };
}
