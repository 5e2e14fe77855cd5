import type { Builder } from "../graph/builder.js";
import type { Attributes, Value } from "../graph/graph.js";
import { ModelError } from "../graph/model.js";
import { onnxTypeNumber } from "../graph/types.js";
import { swish } from "../ops/activation.js";
import { spaceToDepth } from "../ops/depth.js";
import { layerNormalizationWhole, rmsNormalization } from "../ops/normalise.js";
import { rotaryEmbedding } from "../ops/rotary-embedding.js";
import { type Call, emit } from "./call.js";
import { attention, gatherBatches, groupScales } from "./compositions.js";
import { adaptConstantOfShape, adaptEqual, adaptTile } from "./dims.js";
import { adaptNonZero, sliceOfKnownLength } from "./known-lengths.js";
import { determinant } from "./matrices.js";

/** Turns an older or newer form of an operator into that of opset 21, or into values at once. */
export type Adapter = (b: Builder, call: Call) => Call | readonly Value[];

const reductions = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"];

/** Operators whose form changed between opset 7 and 21, came after 21, or has no record of its own. */
export const adapters: ReadonlyMap<string, Adapter> = new Map<string, Adapter>([
  ...reductions.map((kind) => [`Reduce${kind}`, intsAsInputs(["axes"])] as const),
  ["Squeeze", intsAsInputs(["axes"])],
  ["Unsqueeze", intsAsInputs(["axes"])],
  ["Slice", adaptSlice],
  ["Split", adaptSplit],
  ["Clip", (b, call) => withInputs(call, ["min", "max"], (value) => number(b, call, value))],
  ["Pad", adaptPad],
  ["Softmax", adaptSoftmax],
  ["LogSoftmax", adaptSoftmax],
  ["Hardmax", adaptSoftmax],
  ["Dropout", adaptDropout],
  // about eight-bit floats only, which are not held
  ["Cast", dropping("saturate", "round_mode")],
  ["Range", adaptRange],
  ["Equal", adaptEqual],
  ["ConstantOfShape", adaptConstantOfShape],
  ["Tile", adaptTile],
  ["CastLike", (_, call) => ({ ...call, ...castLike(call) })],
  ["Scatter", (_, call) => ({ ...call, type: "ScatterElements" })],
  ["LayerNormalization", adaptLayerNormalization],
  ["GatherND", (b, call) => gatherBatches(b, call) ?? call],
  // the first two are about training only, the last is gone where it differed
  ["BatchNormalization", dropping("momentum", "training_mode", "spatial")],
  ["GroupNormalization", adaptGroupNormalization],
  [
    "RMSNormalization",
    (b, { inputs: [x, scale], attributes }) => [rmsNormalization(b, x!, scale!, attributes)],
  ],
  ["Swish", (b, { inputs: [x], attributes }) => [swish(b, x!, attributes.alpha as number | undefined)]],
  ["Attention", attention],
  [
    "RotaryEmbedding",
    (b, { inputs: [x, cos, sin, positions = null], attributes }) => [
      rotaryEmbedding(b, x!, [cos!, sin!], positions, attributes),
    ],
  ],
  ["Det", (b, call) => [determinant(b, call)]],
  ["NonZero", adaptNonZero],
  ["SpaceToDepth", adaptSpaceToDepth],
  ["TopK", (b, call) => withInputs(call, ["k"], (value) => b.ints([value as number]))],
]);

/** Attributes that became inputs, in order after the first: a list of integers each. */
function intsAsInputs(names: readonly string[]): Adapter {
  return (b, call) => withInputs(call, names, (value) => b.ints(value as number[]));
}

function withInputs(call: Call, names: readonly string[], make: (value: unknown) => Value): Call {
  if (names.every((name) => call.attributes[name] === undefined)) return call;
  const inputs = [...call.inputs];
  names.forEach((name, i) => {
    const value = call.attributes[name];
    if (value !== undefined) {
      while (inputs.length <= i) inputs.push(null);
      inputs[i + 1] = make(value);
    } else inputs[i + 1] ??= null;
  });
  return { ...call, inputs, attributes: without(call.attributes, ...names) };
}

function without(attributes: Attributes, ...names: readonly string[]): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));
}

function dropping(...names: readonly string[]): Adapter {
  return (_, call) => ({ ...call, attributes: without(call.attributes, ...names) });
}

/** A number as a scalar of the type of the first operand. */
function number(b: Builder, call: Call, value: unknown): Value {
  return b.scalar(call.inputs[0]!.dtype, value as number);
}

function adaptSlice(b: Builder, given: Call): Call | readonly Value[] {
  const call = intsAsInputs(["starts", "ends", "axes"])(b, given) as Call;
  const sliced = sliceOfKnownLength(b, call);
  return sliced === null ? call : [sliced];
}

/** Before opset 18 the number of parts was that of the outputs. */
function adaptSplit(b: Builder, given: Call): Call {
  const call = intsAsInputs(["split"])(b, given) as Call;
  if (call.inputs[1] !== null && call.inputs[1] !== undefined) return call;
  const parts = (call.attributes.num_outputs as number | undefined) ?? call.outputs;
  if (parts !== call.outputs) {
    throw new ModelError(`Split has ${call.outputs} outputs, but num_outputs is ${parts}.`);
  }
  const axis = (call.attributes.axis as number | undefined) ?? 0;
  const dim = call.inputs[0]!.shape.at(axis);
  if (call.version < 18 && typeof dim === "number" && dim % parts !== 0) {
    throw new ModelError(
      `Split: axis ${axis} of length ${dim} has no ${parts} equal parts, as opset ${call.version} wants them. Give their sizes.`,
    );
  }
  return { ...call, attributes: { ...call.attributes, num_outputs: parts } };
}

function adaptPad(b: Builder, given: Call): Call {
  const call = intsAsInputs(["pads"])(b, given) as Call;
  const { value, ...attributes } = call.attributes;
  if (value === undefined) return call;
  return { ...call, inputs: [call.inputs[0]!, call.inputs[1] ?? null, number(b, call, value)], attributes };
}

/** Before opset 13 the axes from `axis` on were one, and `axis` was 1 unless given. */
function adaptSoftmax(b: Builder, call: Call): Call | readonly Value[] {
  const x = call.inputs[0];
  if (call.version >= 13 || !x) return call;
  const axis = (call.attributes.axis as number | undefined) ?? 1;
  const rank = x.shape.length;
  if (axis === rank - 1 || axis === -1) return { ...call, attributes: { axis: -1 } };
  const flat = emit(b, "Flatten", [x], { axis });
  const result = emit(b, call.type, [flat], { axis: -1 });
  return [emit(b, "Reshape", [result, emit(b, "Shape", [x])])];
}

/** Dropout does nothing when it does not train, or drops nothing. Its second result is what it has kept: all. */
function adaptDropout(b: Builder, { inputs, outputs }: Call): readonly Value[] {
  const [x, ratio, training] = inputs;
  const isZero = (value: Value | null | undefined) =>
    value?.constant != null && Number(value.constant.data[0]) === 0;
  if (training && !isZero(training) && !isZero(ratio)) {
    throw new ModelError(
      "Dropout is in training mode, so the model is random. Switch the module to eval() before exporting.",
    );
  }
  if (outputs === 1) return [x!];
  const kept = { dtype: "bool", shape: [1], data: Uint8Array.of(1) } as const;
  return [x!, emit(b, "ConstantOfShape", [emit(b, "Shape", [x!])], { value: kept })];
}

function castLike({ inputs }: Call): Pick<Call, "type" | "inputs" | "attributes"> {
  return { type: "Cast", inputs: inputs.slice(0, 1), attributes: { to: onnxTypeNumber[inputs[1]!.dtype] } };
}

/** ONNX's own functions give bounds as vectors of one element, too. */
function adaptRange(b: Builder, call: Call): Call {
  const isVector = (value: Value | null) => value?.shape.length === 1 && value.shape[0] === 1;
  const inputs = call.inputs.map((value) =>
    isVector(value) ? emit(b, "Reshape", [value, b.ints([])]) : value,
  );
  return { ...call, inputs, attributes: without(call.attributes, "stash_type") };
}

/** The operator puts out what it has normalised with, too; that is written out where it is asked for. */
function adaptLayerNormalization(b: Builder, given: Call): Call | readonly Value[] {
  const call = dropping("stash_type")(b, given) as Call;
  return call.outputs > 1 ? layerNormalizationWhole(b, call.inputs, call.attributes) : call;
}

/** Since opset 28 it has a mode, which no graph of opset 21 can say. */
function adaptSpaceToDepth(b: Builder, call: Call): Call | readonly Value[] {
  const { blocksize, mode } = call.attributes;
  if (mode === undefined) return call;
  return [spaceToDepth(b, call.inputs[0]!, blocksize as number, mode as "DCR" | "CRD")];
}

/** Before opset 21 each group, not each channel, had a scale and a bias. */
function adaptGroupNormalization(b: Builder, given: Call): Call {
  const call = dropping("stash_type")(b, given) as Call;
  return call.version >= 21 ? call : { ...call, inputs: groupScales(b, call) };
}
