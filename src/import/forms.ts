import {
  anything,
  choice,
  flag,
  float,
  floats,
  indices,
  int,
  int64,
  mayTake,
  type Signature,
  separate,
  takes,
  truth,
} from "../graph/signature.js";
import { stashType } from "../ops/normalise.js";
import { opset } from "../ops/opset.js";

// Signatures of operators that have no record, because they are written as others as soon as they are read.

const eightBitFloats = {
  saturate: flag(1, { since: 19 }),
  round_mode: choice(["up", "down", "nearest"], { since: 24 }),
};
const values = separate(floats);
const window = int(-1, { since: 25 });

const written: readonly Signature[] = [
  {
    type: "Attention",
    since: 23,
    inputs: [
      takes("Q", floats),
      takes("K", floats),
      takes("V", values),
      mayTake("attn_mask", separate(anything)),
      mayTake("past_key", floats),
      mayTake("past_value", values),
      mayTake("nonpad_kv_seqlen", int64, { since: 24 }),
    ],
    outputs: 4,
    attributes: {
      is_causal: flag(0),
      kv_num_heads: int(),
      left_window_size: window,
      q_num_heads: int(),
      qk_matmul_output_mode: int(0, { values: [0, 1, 2, 3] }),
      right_window_size: window,
      scale: float(),
      softcap: float(0),
      softmax_precision: int(undefined, { values: [1, 10, 11, 16], only: [1, 11] }),
    },
  },
  {
    type: "CastLike",
    since: 15,
    inputs: [takes("input", anything), takes("target_type", separate(anything))],
    attributes: eightBitFloats,
  },
  { type: "Det", since: 11, inputs: [takes("X", floats)] },
  {
    type: "Dropout",
    inputs: [
      takes("data", floats),
      mayTake("ratio", separate(floats), { since: 12 }),
      mayTake("training_mode", truth, { since: 12 }),
    ],
    outputs: 2,
    attributes: { ratio: float(0.5, { until: 12 }), seed: int(undefined, { since: 12 }) },
  },
  { type: "NonZero", since: 9, inputs: [takes("X", anything)] },
  {
    type: "RMSNormalization",
    since: 23,
    inputs: [takes("X", floats), takes("scale", separate(floats))],
    attributes: { axis: int(-1), epsilon: float(1e-5), stash_type: stashType },
  },
  {
    type: "RotaryEmbedding",
    since: 23,
    inputs: [
      takes("X", floats),
      takes("cos_cache", floats),
      takes("sin_cache", floats),
      mayTake("position_ids", int64),
    ],
    attributes: { interleaved: flag(0), num_heads: int(), rotary_embedding_dim: int(0) },
  },
  {
    type: "Scatter",
    since: 9,
    inputs: [takes("data", anything), takes("indices", indices), takes("updates", anything)],
    attributes: { axis: int(0) },
  },
  { type: "Swish", since: 24, inputs: [takes("X", floats)], attributes: { alpha: float(1) } },
];

const own: ReadonlyMap<string, Signature> = new Map(written.map((signature) => [signature.type, signature]));

/** What an operator of ONNX's own domain takes; `undefined` if it is not known. */
export function formOf(type: string): Signature | undefined {
  return opset.get(type) ?? own.get(type);
}
