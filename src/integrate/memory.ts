import { bytesIn } from "../core/tensor.js";
import { checkMemory, type MemoryNeed } from "../runtime/memory.js";
import type { Runtime } from "../runtime/runtime.js";
import type { NeuralOde } from "./neural-ode.js";

/** What there is to know of the size of a solve before it starts. */
export interface SolveSize {
  /** shape of the state, batch included */
  readonly state: readonly number[];
  /** `null` where steps are chosen on the way */
  readonly steps: number | null;
  readonly saves: number;
}

/** What a solve keeps: on the host, and once more on the device. */
export function solveNeeds(
  { field, method, dtype }: NeuralOde,
  { state, steps, saves }: SolveSize,
): MemoryNeed[] {
  const number = dtype === "float64" ? 8 : 4;
  // the grid, and the start, end and length of each step
  const times = (steps ?? 0) * (8 + 2 * 3 * number);
  const weights = Object.values(field.parameters).reduce(
    (sum, { shape }) => sum + bytesIn({ dtype, shape }),
    0,
  );
  return [
    { what: `the times of ${steps} steps`, bytes: times },
    { what: `${saves} saved states`, bytes: 2 * saves * bytesIn({ dtype, shape: state }) },
    {
      what: `the state in steps of ${method.name}`,
      bytes: 2 * method.width * bytesIn({ dtype, shape: state }),
    },
    { what: "the parameters", bytes: 2 * weights },
  ];
}

/** @throws {SizeError} if a solve needs more memory than there is */
export function checkSolveMemory(ode: NeuralOde, runtime: Runtime, size: SolveSize): void {
  checkMemory(
    "This solve",
    runtime,
    solveNeeds(ode, size),
    "Take larger steps, save fewer states, or solve fewer trajectories at once.",
  );
}
