import { fromNested, type Tensor } from "../../src/core/tensor.js";
import type { Tensors } from "../../src/fields/field.js";
import { explicit } from "../../src/methods/explicit.js";
import type { Method } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { euler, midpoint, ralston3, rk4 } from "../../src/methods/tableaux.js";
import type { ExactGraphGradient } from "../../src/programs/adjoints.js";

/** The file of reference gradients, beside the checkout. */
export const referencePath = "reference/white-dwarf-seed1.json";

/** What the reference says of one solver before the first update. */
export interface ReferenceRun {
  readonly name: string;
  readonly method: Method;
  readonly gradient: ExactGraphGradient;
  readonly loss: number;
  readonly gradients: Tensors;
  /** the last state of the data */
  readonly dataLast: Tensor;
}

export interface Reference {
  readonly parameters: Tensors;
  readonly runs: readonly ReferenceRun[];
}

interface ReferenceFile {
  readonly params: Readonly<Record<string, unknown>>;
  readonly runs: Readonly<
    Record<string, { loss0: number; grad: Readonly<Record<string, unknown>>; data_last: unknown }>
  >;
}

const solvers = { euler, midpoint, rk3: ralston3, rk4 } as const;

/** Reads the reference: `rk4/reversible` is the coupled method undone, `rk4/checkpoint` the plain one. */
export function readReference(text: string): Reference {
  const file = JSON.parse(text) as ReferenceFile;
  const tensors = (record: Readonly<Record<string, unknown>>): Tensors =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [name, fromNested("float64", value)]));
  return {
    parameters: tensors(file.params),
    runs: Object.entries(file.runs).map(([name, { loss0, grad, data_last }]) => {
      const [solver, kind] = name.split("/") as [keyof typeof solvers, string];
      const coupled = kind === "reversible";
      return {
        name,
        method: coupled ? reversible(solvers[solver]) : explicit(solvers[solver]),
        gradient: coupled ? "reversible" : "direct",
        loss: loss0,
        gradients: tensors(grad),
        dataLast: fromNested("float64", data_last),
      };
    }),
  };
}
