import { hasRule, pullback } from "../autodiff/vjp.js";
import { isInBrowser } from "../core/place.js";
import { sizeOf, type Tensor } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { type ImportOptions, importedField } from "../fields/imported.js";
import { signatureOf, timeShape } from "../fields/signature.js";
import { decideTrainable } from "../fields/trainable.js";
import { Builder } from "../graph/builder.js";
import { type Dim, nodesOf, type Shape } from "../graph/graph.js";
import {
  functionKey,
  type Model,
  type ModelNode,
  type ModelValue,
  shownNode,
  shownOperator,
} from "../graph/model.js";
import { decompose } from "../graph/passes.js";
import { foreign } from "../import/foreign.js";
import { formOf } from "../import/forms.js";
import { toGraph } from "../import/to-graph.js";
import { unknownOperator, versionProblem } from "../import/versions.js";
import { opset } from "../ops/opset.js";
import { hasOrtKernel } from "../runtime/kernels.js";
import { checkFieldFile } from "./field-file.js";
import { kindOf, type PortableKind, portableKinds } from "./kind.js";

/** Operators whose results are truth values, indices or constants: no derivative passes through them. */
const discrete: ReadonlySet<string> = new Set([
  ...[
    "Equal",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
    "And",
    "Or",
    "Xor",
    "Not",
    "IsNaN",
    "IsInf",
  ],
  ...["ArgMax", "ArgMin", "Size", "Constant", "Range"],
]);

/** Whether something works, and why not. */
export interface Finding {
  readonly ok: boolean;
  readonly reason: string | null;
}

export interface OperatorReport {
  readonly operator: string;
  /** nodes of the graph, its subgraphs and its functions */
  readonly count: number;
  readonly supported: boolean;
  readonly differentiable: boolean;
  /** why it is not supported, or not differentiable */
  readonly reason: string | null;
}

export interface ParameterReport {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** number of elements */
  readonly count: number;
  /** the value, where it is one finite number */
  readonly value: number | null;
  readonly trainable: boolean;
  /** why, or why not */
  readonly reason: string;
  /** whether it may be a parameter although it is kept */
  readonly doubtful: boolean;
  /** number of nodes that read it */
  readonly readers: number;
  /** the array that it is a copy of, where one parameter stands for both */
  readonly copyOf: string | null;
  /** "constant" for the value of a Constant, "attribute" for weights that an operator has as an attribute */
  readonly kind: "initializer" | "constant" | "attribute";
}

export interface FieldReport extends Finding {
  readonly stateInput: string | null;
  readonly state: Shape | null;
  readonly timeInput: string | null;
  /** shape in which the model takes time; "batch" stands for one number for each state */
  readonly time: Shape | null;
  readonly output: string | null;
}

/** What there is to know of a model, as plain data for JSON. */
export interface Inspection {
  readonly source: string;
  readonly producer: string;
  readonly ir: number;
  readonly opsets: Readonly<Record<string, number>>;
  readonly doc: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** what the file says it is, where revort wrote it */
  readonly kind: PortableKind | null;
  readonly inputs: readonly ModelValue[];
  /** inputs that may be left out */
  readonly optional: readonly ModelValue[];
  readonly outputs: readonly ModelValue[];
  readonly operators: readonly OperatorReport[];
  readonly differentiable: Readonly<Record<string, boolean>>;
  /** the arrays that the graph and its bodies read: initializers, and Constants that are floats */
  readonly parameters: readonly ParameterReport[];
  /** elements of all trainable ones together */
  readonly trainableCount: number;
  /** what looks wrong about what is trained */
  readonly warnings: readonly string[];
  readonly field: FieldReport;
  /** whether the field's gradients can be computed */
  readonly gradient: Finding;
  /** whether the field, trained, can be written as a file for any batch */
  readonly saving: Finding;
  /** on ONNX Runtime, by the names that its runtimes have here: a browser has no `ort-cpu` */
  readonly runtimes: { readonly "ort-cpu"?: Finding; readonly "ort-wasm": Finding };
}

const fine: Finding = { ok: true, reason: null };

/** Looks at a model without running it. Never throws for what the model holds: problems are findings. */
export function inspectModel(model: Model, options: ImportOptions = {}): Inspection {
  const { graph } = model;
  const operators = reportOperators(model);
  const parameters = reportParameters(model, options);
  const { field, report } = reportField(model, options);
  const runs = reportRuntimes(model, field);
  return {
    source: model.source,
    producer: model.producer,
    ir: model.irVersion,
    opsets: Object.fromEntries([...model.opsets].map(([domain, version]) => [domain || "ai.onnx", version])),
    doc: model.doc,
    metadata: model.metadata,
    kind: kindOf(model.metadata),
    inputs: graph.inputs,
    optional: graph.optional,
    outputs: graph.outputs,
    operators,
    differentiable: Object.fromEntries(operators.map((o) => [o.operator, o.differentiable])),
    parameters: parameters.map(({ warning: _, ...parameter }) => parameter),
    trainableCount: parameters.reduce((sum, p) => sum + (p.trainable && p.copyOf === null ? p.count : 0), 0),
    warnings: parameters.flatMap(({ warning }) => warning ?? []),
    field: report,
    gradient: field === null ? { ok: false, reason: report.reason } : reportGradient(field),
    saving: field === null ? { ok: false, reason: report.reason } : reportSaving(field),
    runtimes: isInBrowser() ? { "ort-wasm": runs } : { "ort-cpu": runs, "ort-wasm": runs },
  };
}

/** What there is to say of each stored array. What a file of another kind takes when it is given nothing is an input. */
function reportParameters(
  model: Model,
  options: ImportOptions,
): (ParameterReport & { readonly warning: string | null })[] {
  const inputs = new Set(kindOf(model.metadata) === null ? [] : model.graph.optional.map(({ name }) => name));
  return decideTrainable(model, options).flatMap(({ array, copyOf, ...decision }) =>
    inputs.has(array.name)
      ? []
      : [
          {
            ...{ name: array.name, dtype: array.value.dtype, shape: array.value.shape },
            value: oneNumber(array.value),
            ...{ count: sizeOf(array.value.shape), kind: array.kind, copyOf: copyOf?.name ?? null },
            ...decision,
          },
        ],
  );
}

/** JSON has no infinities. */
function oneNumber({ data }: Tensor): number | null {
  const value = Number(data[0]);
  return data.length === 1 && Number.isFinite(value) ? value : null;
}

function* allNodes(nodes: readonly ModelNode[]): Generator<ModelNode> {
  for (const node of nodes) {
    yield node;
    for (const attribute of node.attributes.values()) {
      if (attribute.kind === "graph") yield* allNodes(attribute.value.nodes);
    }
  }
}

function reportOperators(model: Model): OperatorReport[] {
  const found = new Map<string, { node: ModelNode; count: number; version: number }>();
  const bodies = [
    { nodes: model.graph.nodes, opsets: model.opsets },
    ...model.functions.map(({ nodes, opsets }) => ({
      nodes,
      opsets: opsets.size > 0 ? opsets : model.opsets,
    })),
  ];
  for (const { nodes, opsets } of bodies) {
    for (const node of allNodes(nodes)) {
      const key = shownOperator(node);
      const known = found.get(key);
      if (known === undefined) found.set(key, { node, count: 1, version: opsets.get("") ?? 0 });
      else known.count++;
    }
  }
  const functions = new Set(model.functions.map((f) => functionKey({ ...f, opType: f.name })));
  return [...found]
    .map(([operator, { node, count, version }]) => {
      const problem = operatorProblem(node, version, functions);
      const op = node.domain === "" ? opset.get(node.opType) : undefined;
      // what is no operator of its own is written as others, which have rules or are listed themselves
      const differentiable = problem === null && (op === undefined || hasRule(op) || discrete.has(op.type));
      return {
        operator,
        count,
        supported: problem === null,
        differentiable,
        reason: problem ?? (differentiable ? null : `${capitalised(shownNode(node))} has no derivative yet.`),
      };
    })
    .sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1));
}

function capitalised(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}`;
}

function operatorProblem(node: ModelNode, version: number, functions: ReadonlySet<string>): string | null {
  const { domain, opType } = node;
  if (domain === "" && formOf(opType) !== undefined) {
    return versionProblem(opType, version);
  }
  if (functions.has(functionKey(node)) || foreign.has(shownOperator(node))) return null;
  return unknownOperator(shownOperator(node), domain, shownNode(node)).message;
}

function reportField(
  model: Model,
  options: ImportOptions,
): { field: VectorField | null; report: FieldReport } {
  const named = { stateInput: null, state: null, timeInput: null, time: null, output: null };
  try {
    const signature = signatureOf(model, options);
    Object.assign(named, {
      stateInput: signature.state.name,
      timeInput: signature.time?.name ?? null,
      output: signature.derivative.name,
    });
    const time = timeShape(model, signature);
    const field = importedField(model, options);
    return { field, report: { ...fine, ...named, state: field.state, time } };
  } catch (error) {
    const kind = kindOf(model.metadata);
    const reason = kind === null ? (error as Error).message : notAField(kind);
    return { field: null, report: { ok: false, reason, ...named } };
  }
}

/** What a file of another kind is for. */
function notAField(kind: PortableKind): string {
  return (
    `it is ${portableKinds[kind]}. Give it to ONNX Runtime as it is; \`revort export RUN --what field\` writes the ` +
    "vector field that revort takes."
  );
}

/** Differentiates the field once, with respect to its state and its parameters. */
function reportGradient(field: VectorField): Finding {
  const attempt = (state: Shape): Finding => {
    try {
      const b = new Builder();
      const dtype = field.dtype ?? "float32";
      const y = b.input("y", dtype, state);
      const parameters = Object.fromEntries(
        Object.entries(field.parameters).map(([name, { shape }], i) => [name, b.input(`${i}`, dtype, shape)]),
      );
      const output = field.apply(b, parameters, b.input("t", dtype, []), y);
      pullback(b, [output], [b.input("cotangent", dtype, state)], [y, ...Object.values(parameters)]);
      return fine;
    } catch (error) {
      return { ok: false, reason: (error as Error).message };
    }
  };
  const open = attempt(field.state);
  return open.ok || typeof field.state[0] !== "string" ? open : attempt([2, ...field.state.slice(1)]);
}

function reportSaving(field: VectorField): Finding {
  try {
    checkFieldFile({ field, dtype: field.dtype ?? "float32" });
    return fine;
  } catch (error) {
    return { ok: false, reason: (error as Error).message };
  }
}

/** ONNX Runtime's CPU provider has the same kernels natively and as WebAssembly. */
function reportRuntimes(model: Model, field: VectorField | null): Finding {
  const attempt = (batch: Dim | null): Finding => {
    try {
      const graph = toGraph(model, batch === null ? {} : { shapes: shapesFor(model, batch) });
      const missing = nodesOf(decompose(graph, hasOrtKernel)).find((node) => !hasOrtKernel(node));
      return missing === undefined
        ? fine
        : { ok: false, reason: `ONNX Runtime has no kernel for ${missing.op.type} in float64.` };
    } catch (error) {
      return { ok: false, reason: (error as Error).message };
    }
  };
  if (field === null) return attempt(null);
  const open = attempt("batch");
  return open.ok ? open : attempt(2);
}

/** Shapes of a field's inputs, whose open leading dimensions all mean the batch. */
function shapesFor(model: Model, batch: Dim): Record<string, Shape> {
  return Object.fromEntries(
    model.graph.inputs.map(({ name, shape }) => [
      name,
      (shape ?? []).map((dim) => (typeof dim === "number" ? dim : batch)),
    ]),
  );
}
