import { RevortError } from "../core/errors.js";
import { OptionError } from "../core/options.js";
import { type FloatDType, showShape, sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { reshape } from "../ops/reshape.js";
import { concat, split } from "../ops/slicing.js";
import type { Parameter, Values, VectorField } from "./field.js";

/** Arrays by name, each with its shape for one sample: [] is one number. */
export type ArrayShapes = Readonly<Record<string, readonly number[]>>;

/** Something for each of some arrays: values of a graph, tensors. */
export type Each<Shapes, X> = { readonly [Name in keyof Shapes]: X };

/** A field without the data that it reads of each sample, or of a time that its arrays cannot be told. */
export class FieldArgumentError extends RevortError {}

/** What {@link defineField} takes. */
export interface FieldDefinition<
  S extends ArrayShapes,
  A extends ArrayShapes,
  P extends Readonly<Record<string, Parameter>>,
> {
  readonly name: string;
  /** the arrays of a state: `{ position: [2], velocity: [2] }` */
  readonly state: S;
  /** data of each sample that stay as they are while it is solved for: `{ force: [3] }` */
  readonly args?: A;
  /** θ, named like a PyTorch state dict: of layers, say, by `parametersOf({ drag: linear(2, 2) })` */
  readonly parameters?: P;
  /** the element type that it was written for, where it has one */
  readonly dtype?: FloatDType;
  /**
   * dy/dt of each array.
   *
   * @param theta  the parameters, by name
   * @param t  time, a scalar
   * @param state  each array [batch, …]
   * @param args  likewise
   */
  readonly apply: (
    b: Builder,
    theta: Each<P, Value> & Values,
    t: Value,
    state: Each<S, Value>,
    args: Each<A, Value>,
  ) => Each<S, Value>;
}

/**
 * A vector field whose state is a record of arrays. Solvers have them side by side, as one of [batch, dim]: calls take and
 * give the record.
 */
export interface RecordField<S extends ArrayShapes = ArrayShapes, A extends ArrayShapes = ArrayShapes>
  extends VectorField {
  readonly arrays: S;
  readonly args: A;
  /** The arrays of y, [… , dim], such as what the signal of an event is given: each with the same axes in front. */
  readonly arraysOf: (b: Builder, y: Value) => Each<S, Value>;
  /** Arrays side by side, [batch, dim]. */
  readonly joined: (b: Builder, arrays: Each<S, Value>) => Value;
  /** This field for so many samples: its args are parameters, named `args/force`. */
  readonly of: (batch: number) => VectorField;
}

/** An argument among the parameters of a field. */
export const argumentName = (name: string): string => `args/${name}`;

/**
 * A vector field on a record of arrays, with data of each sample:
 *
 *   dy/dt = f(t, y, args; θ)
 *
 * Where parameters have gradients, y0 and the args have them too, a row for each sample.
 *
 * @throws {OptionError} for a state without arrays, or sizes that are not whole numbers
 * @see Kidger 2021, "On Neural Differential Equations", whose diffrax calls such data `args`
 */
export function defineField<
  const S extends ArrayShapes,
  const A extends ArrayShapes = Readonly<Record<never, readonly number[]>>,
  const P extends Readonly<Record<string, Parameter>> = Readonly<Record<never, Parameter>>,
>(definition: FieldDefinition<S, A, P>): RecordField<S, A> {
  const { name, state, args = {} as A, parameters = {} as P, dtype, apply } = definition;
  checkShapes(name, state, args);
  const arrays = Object.entries(state);
  const sizes = arrays.map(([, shape]) => sizeOf(shape));
  const known = new Map<number, VectorField>();

  const arraysOf = (b: Builder, y: Value): Each<S, Value> => {
    const axis = y.shape.length - 1;
    const parts = split(b, y, axis, sizes);
    // 0 is the size that the axis has
    const leading = new Array<number>(axis).fill(0);
    const of = (part: Value, shape: readonly number[]) =>
      shape.length === 1 ? part : reshape(b, part, [...leading, ...shape]);
    return Object.fromEntries(arrays.map(([key, shape], i) => [key, of(parts[i]!, shape)])) as Each<S, Value>;
  };
  const joined = (b: Builder, given: Each<S, Value>): Value => {
    const unknown = Object.keys(given).find((key) => !Object.hasOwn(state, key));
    if (unknown !== undefined) {
      throw new FieldArgumentError(
        `The field "${name}" has no array "${unknown}" in its state; there are ${Object.keys(state).join(", ")}.`,
      );
    }
    const flat = arrays.map(([key, shape], i) => {
      const value = given[key];
      if (value === undefined || !isOfSamples(value, shape)) {
        throw new FieldArgumentError(
          `The field "${name}" has the array "${key}" ${showShape(["batch", ...shape])} in its state, but ` +
            `${value === undefined ? "there is none of that name" : `it has ${showShape(value.shape)}`}. Return ` +
            `{ ${arrays.map(([each]) => each).join(", ")} }, each of the shape of the array itself.`,
        );
      }
      return shape.length === 1 ? value : reshape(b, value, [0, sizes[i]!]);
    });
    return flat.length === 1 ? flat[0]! : concat(b, flat, 1);
  };
  const bare: VectorField = {
    name,
    state: ["batch", sizes.reduce((sum, size) => sum + size, 0)],
    parameters,
    ...(dtype === undefined ? {} : { dtype }),
    components: arrays.flatMap(([key], i) =>
      sizes[i] === 1 ? [key] : Array.from({ length: sizes[i]! }, (_, k) => `${key}[${k}]`),
    ),
    apply(b, theta, t, y) {
      const own = argumentsIn(name, args, theta);
      if (
        t.shape.length > 0 &&
        ![...arrays, ...Object.entries(args)].every(([, { length }]) => length === 1)
      ) {
        throw new FieldArgumentError(`The arrays of "${name}" differ in rank, so that they take one time.`);
      }
      const slope = apply(b, theta as Each<P, Value> & Values, t, arraysOf(b, y), own as Each<A, Value>);
      return joined(b, slope);
    },
  };
  return {
    ...bare,
    ...{ arrays: state, args, arraysOf, joined },
    of(batch) {
      const of = known.get(batch) ?? withArguments(bare, args, batch);
      known.set(batch, of);
      return of;
    },
  };
}

/** Whether the state of a field is a record of arrays. */
export function isRecordField(field: VectorField): field is RecordField {
  return typeof field === "object" && field !== null && "arraysOf" in field;
}

/** Whether a value is [batch, …] of a shape for one sample. */
function isOfSamples({ shape: all }: Value, shape: readonly number[]): boolean {
  const own = all.slice(1);
  const fits = own.every((dim, k) => typeof dim === "string" || dim === shape[k]);
  return all.length === shape.length + 1 && fits;
}

/** A field on so many samples, with its args among the parameters. */
function withArguments(field: VectorField, args: ArrayShapes, batch: number): VectorField {
  const names = Object.keys(args);
  if (names.length === 0) return field;
  const own = names.map((name): [string, Parameter] => [
    argumentName(name),
    { shape: [batch, ...args[name]!], initial: () => new Float64Array(batch * sizeOf(args[name]!)) },
  ]);
  return {
    ...field,
    parameters: { ...field.parameters, ...Object.fromEntries(own) },
    perSample: names.map(argumentName),
  };
}

function argumentsIn(field: string, args: ArrayShapes, theta: Values): Values {
  const given = Object.keys(args).map((name) => {
    const value = theta[argumentName(name)];
    if (value !== undefined) return [name, value] as const;
    throw new FieldArgumentError(
      `The field "${field}" reads "${name}" ${showShape(args[name]!)} of each sample. Give it to solve, gradientOf or ` +
        `odeSolve: args: { ${name} }. Nothing else takes such data: train a model with odeSolve in it, by fit.`,
    );
  });
  return Object.fromEntries(given);
}

function checkShapes(name: string, state: ArrayShapes, args: ArrayShapes): void {
  const isShape = (shape: unknown) =>
    Array.isArray(shape) && shape.every((dim) => Number.isInteger(dim) && dim > 0);
  const wrong = Object.entries({ ...args, ...state }).find(([, shape]) => !isShape(shape));
  if (wrong !== undefined) {
    throw new OptionError(
      `The field "${name}" gives "${wrong[0]}" the shape ${JSON.stringify(wrong[1])}. A shape is a list of positive whole ` +
        "numbers, without the batch: [2] for two numbers, [] for one.",
    );
  }
  if (Object.keys(state).length === 0) {
    throw new OptionError(`The field "${name}" has no array in its state. Name them: { position: [2] }.`);
  }
}
