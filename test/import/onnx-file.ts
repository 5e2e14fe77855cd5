import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type FunctionProtoSchema,
  type GraphProtoSchema,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from "onnx-buf";
import type { Tensor } from "../../src/core/tensor.js";
import { onnxTypeNumber } from "../../src/graph/types.js";

/** What a message is made from. */
export type Init<Schema extends DescMessage> = Extract<MessageInitShape<Schema>, { $typeName?: never }>;
export type GraphInit = Init<typeof GraphProtoSchema>;
export type NodeInit = Init<typeof NodeProtoSchema>;
export type AttributeInit = Init<typeof AttributeProtoSchema>;
export type TensorInit = Init<typeof TensorProtoSchema>;
export type FunctionInit = Init<typeof FunctionProtoSchema>;
export type ValueInit = Init<typeof ValueInfoProtoSchema>;

/** An attribute from what it holds; `[n]` of whole numbers are ints, `{ float }` is a float. */
export type Held =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | Tensor
  | { readonly graph: GraphInit }
  | { readonly ref: string; readonly type: AttributeType };

export function attribute(name: string, held: Held): AttributeInit {
  if (typeof held === "number") return { name, type: AttributeType.INT, i: BigInt(held) };
  if (typeof held === "string")
    return { name, type: AttributeType.STRING, s: new TextEncoder().encode(held) };
  if (Array.isArray(held)) return { name, type: AttributeType.INTS, ints: held.map(BigInt) };
  if ("float" in held) return { name, type: AttributeType.FLOAT, f: held.float };
  if ("graph" in held) return { name, type: AttributeType.GRAPH, g: held.graph };
  if ("ref" in held) return { name, type: held.type, refAttrName: held.ref };
  return { name, type: AttributeType.TENSOR, t: stored("", held as Tensor) };
}

export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Readonly<Record<string, Held>> = {},
  more: NodeInit = {},
): NodeInit {
  return {
    opType,
    input: [...input],
    output: [...output],
    attribute: Object.entries(attributes).map(([name, held]) => attribute(name, held)),
    ...more,
  };
}

export function stored(name: string, { dtype, shape, data }: Tensor): TensorInit {
  return {
    name,
    dataType: onnxTypeNumber[dtype],
    dims: shape.map(BigInt),
    rawData: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).slice(),
  };
}

export function value(
  name: string,
  dtype: Tensor["dtype"],
  ...dims: readonly (number | string)[]
): ValueInit {
  return {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: onnxTypeNumber[dtype],
          shape: {
            dim: dims.map((dim) => ({
              value:
                typeof dim === "number"
                  ? { case: "dimValue" as const, value: BigInt(dim) }
                  : { case: "dimParam" as const, value: dim },
            })),
          },
        },
      },
    },
  };
}

/** A file from its graph, at an opset. */
export function file(graph: GraphInit, opset = 21, model: Init<typeof ModelProtoSchema> = {}): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: opset < 13 ? 7n : 10n,
      opsetImport: [{ domain: "", version: BigInt(opset) }],
      graph: { name: "g", ...graph },
      ...model,
    }),
  );
}
