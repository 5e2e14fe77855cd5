import { portableKinds } from "../deploy/kind.js";
import { datatypes } from "./datatypes.js";
import type { ModelType } from "./infer-request.js";
import type { ServedModel } from "./models.js";

// What the protocol says of a model.

const openDim = (dim: number | string | null): number => (typeof dim === "number" ? dim : -1);

/** `GET /v2/models/M`. */
export function metadataOf({ name, version, description, alone }: ServedModel) {
  const type = ({ name: own, dtype, shape }: ModelType) => ({
    ...{ name: own, datatype: datatypes[dtype], shape: shape.map(openDim) },
  });
  const { kind, field, inputs, outputs } = description;
  return {
    ...{ name, versions: [version], platform: "onnxruntime_onnx" },
    ...{ inputs: inputs.map(type), outputs: outputs.map(type) },
    // what Triton has no word for
    revort: {
      is:
        kind !== null
          ? portableKinds[kind]
          : "reason" in field
            ? "a graph"
            : "a vector field dy/dt = f(t, y)",
      solve: kind === "solve" || !("reason" in field),
      shares: alone === null,
      ...(alone === null ? {} : { alone }),
    },
  };
}

/** `GET /v2/models/M/config`, as Triton has it. */
export function configOf({ name, description }: ServedModel) {
  const type = ({ name: own, dtype, shape }: ModelType) => ({
    ...{ name: own, data_type: `TYPE_${datatypes[dtype]}`, dims: shape.map((dim) => String(openDim(dim))) },
  });
  const { inputs, outputs } = description;
  return {
    ...{ name, platform: "onnxruntime_onnx", backend: "onnxruntime", max_batch_size: 0 },
    ...{ input: inputs.map(type), output: outputs.map(type) },
  };
}
