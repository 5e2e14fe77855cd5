import { castTensor, isFloat, type Tensor, tensor } from "../core/tensor.js";
import { isMadeUp, isNameOfVariable } from "../fields/array-names.js";
import type { Tensors } from "../fields/field.js";
import type { TrainableOptions } from "../fields/selection.js";
import { type Decision, decideTrainable } from "../fields/trainable.js";
import type { Model, ModelNode } from "../graph/model.js";

// Trained numbers under the names and in the shapes that a PyTorch module has them, whatever the exporter made of them.

/** A parameter of the module that the file has under another name. */
export interface Renamed {
  readonly name: string;
  /** what the file calls it */
  readonly from: string;
  readonly transposed: boolean;
}

export interface StateDict {
  readonly tensors: Tensors;
  readonly renamed: readonly Renamed[];
  /** arrays that were computed from parameters, or whose name the exporter did not keep: they have the file's names */
  readonly unknown: readonly { readonly name: string; readonly computedFrom: readonly string[] }[];
  /** parameters of the module that the file does not have as they are */
  readonly missing: readonly string[];
}

/**
 * The state dict of the module that a field was exported from, with trained numbers in place of those of the file.
 *
 * Exporters store the weight of a linear layer on inputs of another rank than 2 transposed, under a name of their own. Its
 * name in the module is what PyTorch's newer exporter notes; the older one leaves it in the name of the node, /net/net.0/MatMul.
 * Arrays that stand for several parameters are given back to each. Buffers and parameters that were not trained come as they
 * are in the file.
 *
 * @param trained  by the names that the field has for them
 */
export function stateDictOf(model: Model, trained: Tensors, options: TrainableOptions = {}): StateDict {
  const tensors: Record<string, Tensor> = {};
  const renamed: Renamed[] = [];
  const unknown: { name: string; computedFrom: readonly string[] }[] = [];
  for (const decision of decideTrainable(model, options)) {
    const { array } = decision;
    const value = currentValue(decision, trained);
    const weight = linearWeight(model, decision);
    if (weight !== null) {
      tensors[weight] = transposed(value);
      renamed.push({ name: weight, from: array.name, transposed: true });
    } else if (isOfModule(model, array.name)) tensors[array.name] = value;
    else if (decision.trainable) {
      tensors[array.name] = value;
      unknown.push({ name: array.name, computedFrom: model.origins.get(array.name)?.foldedFrom ?? [] });
    }
  }
  const missing = [...(model.parameterNames ?? [])].filter((name) => !Object.hasOwn(tensors, name));
  return { tensors, renamed, unknown, missing };
}

/** What an array is now: as trained, as the one it is a copy of, or as the file has it in the dtype of the others. */
function currentValue({ array, copyOf }: Decision, trained: Tensors): Tensor {
  const { name, value } = array;
  const own = trained[copyOf?.name ?? name];
  if (own !== undefined) {
    if (copyOf?.how === "transposed") return transposed(own);
    return { ...own, shape: value.shape };
  }
  const [some] = Object.values(trained);
  return some === undefined || !isFloat(value.dtype) ? value : castTensor(value, some.dtype);
}

/** Whether a name is that of a parameter or buffer of the module. */
function isOfModule(model: Model, name: string): boolean {
  const kind = model.origins.get(name)?.kind;
  if (kind !== undefined) return kind === "PARAMETER" || kind === "BUFFER";
  if (model.parameterNames !== null) return model.parameterNames.has(name);
  return !isMadeUp(name) && isNameOfVariable(model, name);
}

/** What the module calls the weight of a linear layer that was stored transposed; `null` for any other array. */
function linearWeight(model: Model, { array, trainable }: Decision): string | null {
  const { name, value, body } = array;
  if (!trainable || value.shape.length !== 2 || body !== null || isOfModule(model, name)) return null;
  const readers = model.graph.nodes.filter(({ inputs }) => inputs.includes(name));
  if (
    readers.length === 0 ||
    !readers.every(({ opType, inputs }) => opType === "MatMul" && inputs[1] === name)
  ) {
    return null;
  }
  const sources = model.origins.get(name)?.foldedFrom;
  if (sources !== undefined) {
    const [source] = sources;
    // what a program computes itself has a name of the operator: `exp`, `sub`
    const isStep = /^(val_\d+|t(_\d+)?|transpose(_\d+)?)$/.test(name);
    return isStep && sources.length === 1 && model.parameterNames?.has(source!) ? source! : null;
  }
  return /^onnx::MatMul_\d+$/.test(name) ? weightOfNode(model, readers) : null;
}

/** `net.0.weight` for the node /net/net.0/MatMul, where the layer has a bias of that name or no other parameter. */
function weightOfNode({ graph }: Model, readers: readonly ModelNode[]): string | null {
  const paths = new Set(
    readers.map((node) => /(?:^|\/)([A-Za-z_][\w.]*)\/MatMul(?:_\d+)?$/.exec(node.name)?.[1]),
  );
  const [path] = paths;
  if (paths.size !== 1 || path === undefined || graph.initializers.has(`${path}.weight`)) return null;
  const others = [...graph.initializers.keys()].filter(
    (name) => name.startsWith(`${path}.`) && !name.slice(path.length + 1).includes("."),
  );
  return others.every((name) => name === `${path}.bias`) ? `${path}.weight` : null;
}

function transposed({ dtype, shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number];
  const turned = Array.from(
    { length: data.length },
    (_, i) => data[(i % rows) * columns + Math.floor(i / rows)] as number,
  );
  return tensor(dtype as "float64", [columns, rows], turned);
}
