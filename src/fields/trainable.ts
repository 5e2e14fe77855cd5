import { isFloat, type Tensor } from "../core/tensor.js";
import type { Model, ModelGraph } from "../graph/model.js";

// Which of a file's numbers are parameters. Exporters store the numbers of the program beside those of the model:
// a slope of 0.01 and a trained scalar look alike.

/** Names that exporters make up for numbers that have none: `val_3`, `onnx::Mul_9`, `/net/Constant_output_0`. */
const madeUp = [
  /^val_\d+$/,
  /^onnx::/,
  /^\//,
  /^\d+$/,
  /^_?scalar_tensor_default/,
  /^lifted_tensor/,
  /(^|[/_.])const(ant)?([_.\d]|$)/i,
  /_cast(_\d+)?$/,
];

/** Statistics that batch normalisation gathers: buffers of a module, never parameters. */
const gathered = /(^|\.)(running_mean|running_var|num_batches_tracked)$/;

/** Whether an initializer is a parameter, and why. */
export interface Verdict {
  readonly trainable: boolean;
  readonly reason: string;
}

/**
 * Judges one initializer: by what the exporter noted, where it did (PyTorch's newer exporter tells parameters from
 * buffers and keeps record of what it computed from them), else by its size and name.
 */
export function judge(model: Model, name: string, value: Tensor): Verdict {
  const yes = (reason: string) => ({ trainable: true, reason });
  const no = (reason: string) => ({ trainable: false, reason });
  if (!isFloat(value.dtype)) return no(`is ${value.dtype}`);
  if (value.data.length === 0) return no("is empty");
  const kind = model.origins.get(name)?.kind;
  if (kind === "PARAMETER") return yes("is a parameter of the exported module");
  if (kind !== undefined) return no(`is a ${kind.toLowerCase().replace(/_/g, " ")} of the exported module`);
  if (model.parameterNames !== null) {
    const source = parameterBehind(model, name);
    return source === null
      ? no("is no parameter of the exported module, nor computed from one")
      : yes(`was computed from the parameter "${source}" when the model was exported`);
  }
  if (gathered.test(name)) return no("is a statistic that batch normalisation gathers");
  if (value.data.length === 1 && madeUp.some((pattern) => pattern.test(name))) {
    return no("is a single number that the exporter named");
  }
  return yes("is a float initializer");
}

/** A parameter that a value was computed from before it was stored, following what the exporter noted. */
function parameterBehind(model: Model, name: string, seen: Set<string> = new Set()): string | null {
  if (model.parameterNames!.has(name)) return name;
  if (seen.has(name)) return null;
  seen.add(name);
  for (const source of model.origins.get(name)?.foldedFrom ?? []) {
    const found = parameterBehind(model, source, seen);
    if (found !== null) return found;
  }
  return null;
}

/** The initializers of the main graph that a node, or an output, reads. */
export function usedInitializers(model: Model): Map<string, Tensor> {
  const used = new Set<string>();
  const visit = (graph: ModelGraph): void => {
    for (const { name } of graph.outputs) used.add(name);
    for (const node of graph.nodes) {
      for (const name of node.inputs) used.add(name);
      for (const attribute of node.attributes.values())
        if (attribute.kind === "graph") visit(attribute.value);
    }
  };
  visit(model.graph);
  return new Map([...model.graph.initializers].filter(([name]) => used.has(name)));
}
