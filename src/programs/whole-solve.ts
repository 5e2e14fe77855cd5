import type { ConstantStep, Pid } from "../control/control.js";
import type { FloatDType } from "../core/tensor.js";
import type { Values, VectorField } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import type { Graph, Value } from "../graph/graph.js";
import type { Method } from "../methods/method.js";
import { loop } from "../ops/control.js";
import { not, where } from "../ops/logic.js";
import { shapeOf } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import { parameterInputs } from "./inputs.js";
import { wholeSolveNames as names, y0Name, ysName } from "./names.js";
import { chosenSteps } from "./whole-solve-chosen.js";
import { equalSteps } from "./whole-solve-equal.js";

/** What a solve of any length is made for. */
export interface WholeSolveSetting {
  readonly field: VectorField;
  readonly method: Method;
  readonly dtype: FloatDType;
  readonly control: Pid | ConstantStep;
}

/** A state on its way: y, and how it came there. */
export interface Underway {
  /** y first, then whatever else is carried */
  readonly carried: readonly [Value, ...Value[]];
  /** steps taken so far, int64 */
  readonly accepted: Value;
  /** steps tried in vain so far, int64; `null` where none can be */
  readonly rejected: Value | null;
  /** whether it did not get where it should have, a bool */
  readonly failed: Value;
}

/** A way to go from time to time, inside a graph. */
export interface Travel {
  readonly start: Underway;
  /** Goes on to a time, in either direction; what has failed stays where it is. */
  readonly goTo: (b: Builder, from: Underway, target: Value) => Underway;
}

/** The inputs of a whole solve, as values. */
export interface WholeSolveInputs {
  readonly parameters: Values;
  readonly y0: Value;
  readonly t0: Value;
  readonly t1: Value;
  /** [saves] */
  readonly ts: Value;
  /** int64 */
  readonly maxSteps: Value;
}

/**
 * The graph of a whole solve that needs nothing beside it: y0, t0, t1 and any number of times ts go in; the states at
 * ts, the state at t1, the number of steps, and whether the solve got to its end come out. The batch, where the field
 * has one, and the number of times are open.
 *
 * Steps are chosen inside by their estimated error (rtol and atol are inputs), or all of one size (`stepSize` is one),
 * cut so that they hit each time. Times may go forwards or backwards. States beyond the point where a solve gives up,
 * because it tried `maxSteps` or cannot go on, are NaN.
 *
 * @throws {ControlError} if steps are to be chosen by a method that has no estimate of its error
 */
export function wholeSolveProgram(setting: WholeSolveSetting): Graph {
  const { field, dtype, control } = setting;
  const b = new Builder();
  const inputs: WholeSolveInputs = {
    parameters: parameterInputs(b, setting),
    y0: b.input(y0Name, dtype, field.state),
    t0: b.input(names.t0, dtype, []),
    t1: b.input(names.t1, dtype, []),
    ts: b.input(names.ts, dtype, ["saves"]),
    maxSteps: b.input(names.maxSteps, "int64", []),
  };
  const { start, goTo } =
    control.kind === "pid" ? chosenSteps(b, { ...setting, control }, inputs) : equalSteps(b, setting, inputs);
  const pack = ({ carried, accepted, rejected, failed }: Underway): Value[] => [
    ...carried,
    accepted,
    ...(rejected === null ? [] : [rejected]),
    failed,
  ];
  const width = start.carried.length;
  const unpack = (values: readonly Value[]): Underway => ({
    carried: values.slice(0, width) as unknown as Underway["carried"],
    accepted: values[width]!,
    rejected: start.rejected === null ? null : values[width + 1]!,
    failed: values.at(-1)!,
  });
  const shown = (inner: Builder, { carried: [y], failed }: Underway) => where(inner, failed, Number.NaN, y);

  const saves = gather(b, shapeOf(b, inputs.ts), 0);
  const { carried: last, scans } = loop(
    b,
    { trips: saves, carried: pack(start), length: "saves" },
    (inner, i, values) => {
      const there = goTo(inner, unpack(values), gather(inner, inputs.ts, i));
      return { carried: pack(there), scans: [shown(inner, there)] };
    },
  );
  const end = goTo(b, unpack(last), inputs.t1);
  return b.graph(
    {
      [ysName]: scans[0]!,
      [names.y1]: shown(b, end),
      [names.accepted]: end.accepted,
      ...(end.rejected === null ? {} : { [names.rejected]: end.rejected }),
      [names.reached]: not(b, end.failed),
    },
    "solve",
  );
}
