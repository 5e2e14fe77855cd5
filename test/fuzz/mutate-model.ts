import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  type FunctionProto,
  FunctionProtoSchema,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  type ValueInfoProto,
} from "onnx-buf";
import { formOf } from "../../src/import/forms.js";
import { operators } from "../../src/ops/opset.js";
import { type Chance, mutateBytes } from "./chance.js";
import type { Start } from "./models.js";

const known = [
  ...operators.map(({ type }) => type),
  ...[
    "Attention",
    "RMSNormalization",
    "Swish",
    "CastLike",
    "Scatter",
    "Dropout",
    "TopK",
    "Conv",
    "NonZero",
    "Nope",
  ],
];
const opsets = [0, 1, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 20, 21, 22, 23, 24, 25, 27, 28, 29, 1000];
const types = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 22, 99, -1];

/** Changes a message in place. */
type Mutation = (model: ModelProto, graph: GraphProto, chance: Chance) => void;

const bytesOf = (text: string) => new TextEncoder().encode(text);

function graphsOf(graph: GraphProto): GraphProto[] {
  const inner = graph.node.flatMap(({ attribute }) => attribute.flatMap(({ g }) => (g ? graphsOf(g) : [])));
  return [graph, ...inner];
}

function namesOf(graph: GraphProto): string[] {
  return [
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ];
}

/** One of the things of a list, if there are any, for a change. */
function onOne<T>(list: readonly T[], chance: Chance, change: (item: T, index: number) => void): void {
  if (list.length === 0) return;
  const index = chance.below(list.length);
  change(list[index]!, index);
}

const onNode =
  (change: (node: NodeProto, graph: GraphProto, chance: Chance, index: number) => void): Mutation =>
  (_, graph, chance) =>
    onOne(graph.node, chance, (node, index) => change(node, graph, chance, index));

function anyName(graph: GraphProto, chance: Chance): string {
  const names = namesOf(graph);
  return names.length === 0 || chance.holds(0.1) ? chance.text() : chance.of(names);
}

function oddList(list: readonly bigint[], chance: Chance): bigint[] {
  const copy = [...list];
  const at = chance.below(copy.length + 1);
  chance.of([
    () => copy.splice(at, 1, chance.integer()),
    () => copy.splice(at, 0, chance.integer()),
    () => copy.splice(at, 1),
    () => copy.push(...copy),
    () => copy.splice(at, 0, ...copy.slice(0, 1)),
  ])();
  return copy;
}

/** What each type of attribute holds. */
function setHeld(attribute: AttributeProto, chance: Chance): void {
  attribute.i = attribute.type === AttributeType.INT ? chance.integer() : 0n;
  attribute.f = attribute.type === AttributeType.FLOAT ? chance.float() : 0;
  const text = chance.of([
    chance.text(),
    "none",
    "add",
    "mul",
    "max",
    "reflect",
    "edge",
    "wrap",
    "tanh",
    "ij->ji",
  ]);
  attribute.s = attribute.type === AttributeType.STRING ? bytesOf(text) : new Uint8Array(0);
  attribute.ints = attribute.type === AttributeType.INTS ? oddList(attribute.ints, chance) : [];
  attribute.floats = attribute.type === AttributeType.FLOATS ? [chance.float(), chance.float()] : [];
}

function mutateAttribute(attribute: AttributeProto, chance: Chance): void {
  chance.of([
    () => setHeld(attribute, chance),
    () => setHeld(attribute, chance),
    () => {
      attribute.type = chance.of([0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 13]) as AttributeType;
      if (chance.holds(0.5)) setHeld(attribute, chance);
    },
    () => {
      attribute.ints = oddList(attribute.ints, chance);
    },
    () => {
      attribute.name = chance.of([chance.text(), "axis", "axes", "keepdims", "perm", "value"]);
    },
    () => {
      attribute.refAttrName = chance.text();
    },
    () => {
      if (attribute.t !== undefined) mutateTensor(attribute.t, chance);
    },
    () => {
      attribute.g = undefined as unknown as GraphProto;
    },
  ])();
}

/** An attribute of a known operator, with a value that may be odd. */
function furtherAttribute(type: string, chance: Chance): AttributeProto {
  const rules = Object.entries(formOf(type)?.attributes ?? {});
  const [name, kind] =
    rules.length > 0 && chance.holds(0.8)
      ? (([key, rule]) => [key, rule.kind] as const)(chance.of(rules))
      : [chance.text(), chance.of(["int", "float", "string", "ints"] as const)];
  const kinds = { int: 2, float: 1, string: 3, ints: 7, floats: 6, strings: 8, tensor: 4, graph: 5 } as const;
  const made = create(AttributeProtoSchema, {
    name,
    type: kinds[kind] as AttributeType,
    ints: Array.from({ length: chance.below(5) }, chance.integer),
  });
  setHeld(made, chance);
  return made;
}

function mutateTensor(tensor: TensorProto, chance: Chance): void {
  chance.of([
    () => {
      tensor.dims = oddList(tensor.dims, chance);
    },
    () => {
      tensor.dims = [chance.integer(), chance.integer()].slice(0, chance.below(3));
    },
    () => {
      tensor.dataType = chance.of(types);
    },
    () => {
      tensor.rawData = tensor.rawData.slice(0, chance.below(tensor.rawData.length + 1));
    },
    () => {
      if (tensor.rawData.length > 0) tensor.rawData = mutateBytes(tensor.rawData, chance);
    },
    () => {
      // other integers, or floats, of the same number: what shapes, axes and indices are read from
      const raw = tensor.rawData.slice();
      const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
      for (let at = 0; at + 8 <= raw.length; at += 8)
        if (chance.holds(0.5)) view.setBigInt64(at, chance.integer(), true);
      tensor.rawData = raw;
    },
    () => {
      const raw = tensor.rawData.slice();
      const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
      for (let at = 0; at + 4 <= raw.length; at += 4)
        if (chance.holds(0.3)) view.setFloat32(at, chance.float(), true);
      tensor.rawData = raw;
    },
    () => {
      tensor.floatData = [chance.float(), chance.float()];
      tensor.int64Data = [chance.integer()];
      if (chance.holds(0.5)) tensor.rawData = new Uint8Array(0);
    },
    () => {
      tensor.dataLocation = DataLocation.EXTERNAL;
      tensor.externalData = [
        { key: "location", value: chance.of([chance.text(), "x.data", "../x.data"]) },
        { key: "offset", value: String(chance.integer()) },
        { key: "length", value: chance.text() },
      ] as TensorProto["externalData"];
    },
  ])();
}

function mutateValue(value: ValueInfoProto, chance: Chance): void {
  const held = value.type?.value;
  if (held?.case !== "tensorType" || chance.holds(0.1)) {
    value.name = chance.text();
    return;
  }
  const { shape } = held.value;
  chance.of([
    () => {
      held.value.elemType = chance.of(types);
    },
    () =>
      onOne(shape?.dim ?? [], chance, (dim) => {
        dim.value = chance.holds(0.7)
          ? { case: "dimValue", value: chance.integer() }
          : { case: "dimParam", value: chance.text() };
      }),
    () => {
      const dims = shape?.dim ?? [];
      chance.of([() => dims.pop(), () => dims.push(...dims.slice(0, 1)), () => dims.reverse()])();
    },
    () => {
      held.value.shape = undefined as unknown as NonNullable<typeof shape>;
    },
    () => {
      value.type = undefined as unknown as NonNullable<ValueInfoProto["type"]>;
    },
  ])();
}

/** A node put into a body of an If, a Loop or a Scan of its own. */
const enclose = onNode((node, graph, chance, index) => {
  const output = node.output[0] ?? "y";
  const inner = `${output}/inner`;
  const type = chance.of(["If", "Loop", "Scan"]);
  const body = (): GraphProto =>
    ({
      $typeName: "onnx.GraphProto",
      ...{ name: "body", docString: "", sparseInitializer: [], valueInfo: [], quantizationAnnotation: [] },
      ...{ metadataProps: [], initializer: [], input: [] },
      node: [{ ...node, output: [inner] }],
      output: [{ name: inner }] as ValueInfoProto[],
    }) as unknown as GraphProto;
  const attribute = (name: string) =>
    create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: body() });
  graph.node[index] = create(NodeProtoSchema, {
    opType: type,
    name: chance.text(),
    input: type === "If" ? [anyName(graph, chance)] : [anyName(graph, chance), anyName(graph, chance)],
    output: [output],
    attribute: type === "If" ? [attribute("then_branch"), attribute("else_branch")] : [attribute("body")],
  });
});

/** A node replaced by the call of a function, which may call itself. */
const intoFunction: Mutation = (model, graph, chance) =>
  onOne(graph.node, chance, (node, index) => {
    const name = chance.of(["F", node.opType, chance.text()]);
    const recursive = chance.holds(0.2);
    const copies = chance.of([1, 1, 2, 40]);
    const f: FunctionProto = create(FunctionProtoSchema, {
      name,
      domain: chance.of(["local", "", "pkg"]),
      input: node.input,
      output: node.output,
      attribute: chance.holds(0.3) ? [chance.text()] : [],
      opsetImport: chance.holds(0.8) ? [{ domain: "", version: BigInt(chance.of(opsets)) }] : [],
      node: Array.from({ length: copies }, (_, i) => ({
        ...node,
        ...(recursive ? { opType: name, domain: "local" } : {}),
        output: i === 0 ? node.output : node.output.map((output) => `${output}/${i}`),
      })),
    });
    model.functions.push(f);
    graph.node[index] = create(NodeProtoSchema, { ...node, opType: name, domain: f.domain });
  });

const mutations: readonly Mutation[] = [
  onNode((node, _g, chance) => node.input.splice(chance.below(node.input.length + 1), 1)),
  onNode((node, graph, chance) => node.input.push(anyName(graph, chance))),
  onNode((node, graph, chance) => {
    node.input[chance.below(node.input.length + 1)] = anyName(graph, chance);
  }),
  onNode((node, graph, chance) => {
    node.input[chance.below(node.input.length + 1)] = anyName(graph, chance);
  }),
  onNode((node, _g, chance) => {
    node.input[chance.below(node.input.length + 1)] = "";
  }),
  onNode((node) => node.input.reverse()),
  onNode((node, graph, chance) => {
    node.output[chance.below(node.output.length + 1)] = anyName(graph, chance);
  }),
  onNode((node, _g, chance) => node.output.push(chance.text())),
  onNode((_, graph, _c, index) => graph.node.splice(index, 1)),
  onNode((node, graph, _c, index) => {
    const copy = { ...node, output: node.output.map((name) => `${name}/again`) };
    graph.node.splice(index + 1, 0, create(NodeProtoSchema, copy));
  }),
  (_, graph) => graph.node.reverse(),
  onNode((node, _g, chance) => {
    node.opType = chance.of(known);
  }),
  onNode((node, _g, chance) => {
    node.opType = chance.of(known);
  }),
  onNode((node, _g, chance) => {
    node.domain = chance.of(["ai.onnx", "ai.onnx.ml", "com.microsoft", chance.text()]);
  }),
  onNode((node, _g, chance) => {
    node.name = chance.text();
  }),
  ...Array.from({ length: 4 }, () =>
    onNode((node, _g, chance) => onOne(node.attribute, chance, (a) => mutateAttribute(a, chance))),
  ),
  ...Array.from({ length: 3 }, () =>
    onNode((node, _g, chance) => node.attribute.push(furtherAttribute(node.opType, chance))),
  ),
  onNode((node, _g, chance) => node.attribute.splice(chance.below(node.attribute.length + 1), 1)),
  enclose,
  intoFunction,
  ...Array.from(
    { length: 6 },
    (): Mutation => (_, graph, chance) => onOne(graph.initializer, chance, (t) => mutateTensor(t, chance)),
  ),
  (_, graph, chance) => onOne(graph.initializer, chance, (t) => graph.initializer.push(t)),
  (_, graph, chance) =>
    onOne(graph.initializer, chance, (t) => {
      t.name = anyName(graph, chance);
    }),
  (_, graph, chance) => graph.initializer.splice(chance.below(graph.initializer.length + 1), 1),
  (_, graph, chance) => onOne(graph.input, chance, (value) => mutateValue(value, chance)),
  (_, graph, chance) => onOne(graph.input, chance, (value) => mutateValue(value, chance)),
  (_, graph, chance) => onOne(graph.output, chance, (value) => mutateValue(value, chance)),
  (_, graph, chance) => graph.input.splice(chance.below(graph.input.length + 1), 1),
  (_, graph, chance) =>
    onOne(graph.input, chance, (value) => graph.input.push({ ...value, name: chance.text() })),
  (_, graph, chance) =>
    onOne(graph.output, chance, (value) => {
      value.name = anyName(graph, chance);
    }),
  (_, graph, chance) => onOne(graph.output, chance, (value) => graph.output.push(value)),
  (model, _g, chance) =>
    onOne(model.opsetImport, chance, (o) => {
      o.version = chance.holds(0.9) ? BigInt(chance.of(opsets)) : chance.integer();
    }),
  (model, _g, chance) =>
    onOne(model.opsetImport, chance, (o) => {
      o.domain = chance.text();
    }),
  (model, _g, chance) => {
    model.irVersion = chance.holds(0.5) ? BigInt(chance.below(16)) : chance.integer();
  },
  (model, _g, chance) => {
    model.metadataProps.push({
      key: chance.text(),
      value: chance.text(),
    } as ModelProto["metadataProps"][number]);
    model.producerName = chance.text();
  },
];

/** Mutant of a model: a few changes of its structure, at most so many, or of its bytes. */
export function mutateModel({ bytes }: Start, chance: Chance, most = 4): Uint8Array {
  if (chance.holds(0.15)) return mutateBytes(bytes, chance);
  const model = fromBinary(ModelProtoSchema, bytes);
  // many changes at once are mostly refused for the first of them
  const changes = 1 + chance.below(chance.of([1, 1, 2, most]));
  for (let i = 0; i < changes; i++) {
    const graph = chance.of(graphsOf(model.graph!));
    chance.of(mutations)(model, graph, chance);
  }
  try {
    return toBinary(ModelProtoSchema, model);
  } catch {
    // what cannot be written, a text of half a character or an integer out of range, no file can hold
    return mutateBytes(bytes, chance);
  }
}
