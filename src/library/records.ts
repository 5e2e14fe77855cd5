import { OptionError, showValue } from "../core/options.js";
import {
  emptyData,
  type FloatDType,
  ShapeError,
  showShape,
  sizeOf,
  type Tensor,
  tensor,
} from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { type ArrayShapes, argumentName, type Each, type RecordField } from "../fields/record-field.js";
import type { Row } from "../integrate/dense-solution.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import type { Happening, Solution } from "../integrate/solution.js";
import { isTensor, type TensorLike, tensorOf } from "./given.js";

// States that are records of arrays, as users write and read them; solvers have the arrays side by side.

/** Arrays by name, each as people write a tensor. */
export type EachLike<Shapes> = Each<Shapes, TensorLike>;

/** The option `args`, where a field reads such data. */
export type ArgsOption<A> = [keyof A] extends [never]
  ? { readonly args?: undefined }
  : {
      /** data of each sample, by name: [batch, …], or of one trajectory without its axis */
      readonly args: EachLike<A>;
    };

/** A solution whose states are records. */
export interface RecordSolution<S extends ArrayShapes> extends Omit<Solution, "ys" | "dense" | "events"> {
  /** of each array [saves, batch, …] */
  readonly ys: Each<S, Tensor>;
  readonly dense: { readonly times: readonly number[]; readonly at: (t: number) => Each<S, Tensor> } | null;
  readonly events: readonly (Omit<Happening, "y"> & { readonly y: Each<S, Tensor> })[];
}

/**
 * Arrays side by side: [leading …, dim] out of arrays of [leading …, shape …], of which the last leading axis, that of
 * samples, may be left out where there is one.
 *
 * @param rank  the number of leading axes
 * @throws {OptionError | ShapeError} for arrays that are missing, unknown, or do not fit, by name
 */
export function joined(
  what: string,
  shapes: ArrayShapes,
  given: unknown,
  dtype: FloatDType,
  rank = 1,
  gaps = false,
): Tensor {
  const parts = arraysIn(what, shapes, given, dtype, rank, gaps);
  const leading = parts[0]!.leading;
  const rows = sizeOf(leading);
  const width = parts.reduce((sum, { size }) => sum + size, 0);
  const data = emptyData(dtype, rows * width) as Row;
  let at = 0;
  for (const { value, size } of parts) {
    const own = value.data as Row;
    for (let row = 0; row < rows; row++) {
      data.set(own.subarray(row * size, (row + 1) * size), row * width + at);
    }
    at += size;
  }
  return tensor(dtype, [...leading, width], data);
}

interface Part {
  readonly name: string;
  readonly value: Tensor;
  readonly leading: readonly number[];
  readonly size: number;
}

/** Each array with its leading axes, which are those of the first. */
function arraysIn(
  what: string,
  shapes: ArrayShapes,
  given: unknown,
  dtype: FloatDType,
  rank: number,
  gaps = false,
): Part[] {
  const names = Object.keys(shapes);
  const list = `{ ${names.join(", ")} }`;
  if (typeof given !== "object" || given === null || Array.isArray(given) || isTensor(given)) {
    throw new OptionError(`${what} takes a record of arrays, ${list}, but ${showValue(given)} was given.`);
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(shapes, name));
  if (unknown !== undefined) {
    throw new OptionError(`${what} takes ${list}; there is no array "${unknown}".`);
  }
  const parts = names.map((name): Part => {
    const array = (given as Readonly<Record<string, unknown>>)[name];
    if (array === undefined) throw new OptionError(`${what} takes ${list}, but "${name}" is missing.`);
    const value = tensorOf(`${what}.${name}`, array, dtype, gaps);
    const own = shapes[name]!;
    const front = value.shape.length - own.length;
    const leading = front === rank ? value.shape.slice(0, rank) : [...value.shape.slice(0, rank - 1), 1];
    if ((front !== rank && front !== rank - 1) || value.shape.slice(front).join() !== own.join()) {
      throw new ShapeError(
        `${what}.${name} has the shape ${showShape(value.shape)}, but must be ${showShape(own)} for each sample.`,
      );
    }
    return { name, value, leading, size: sizeOf(own) };
  });
  const [first] = parts as [Part, ...Part[]];
  const other = parts.find(({ leading }) => leading.join() !== first.leading.join());
  if (other === undefined) return parts;
  throw new ShapeError(
    `${what}.${first.name} is of ${showShape(first.leading)} and ${what}.${other.name} of ${showShape(other.leading)} ` +
      "samples. Give a row of each array for each sample.",
  );
}

/** The arrays of what lies side by side: [leading …, dim] as one of [leading …, shape …] each. */
export function separated<S extends ArrayShapes>(shapes: S, all: Tensor): Each<S, Tensor> {
  const dtype = all.dtype as FloatDType;
  const [leading, width] = [all.shape.slice(0, -1), all.shape.at(-1)!];
  const rows = sizeOf(leading);
  let at = 0;
  const parts = Object.entries(shapes).map(([name, shape]) => {
    const size = sizeOf(shape);
    const data = emptyData(dtype, rows * size) as Row;
    for (let row = 0; row < rows; row++) {
      const from = row * width + at;
      data.set((all.data as Row).subarray(from, from + size), row * size);
    }
    at += size;
    return [name, tensor(dtype, [...leading, ...shape], data)] as const;
  });
  return Object.fromEntries(parts) as Each<S, Tensor>;
}

/**
 * An equation for so many samples, and the data of each, under the names that they have among its parameters.
 *
 * @throws {OptionError | ShapeError} for args that are missing, unknown, or not of so many samples
 */
export function withArgs(
  ode: NeuralOde,
  field: RecordField,
  batch: number,
  args: unknown,
): { readonly equation: NeuralOde; readonly own: Tensors } {
  const names = Object.keys(field.args);
  if (names.length === 0) {
    if (args === undefined) return { equation: { ...ode, field: field.of(batch) }, own: {} };
    throw new OptionError(`The field "${field.name}" reads no data of samples, but args were given.`);
  }
  if (args === undefined) {
    throw new OptionError(
      `The field "${field.name}" reads data of each sample: give args: { ${names.join(", ")} }.`,
    );
  }
  const parts = arraysIn("args", field.args, args, ode.dtype, 1);
  if (parts[0]!.leading[0] !== batch) {
    throw new ShapeError(`There are ${batch} samples, but args for ${parts[0]!.leading[0]}.`);
  }
  const own = parts.map(({ name, value }): [string, Tensor] => [
    argumentName(name),
    { ...value, shape: [batch, ...field.args[name]!] } as Tensor,
  ]);
  return { equation: { ...ode, field: field.of(batch) }, own: Object.fromEntries(own) };
}

/** A solution with its states as records. */
export function recordSolution<S extends ArrayShapes>(
  { arrays }: RecordField<S>,
  solution: Solution,
): RecordSolution<S> {
  const { ys, dense, events } = solution;
  return {
    ...solution,
    ys: separated(arrays, ys),
    dense: dense && { times: dense.times, at: (t) => separated(arrays, dense.at(t)) },
    events: events.map((event) => ({ ...event, y: separated(arrays, event.y) })),
  };
}
