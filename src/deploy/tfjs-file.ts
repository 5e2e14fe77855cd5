import { castTensor, type Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import { backends } from "../graph-model/backends.js";
import type { GraphModelArtifacts } from "../graph-model/format.js";
import { graphModel } from "../graph-model/graph-model.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkParameters } from "../integrate/solve-inputs.js";
import { gridTensors, gridThrough } from "../programs/grid.js";
import { y0Name } from "../programs/names.js";
import { solve } from "../programs/solve.js";
import { type FieldMetadata, fieldGraph, metadataOf } from "./field-file.js";
import { kindKey } from "./kind.js";

/** Bytes of weights in one file, as TensorFlow.js's own converter has them: browsers keep files of that size. */
const shardBytes = 4 * 2 ** 20;

export interface GraphModelFileOptions {
  /** inputs of the graph that are constants of the model, by name */
  readonly values?: Tensors;
  readonly metadata?: Readonly<Record<string, string>>;
  /** operators, at most, with loops unrolled; 50 000 by default */
  readonly operators?: number;
}

/**
 * A graph as a GraphModel that `tf.loadGraphModel` of TensorFlow.js reads without revort, right on each of its backends:
 * `model.json` and the weights, by the names of the files. Loops are unrolled, and float64 is refused.
 *
 * @throws {CompileError} naming what TensorFlow.js does not have, and what to do
 */
export function graphModelFiles(
  graph: Graph,
  { values = {}, metadata = {}, operators }: GraphModelFileOptions = {},
): ReadonlyMap<string, Uint8Array> {
  const { artifacts } = graphModel(graph, {
    target: { name: "TensorFlow.js", backends },
    values: new Map(Object.entries(values)),
    whole: true,
    remedy: "Take fewer steps: a larger step size, or a shorter time",
    ...(operators === undefined ? {} : { operators }),
    metadata,
  });
  return filesOf(artifacts);
}

function filesOf({
  weightData,
  weightSpecs,
  ...model
}: GraphModelArtifacts): ReadonlyMap<string, Uint8Array> {
  const count = Math.max(1, Math.ceil(weightData.byteLength / shardBytes));
  const shards = Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(weightData.slice(i * shardBytes, (i + 1) * shardBytes));
    return [`group1-shard${i + 1}of${count}.bin`, bytes] as const;
  });
  const manifest = [{ paths: shards.map(([name]) => name), weights: weightSpecs }];
  const json = JSON.stringify({ ...model, weightsManifest: manifest });
  return new Map([["model.json", new TextEncoder().encode(json)], ...shards]);
}

/** The equation in float32, and its parameters. */
function inFloat32(ode: NeuralOde, parameters: Tensors): { ode: NeuralOde; values: Tensors } {
  const given = checkParameters(ode.field, parameters, ode);
  const single = Object.entries(given).map(([name, value]): [string, Tensor] => [
    name,
    castTensor(value, "float32"),
  ]);
  return { ode: { ...ode, dtype: "float32" }, values: Object.fromEntries(single) };
}

/**
 * A trained field as a GraphModel: `t` and `y` [batch, …] in, `dydt` out, in float32.
 *
 * @throws {ParameterError} for parameters that do not fit the field
 * @throws {CompileError} as {@link graphModelFiles}
 */
export function tfjsField(
  given: NeuralOde,
  parameters: Tensors,
  metadata: FieldMetadata = {},
): ReadonlyMap<string, Uint8Array> {
  const { ode, values } = inFloat32(given, parameters);
  return graphModelFiles(fieldGraph(ode), { values, metadata: metadataOf(ode, metadata) });
}

export interface TfjsSolveOptions {
  readonly t0: number;
  readonly saveAt: readonly number[];
  readonly metadata?: FieldMetadata;
}

/**
 * A solve of a trained equation at given times as a GraphModel, in steps of the equation's size, each of them unrolled:
 * `y0` [batch, …] in, `ys` [saves, batch, …] out, in float32.
 *
 * @throws {ParameterError | TimeError | CompileError}
 */
export function tfjsSolve(
  given: NeuralOde,
  parameters: Tensors,
  { t0, saveAt, metadata = {} }: TfjsSolveOptions,
): ReadonlyMap<string, Uint8Array> {
  const { ode, values } = inFloat32(given, parameters);
  const { field, method, dtype } = ode;
  const grid = gridThrough(t0, saveAt, ode.stepSize);
  const b = new Builder();
  const constant = (value: Tensor) => b.constant(value);
  const times = gridTensors(grid, dtype);
  const { ys } = solve(
    b,
    { field, method, dtype, state: [], saves: saveAt.length, everyStep: false },
    {
      parameters: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, constant(value)])),
      y0: b.input(y0Name, dtype, field.state),
      grid: {
        ...times,
        t0: constant(times.t0),
        t1: constant(times.t1),
        h: constant(times.h),
        offsets: constant(times.offsets),
      },
    },
  );
  return graphModelFiles(b.graph({ ys }, "solve"), {
    metadata: {
      ...metadataOf(ode, metadata),
      [kindKey]: "solve",
      "revort.t0": String(t0),
      "revort.saveAt": JSON.stringify(saveAt),
    },
  });
}

/** What a GraphModel says of itself. */
export interface GraphModelReport {
  readonly format: string;
  readonly generatedBy: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly (number | null)[];
  }[];
  readonly outputs: GraphModelReport["inputs"];
  /** how often each operator of TensorFlow is applied */
  readonly operators: Readonly<Record<string, number>>;
  readonly weights: { readonly arrays: number; readonly files: readonly string[] };
}

/** Reads a `model.json` of TensorFlow.js; `null` if it is none. */
export function inspectGraphModel(text: string): GraphModelReport | null {
  let model: Partial<GraphModelArtifacts> & {
    weightsManifest?: readonly { paths: readonly string[]; weights: readonly unknown[] }[];
  };
  try {
    model = JSON.parse(text);
  } catch {
    return null;
  }
  if (model?.format !== "graph-model" || !Array.isArray(model.modelTopology?.node)) return null;
  const infos = (record: GraphModelArtifacts["signature"]["inputs"] = {}) =>
    Object.entries(record).map(([name, { dtype, tensorShape }]) => ({
      name,
      dtype: dtype.replace("DT_", "").toLowerCase(),
      shape: (tensorShape?.dim ?? []).map(({ size }) => (Number(size) < 0 ? null : Number(size))),
    }));
  const operators: Record<string, number> = {};
  for (const { op } of model.modelTopology.node) operators[op] = (operators[op] ?? 0) + 1;
  const groups = model.weightsManifest ?? [];
  return {
    format: model.format,
    generatedBy: model.generatedBy ?? "",
    metadata: model.userDefinedMetadata ?? {},
    inputs: infos(model.signature?.inputs),
    outputs: infos(model.signature?.outputs),
    operators,
    weights: {
      arrays: groups.reduce((sum, { weights }) => sum + weights.length, 0),
      files: groups.flatMap(({ paths }) => paths),
    },
  };
}
