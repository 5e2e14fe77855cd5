import type { Builder } from "../graph/builder.js";
import type { ValueType } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { not, where } from "../ops/logic.js";
import { shapeOf } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import { parameterTypes } from "./inputs.js";
import { loopOver } from "./loop-over.js";
import { inputType, programOf } from "./program.js";
import { chosenSteps } from "./whole-solve-chosen.js";
import { equalSteps } from "./whole-solve-equal.js";
import type { Travel, Underway, WholeSolveInputs, WholeSolveSetting } from "./whole-solve-setting.js";

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
