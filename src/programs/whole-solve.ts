import type { ConstantStep, Pid } from "../control/control.js";
import type { FloatDType } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value, ValueType } from "../graph/graph.js";
import type { Method, State } from "../methods/method.js";
import { not, where } from "../ops/logic.js";
import { shapeOf } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import { parameterTypes } from "./inputs.js";
import { loopOver } from "./loop-over.js";
import { inputType, programOf } from "./program.js";
import { chosenSteps } from "./whole-solve-chosen.js";
import { equalSteps } from "./whole-solve-equal.js";

/** What a solve of any length is made for. */
export interface WholeSolveSetting {
  readonly field: VectorField;
  readonly method: Method;
  readonly dtype: FloatDType;
  readonly control: Pid | ConstantStep;
}

/** A solve on its way: its state and what else it carries, and how it came there. */
export interface Underway<C> {
  readonly at: C;
  /** steps taken so far, int64 */
  readonly accepted: Value;
  /** steps tried in vain so far, int64; `null` where none can be */
  readonly rejected: Value | null;
  /** whether it did not get where it should have, a bool */
  readonly failed: Value;
}

/** A way to go from time to time, inside a graph. */
export interface Travel<C> {
  readonly start: Underway<C>;
  /** Goes on to a time, in either direction; what has failed stays where it is. */
  readonly goTo: (b: Builder, from: Underway<C>, target: Value) => Underway<C>;
}

/** The inputs of a whole solve. */
export interface WholeSolveInputs<X = Value> {
  readonly parameters: Readonly<Record<string, X>>;
  readonly y0: X;
  readonly t0: X;
  /** the last time */
  readonly t1: X;
  /** the times to save at, [saves] */
  readonly ts: X;
  /** how many steps may be tried, int64 */
  readonly maxSteps: X;
  /** for steps that are chosen */
  readonly rtol: X | null;
  readonly atol: X | null;
  /** for steps of one size */
  readonly stepSize: X | null;
}

function wholeSolveTypes(setting: WholeSolveSetting): WholeSolveInputs<ValueType> {
  const { field, dtype, control } = setting;
  const number = inputType(dtype, []);
  const pid = control.kind === "pid";
  return {
    ...{ parameters: parameterTypes(setting), y0: inputType(dtype, field.state) },
    ...{ t0: number, t1: number, ts: inputType(dtype, ["saves"]), maxSteps: inputType("int64", []) },
    ...{ rtol: pid ? number : null, atol: pid ? number : null, stepSize: pid ? null : number },
  };
}

/**
 * The program of a whole solve that needs nothing beside it: y0, t0, t1 and any number of times ts go in; the states at
 * ts, the state at t1, the number of steps, and whether the solve got to its end come out. The batch, where the field
 * has one, and the number of times are open.
 *
 * Steps are chosen inside by their estimated error (rtol and atol are inputs), or all of one size (`stepSize` is one),
 * cut so that they hit each time. Times may go forwards or backwards. States beyond the point where a solve gives up,
 * because it tried `maxSteps` or cannot go on, are NaN.
 *
 * @throws {ControlError} if steps are to be chosen by a method that has no estimate of its error
 */
export function wholeSolveProgram(setting: WholeSolveSetting) {
  const { control } = setting;
  return programOf("solve", wholeSolveTypes(setting), (b, inputs) =>
    control.kind === "pid"
      ? solveBy(b, chosenSteps(b, { ...setting, control }, inputs), inputs)
      : solveBy(b, equalSteps(b, setting, inputs), inputs),
  );
}

function solveBy<C extends { readonly state: State }>(
  b: Builder,
  { start, goTo }: Travel<C>,
  { ts, t1 }: WholeSolveInputs,
) {
  const shown = (inner: Builder, { at, failed }: Underway<C>) =>
    where(inner, failed, Number.NaN, at.state[0]);
  const trips = gather(b, shapeOf(b, ts), 0);
  const { carried, scans } = loopOver(b, { trips, carried: start, length: "saves" }, (inner, from, i) => {
    const there = goTo(inner, from, gather(inner, ts, i));
    return { carried: there, scans: { ys: shown(inner, there) } };
  });
  const end = goTo(b, carried, t1);
  const { accepted, rejected, failed } = end;
  return { ...scans, y1: shown(b, end), accepted, rejected, reached: not(b, failed) };
}
