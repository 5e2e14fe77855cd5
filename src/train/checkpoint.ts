import { emptyData, type FloatDType, sizeOf, type Tensor } from "../core/tensor.js";
import { type Branch, mapTree } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import type { ValueType } from "../graph/graph.js";
import { parameterName } from "../programs/names.js";
import type { SamplerState } from "./batches.js";
import type { DriftRecord } from "./drift-watch.js";
import type { KeptScheme } from "./scheme.js";

/** Loss and metrics of data that are not trained on, means over their samples. */
export interface Measures {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** What was measured on the validation data, and when. */
export interface Validation extends Measures {
  /** updates done */
  readonly step: number;
}

/** What was trained when a loss was lowest. */
export interface Best {
  readonly step: number;
  /** of the validation data, where there are any; else of the update after it. Infinite where none was kept */
  readonly loss: number;
  readonly trained: Tensors;
  readonly buffers?: Tensors;
}

/** Everything a training run is between two updates: a run that goes on from here ends as one that never stopped. */
export interface Checkpoint {
  /** updates done */
  readonly step: number;
  /** what is trained, by its paths in files (`parameters/…`, `y0`) */
  readonly trained: Tensors;
  /** what updates keep beside it (`buffers/…`); missing if that is nothing */
  readonly buffers?: Tensors;
  /** the optimiser's memory, by its paths in files (`memory/m/parameters/…`) */
  readonly memory: Tensors;
  readonly sampler: SamplerState;
  /** loss before each update so far */
  readonly losses: readonly number[];
  readonly best: Best;
  /** what was measured on the validation data so far; missing if there are none */
  readonly validations?: readonly Validation[];
  /** time spent so far */
  readonly seconds: number;
  /** in how many parts batches are gone through from here on; missing if they are taken whole */
  readonly parts?: number;
  /** how updates are done from here on; where it is missing, as was asked for */
  readonly scheme?: KeptScheme;
  /** errors with which states came back in updates that were done again, with states stored closer; missing if there were none */
  readonly lost?: readonly number[];
  /** updates whose solves drifted apart so far; missing if there were none */
  readonly drift?: DriftRecord;
}

/** A tree of the form of types, from tensors by their paths. */
export function treeFrom(types: Branch, tensors: Tensors, root = ""): Branch {
  return mapTree(types, (_, path) => tensors[path]!, root);
}

/** An optimiser's memory before the first update: zeros. */
export function emptyMemory(types: Branch, dtype: FloatDType): Branch {
  return mapTree(types, (leaf) => {
    const shape = (leaf as ValueType).shape as readonly number[];
    return { dtype, shape, data: emptyData(dtype, sizeOf(shape)) } as Tensor;
  });
}

/** The parameters among what was trained, under the names they have in the field or the model. */
export function parametersOf(trained: Tensors): Tensors {
  const prefix = parameterName("");
  return Object.fromEntries(
    Object.entries(trained).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );
}
