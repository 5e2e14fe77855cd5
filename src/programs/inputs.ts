import type { FloatDType } from "../core/tensor.js";
import { mapTree } from "../core/tree.js";
import type { Values, VectorField } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value, ValueType } from "../graph/graph.js";
import type { Interval, Method, System } from "../methods/method.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { gather } from "../ops/slicing.js";
import type { GridTree } from "./grid.js";
import { inputType } from "./program.js";

/** What every program is made for. Shapes are static: a program is built again for other shapes. */
export interface Setting {
  readonly field: VectorField;
  readonly method: Method;
  readonly dtype: FloatDType;
  /** shape of y0, batch included */
  readonly state: readonly number[];
  /** number of save times */
  readonly saves: number;
  /** whether each step ends at a save time */
  readonly everyStep: boolean;
  /** whether several saves may be of one state */
  readonly coincident?: boolean;
}

/** The inputs of a solve, as values. */
export interface SolveInputs {
  readonly parameters: Values;
  readonly y0: Value;
  readonly grid: GridValues;
}

/** The time grid, as values. */
export type GridValues = GridTree<Value>;

/** The types of the parameters of a field. */
export function parameterTypes({
  field,
  dtype,
}: Pick<Setting, "field" | "dtype">): Readonly<Record<string, ValueType>> {
  return Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape }]) => [name, inputType(dtype, shape)]),
  );
}

/** The types of what every solve takes. */
export function solveTypes(setting: Setting) {
  const { dtype, state } = setting;
  return { parameters: parameterTypes(setting), y0: inputType(dtype, state), ...gridTypes(setting) };
}

/** The types of the time grid. */
export function gridTypes({ dtype, saves }: Pick<Setting, "dtype" | "saves">): GridTree<ValueType> {
  const times = inputType(dtype, ["steps"]);
  return { t0: times, t1: times, h: times, offsets: inputType("int64", [saves + 1]) };
}

/** Declares the time grid. */
export function gridInputs(b: Builder, { dtype, saves }: Pick<Setting, "dtype" | "saves">): GridValues {
  return mapTree(gridTypes({ dtype, saves }), (leaf, path) => {
    const type = leaf as ValueType;
    return b.input(path, type.dtype, type.shape);
  });
}

/**
 * The equation as a method sees it, in the scope of `b`.
 *
 * @param step  what it is seen for; nothing at the start of a solve, say
 */
export function systemIn(b: Builder, field: VectorField, parameters: Values, step?: Interval): System {
  const { reads } = field;
  const inside = insideOf(b, field, step);
  return {
    ...{ b, f: (t, y) => field.apply(b, parameters, t, y, inside), parameters: Object.values(parameters) },
    ...(reads === undefined ? {} : { reads }),
  };
}

/** A time inside a step, for fields that jump at its ends: the middle. */
export function insideOf(b: Builder, { jumps }: VectorField, step: Interval | undefined): Value | undefined {
  return jumps === true && step !== undefined ? add(b, step.t0, mul(b, step.h, 0.5)) : undefined;
}

/** The i-th step of a grid. */
export function intervalAt(b: Builder, grid: GridValues, i: Value): Interval {
  return { t0: gather(b, grid.t0, i), t1: gather(b, grid.t1, i), h: gather(b, grid.h, i) };
}

/** The steps that lead to a save: the index of the first, and how many. */
export function stepsTo(b: Builder, grid: GridValues, save: Value): [Value, Value] {
  const first = gather(b, grid.offsets, save);
  return [first, sub(b, gather(b, grid.offsets, add(b, save, b.scalar("int64", 1))), first)];
}

/** The time before the first step. */
export function firstTime(b: Builder, grid: GridValues): Value {
  return gather(b, grid.t0, 0);
}
