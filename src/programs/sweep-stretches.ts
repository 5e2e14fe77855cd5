import { pullback } from "../autodiff/vjp.js";
import { Builder } from "../graph/builder.js";
import type { Graph, Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { add, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { minimum } from "../ops/extrema.js";
import { zeros } from "../ops/linalg.js";
import { unsqueeze } from "../ops/reshape.js";
import { scatterND } from "../ops/scatter.js";
import { concat, gather } from "../ops/slicing.js";
import {
  arrivalsName,
  arrivingName,
  boundsName,
  cotangentName,
  firstArrivalName,
  leadsToName,
  rowsName,
  savedRowsName,
  stretchesName,
  sumName,
  timesName,
} from "./backward-names.js";
import { addAll, type BackwardInputs, pullStart, pullStep, shareInputs } from "./backward-step.js";
import { undoable, undoStep } from "./gradient.js";
import { firstTime, intervalAt, type Setting, solveInputs, systemIn } from "./inputs.js";
import {
  gradientName,
  lossName,
  nextName,
  parameterName,
  reconstructedName,
  stateName,
  y0Name,
} from "./names.js";
import type { Sweep } from "./sweep.js";
import { type LossSetting, lossInputs } from "./training.js";

// A gradient in several runs: a stretch of steps forward, the loss, a stretch of steps backward, the gradient of what
// went in. Which stretches, and from which states, is up to a schedule; the programs are the same for all of them. What
// one run hands to the next goes in as `state/0` and comes out as `next/state/0`.

/** The setting of a gradient that takes several runs. */
export type StretchSetting = LossSetting;

/** The graph of a method's first state. */
export function startProgram(setting: Setting): Graph {
  const b = new Builder();
  const { parameters, y0, grid } = solveInputs(b, setting);
  const start = setting.method.start(systemIn(b, setting.field, parameters), firstTime(b, grid), y0);
  return b.graph(nextState(start), "start");
}

/** The graph that goes from bound to bound, and reports y at each of them but the first, with the state at the end. */
export function advanceProgram(setting: Setting): Graph {
  const b = new Builder();
  const { field, method } = setting;
  const { parameters, grid } = solveInputs(b, setting);
  const state = stateInputs(b, setting);
  const bounds = b.input(boundsName, "int64", ["bounds"]);
  const stretches = b.input(stretchesName, "int64", []);
  const { carried, scans } = loop(b, { trips: stretches, carried: state }, (outer, s, values) => {
    const first = gather(outer, bounds, s);
    const count = sub(outer, gather(outer, bounds, add(outer, s, outer.scalar("int64", 1))), first);
    const next = loop(outer, { trips: count, carried: values }, (inner, k, within) => ({
      carried: method.step(
        systemIn(inner, field, parameters),
        intervalAt(inner, grid, add(inner, first, k)),
        within as unknown as State,
      ),
    })).carried;
    return { carried: next, scans: [next[0]!] };
  });
  return b.graph({ ...nextState(carried), [rowsName]: scans[0]! }, "advance");
}

/** The graph that puts reported rows together. */
export function joinProgram({ dtype, state }: Setting): Graph {
  const b = new Builder();
  const first = b.input("first", dtype, ["first", ...state]);
  const second = b.input("second", dtype, ["second", ...state]);
  return b.graph({ [rowsName]: concat(b, [first, second], 0) }, "join");
}

/** The graph from reported rows to the loss and the cotangents of the saved states, a row of zeros after them. */
export function arrivingProgram(setting: StretchSetting): Graph {
  const b = new Builder();
  const { dtype, state, saves, loss } = setting;
  const rows = b.input(rowsName, dtype, ["rows", ...state]);
  const ys = gather(b, rows, b.input(savedRowsName, "int64", [saves]));
  const { target, weight } = lossInputs(b, setting);
  const value = loss.apply(b, ys, target, weight);
  const [cotangent] = pullback(b, [value], [b.scalar(dtype, 1)], [ys]);
  const arriving = cotangent ?? zeros(b, dtype, [saves, ...state]);
  const padded = concat(b, [arriving, zeros(b, dtype, [1, ...state])], 0);
  return b.graph({ [lossName]: value, [arrivingName]: padded }, "loss");
}

/**
 * The graph that pulls cotangents through the steps between two bounds, from the state before them: the states between
 * are computed and kept while it runs.
 */
export function reverseProgram(setting: StretchSetting): Graph {
  const b = new Builder();
  const { field, method } = setting;
  const { inputs, arriving, arrivals, leadsTo } = backwardInputs(b, setting);
  const state = stateInputs(b, setting);
  const [first, count] = boundsInput(b);
  const one = b.scalar("int64", 1);
  // the states after the first step, the second, …; the last step needs only the state before it
  const { scans: after } = loop(b, { trips: sub(b, count, one), carried: state }, (inner, k, values) => {
    const next = method.step(
      systemIn(inner, field, inputs.parameters),
      intervalAt(inner, inputs.grid, add(inner, first, k)),
      values as unknown as State,
    );
    return { carried: next, scans: next };
  });
  const sweep = sweepInputs(b, setting, inputs);
  const { carried } = loop(b, { trips: count, carried: packed(sweep) }, (inner, j, values) => {
    const k = sub(inner, sub(inner, count, one), j);
    const i = add(inner, first, k);
    // `after[k − 1]`, or the given state where k is 0: a Gather from nothing would fail, a Loop of no trips does not
    const before = loop(inner, { trips: minimum(inner, k, one), carried: state }, (body, none) => ({
      carried: after.map((states) => gather(body, states, add(body, sub(body, k, one), none))),
    })).carried;
    const { cotangents, sums, times } = unpacked(setting, inputs, values);
    const arrived = withArrival(inner, cotangents, arriving, gather(inner, arrivals, i));
    const pulled = pullStep(inner, setting, inputs, i, before as unknown as State, arrived);
    return {
      carried: packed({
        cotangents: pulled.cotangents,
        sums: addAll(inner, sums, pulled.parameters),
        times: atTimes(inner, times, leadsTo, i, pulled.times),
      }),
    };
  });
  return b.graph(sweepOutputs(setting, inputs, carried), "reverse");
}

/**
 * The graph that undoes the steps between two bounds, from the state after them, and pulls cotangents through.
 *
 * @throws {GradientMethodError} if the method cannot be undone
 */
export function undoProgram(setting: StretchSetting): Graph {
  const b = new Builder();
  const method = undoable(setting.method);
  const { inputs, arriving, arrivals, leadsTo } = backwardInputs(b, setting);
  const state = stateInputs(b, setting);
  const [first, count] = boundsInput(b);
  const last = add(b, first, sub(b, count, b.scalar("int64", 1)));
  const { width } = method;
  const carried = [...state, ...packed(sweepInputs(b, setting, inputs))];
  const { carried: left } = loop(b, { trips: count, carried }, (inner, j, values) => {
    const i = sub(inner, last, j);
    const { cotangents, sums, times } = unpacked(setting, inputs, values.slice(width));
    const arrived = withArrival(inner, cotangents, arriving, gather(inner, arrivals, i));
    const nothing = inputs.shares === null ? [] : [0, 0].map(() => inner.scalar(setting.dtype, 0));
    const before = undoStep(inner, { ...setting, method }, inputs, i, {
      state: values.slice(0, width) as unknown as State,
      cotangents: arrived,
      sums,
      times: nothing,
    });
    return {
      carried: [
        ...before.state,
        ...packed({ ...before, times: atTimes(inner, times, leadsTo, i, before.times) }),
      ],
    };
  });
  return b.graph(
    { ...sweepOutputs(setting, inputs, left.slice(width)), [reconstructedName]: left[0]! },
    "undo",
  );
}

/** The graph from what the way back leaves at the first state to the gradient. */
export function finishProgram(setting: StretchSetting): Graph {
  const b = new Builder();
  const { inputs, arriving } = backwardInputs(b, setting);
  const { cotangents, sums, times } = sweepInputs(b, setting, inputs);
  const arrived = withArrival(b, cotangents, arriving, b.input(firstArrivalName, "int64", []));
  const start = pullStart(b, setting, inputs, arrived);
  const parameters = addAll(b, sums, start.parameters);
  const outputs: Record<string, Value> = { [gradientName(y0Name)]: start.y0 };
  for (const [i, name] of Object.keys(inputs.parameters).entries()) {
    outputs[gradientName(parameterName(name))] = parameters[i]!;
  }
  if (times.length > 0) {
    const first = start.t0 === null ? zeros(b, setting.dtype, [1]) : unsqueeze(b, start.t0, [0]);
    const rest = zeros(b, setting.dtype, [setting.saves]);
    outputs[gradientName(timesName)] = add(b, times[0]!, concat(b, [first, rest], 0));
  }
  return b.graph(outputs, "finish");
}

interface StretchInputs {
  readonly inputs: BackwardInputs;
  readonly arriving: Value;
  readonly arrivals: Value;
  /** the save that each step leads to, where times have a gradient */
  readonly leadsTo: Value | null;
}

function backwardInputs(b: Builder, setting: StretchSetting): StretchInputs {
  const { dtype, saves, state, times = false } = setting;
  return {
    inputs: { ...solveInputs(b, setting), shares: shareInputs(b, setting, times) },
    arriving: b.input(arrivingName, dtype, [saves + 1, ...state]),
    arrivals: b.input(arrivalsName, "int64", ["steps"]),
    leadsTo: times ? b.input(leadsToName, "int64", ["steps"]) : null,
  };
}

function stateInputs(b: Builder, { method, dtype, state }: Setting): Value[] {
  return Array.from({ length: method.width }, (_, k) => b.input(stateName(k), dtype, state));
}

/** The first step of a stretch and the number of its steps, from its two bounds. */
function boundsInput(b: Builder): [Value, Value] {
  const bounds = b.input(boundsName, "int64", [2]);
  const first = gather(b, bounds, 0);
  return [first, sub(b, gather(b, bounds, 1), first)];
}

/** What goes backwards beside a reconstructed state. `times` is nothing, or one vector over all times. */
type StretchSweep = Omit<Sweep<null>, "state">;

function sweepInputs(
  b: Builder,
  setting: StretchSetting,
  { parameters, shares }: BackwardInputs,
): StretchSweep {
  const { method, dtype, state, saves } = setting;
  return {
    cotangents: Array.from({ length: method.width }, (_, k) => b.input(cotangentName(k), dtype, state)),
    sums: Object.entries(parameters).map(([name, { shape }]) =>
      b.input(sumName(parameterName(name)), dtype, shape),
    ),
    times: shares === null ? [] : [b.input(sumName(timesName), dtype, [saves + 1])],
  };
}

function sweepOutputs(
  setting: StretchSetting,
  inputs: BackwardInputs,
  values: readonly Value[],
): Record<string, Value> {
  const { cotangents, sums, times } = unpacked(setting, inputs, values);
  const names = Object.keys(inputs.parameters);
  return {
    ...Object.fromEntries(cotangents.map((value, k) => [nextName(cotangentName(k)), value])),
    ...Object.fromEntries(sums.map((sum, i) => [nextName(sumName(parameterName(names[i]!))), sum])),
    ...Object.fromEntries(times.map((value) => [nextName(sumName(timesName)), value])),
  };
}

function packed({ cotangents, sums, times }: StretchSweep): Value[] {
  return [...cotangents, ...sums, ...times];
}

function unpacked(
  { method }: Setting,
  { parameters }: BackwardInputs,
  values: readonly Value[],
): StretchSweep {
  const end = method.width + Object.keys(parameters).length;
  return {
    cotangents: values.slice(0, method.width),
    sums: values.slice(method.width, end),
    times: values.slice(end),
  };
}

/** Cotangents of a state with what the loss adds to that of y. */
function withArrival(
  b: Builder,
  [y, ...rest]: readonly Value[],
  arriving: Value,
  row: Value,
): [Value, ...Value[]] {
  return [add(b, y!, gather(b, arriving, row)), ...rest];
}

/** Adds cotangents of the times around step i, [from, to], to those of all times. */
function atTimes(
  b: Builder,
  times: readonly Value[],
  leadsTo: Value | null,
  i: Value,
  around: readonly Value[],
): readonly Value[] {
  if (leadsTo === null) return [];
  const save = unsqueeze(b, gather(b, leadsTo, i), [0]);
  const places = unsqueeze(b, add(b, save, b.ints([0, 1])), [-1]);
  const updates = concat(
    b,
    around.map((value) => unsqueeze(b, value, [0])),
    0,
  );
  return [scatterND(b, times[0]!, places, updates, "add")];
}

function nextState(state: readonly Value[]): Record<string, Value> {
  return Object.fromEntries(state.map((value, k) => [nextName(stateName(k)), value]));
}
