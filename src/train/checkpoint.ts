import { emptyData, type FloatDType, type Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import type { Optimiser } from "../learning/optimisers.js";
import { memoryName } from "../programs/names.js";
import type { SamplerState } from "./batches.js";
import type { DriftRecord } from "./drift-watch.js";
import type { KeptScheme } from "./scheme.js";

/** Everything a training run is between two updates: a run that goes on from here ends as one that never stopped. */
export interface Checkpoint {
  /** updates done */
  readonly step: number;
  /** what is trained, under program names (`parameters/…`, `y0`) */
  readonly trained: Tensors;
  /** the optimiser's memory, under program names */
  readonly memory: Tensors;
  readonly sampler: SamplerState;
  /** loss before each update so far */
  readonly losses: readonly number[];
  /** the lowest of them, and what was trained when it was reached */
  readonly best: { readonly step: number; readonly loss: number; readonly trained: Tensors };
  /** time spent so far */
  readonly seconds: number;
  /** how updates are done from here on; where it is missing, as was asked for */
  readonly scheme?: KeptScheme;
  /** updates whose solves drifted apart so far; missing if there were none */
  readonly drift?: DriftRecord;
}

/** An optimiser's memory before the first update: zeros. */
export function emptyMemory(optimiser: Optimiser, trained: Tensors, dtype: FloatDType): Tensors {
  return Object.fromEntries(
    Object.entries(trained).flatMap(([name, { shape, data }]) =>
      optimiser.memory.map((part) => [
        memoryName(part, name),
        { dtype, shape, data: emptyData(dtype, data.length) } as Tensor,
      ]),
    ),
  );
}
