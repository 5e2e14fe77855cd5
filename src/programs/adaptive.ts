import type { ConstantStep, GivenTimes, Pid } from "../control/control.js";
import { type Decision, decide, driftTerm, type Memory } from "../control/controller.js";
import {
  normAxes,
  rootMeanSquare,
  type Sharing,
  scaledNorm,
  type Tolerances,
  toleranceOf,
} from "../control/norm.js";
import type { FloatDType } from "../core/tensor.js";
import { type Event, signalOf } from "../events/event.js";
import type { Values, VectorField } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import type { Graph, Value } from "../graph/graph.js";
import { denseOutput } from "../methods/dense.js";
import type { Interval, Method, State, System } from "../methods/method.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { loop } from "../ops/control.js";
import { abs, sign } from "../ops/elementwise.js";
import { maximum, minimum } from "../ops/extrema.js";
import { and, equal, greater, greaterOrEqual, less, lessOrEqual, not, or, where } from "../ops/logic.js";
import { reduceMax } from "../ops/reduce.js";
import { cast } from "../ops/reshape.js";
import { parameterInputs } from "./inputs.js";
import {
  crossedName,
  locateNames,
  adaptiveNames as names,
  nextName,
  recordName,
  signalName,
  stateName,
} from "./names.js";

/** What is kept of each step: nothing, y at its end, or the coefficients of y inside it. */
export type Record = "nothing" | "states" | "dense";

/** What a solve that chooses its steps is made for. */
export interface AdaptiveSetting {
  readonly field: VectorField;
  readonly method: Method;
  readonly dtype: FloatDType;
  /** shape of y0, batch included */
  readonly state: readonly number[];
  readonly control: Pid | ConstantStep | GivenTimes;
  readonly sharing: Sharing;
  readonly record: Record;
  /** what to look for: the steps stop before the one in which something happens */
  readonly events?: readonly Event[];
}

/** What of it a step and its control need. Tolerances that are values of the graph take the place of the control's. */
export interface Stepping extends Pick<AdaptiveSetting, "method" | "dtype" | "control" | "sharing"> {
  readonly tolerances?: Tolerances;
}

/** A program, and how often it evaluates the field: in all, or in each attempted step. */
export interface CountedProgram {
  readonly graph: Graph;
  readonly evaluations: number;
}

/** The shape of times and step sizes: one, or one for each trajectory, of the state's rank so that they broadcast. */
export function timeShape({ state, sharing }: Pick<AdaptiveSetting, "state" | "sharing">): number[] {
  return sharing === "batch" ? [] : state.map((dim, axis) => (axis === 0 ? dim : 1));
}

/**
 * Whether f(t, y) is carried from step to step: where a step, its error estimate or its dense output evaluates
 * f(t1, y1), which the next one starts with.
 */
export function carriesSlope({
  method,
  control,
  record,
}: Pick<AdaptiveSetting, "method" | "control" | "record">): boolean {
  const estimates = control.kind === "pid" && (method.error?.evaluations ?? 0) > 0;
  const cubic = record === "dense" && (method.dense === undefined || method.width === 1);
  return cubic || (estimates && method.width === 1);
}

/**
 * The graph that tries steps until it has reached a target time exactly, has used up its attempts, or cannot go on.
 * It is run again with what it has put out until the target is reached.
 *
 * With `sharing: "sample"` each trajectory has its own time, target, step size, and memory, and those that have
 * arrived wait for the others.
 */
export function adaptiveProgram(setting: AdaptiveSetting): CountedProgram {
  const { field, method, dtype, state, control, sharing, record, events = [] } = setting;
  const b = new Builder();
  const parameters = parameterInputs(b, setting);
  const shape = timeShape(setting);
  const scalarInput = (name: string, of: "float" | "bool" = "float") =>
    b.input(name, of === "bool" ? "bool" : dtype, shape);
  const target = scalarInput(names.target);
  const smallest = b.input(names.smallest, dtype, []);
  const attempts = b.input(names.attempts, "int64", []);
  const start: Frame = {
    state: Array.from({ length: method.width }, (_, k) =>
      b.input(stateName(k), dtype, state),
    ) as unknown as State,
    slope: carriesSlope(setting) ? b.input(names.slope, dtype, state) : null,
    t: scalarInput(names.t),
    h: scalarInput(names.h),
    memory:
      control.kind === "pid"
        ? {
            last: scalarInput(names.last),
            beforeLast: scalarInput(names.beforeLast),
            rejected: scalarInput(names.rejected, "bool"),
          }
        : null,
    signals: events.map((_, k) => scalarInput(signalName(k))),
  };
  const layout = layoutOf(setting);
  const never = mul(b, start.t, 0);
  let evaluations = 0;
  const { carried, scans } = loop(
    b,
    {
      trips: attempts,
      carried: [
        ...layout.pack(start),
        ...(events.length === 0 ? [] : [start.t, ...events.map(() => less(b, never, 0))]),
        b.scalar("bool", false),
      ],
    },
    (inner, _i, values) => {
      const before = layout.unpack(values);
      const counted = counting(inner, field, parameters, before);
      const attempt = tryStep(counted.system, setting, before, target);
      const { accept, after, drift, size, interval } = attempt;
      const active = sharing === "sample" ? not(inner, equal(inner, before.t, target)) : null;
      const passed = active === null ? accept : and(inner, accept, active);
      const signals = events.map((event) => signalOf(inner, event, shape, interval.t1, after[0]));
      const crossed = events.map((event, k) =>
        and(inner, passed, crosses(inner, event, before.signals[k]!, signals[k]!)),
      );
      const interrupted = crossed.length === 0 ? null : crossed.reduce((some, one) => or(inner, some, one));
      const commit = interrupted === null ? passed : and(inner, passed, not(inner, interrupted));
      const keep = (x: Value, y: Value) => where(inner, commit, x, y);
      const whileActive = (x: Value, y: Value) => (active === null ? x : select(inner, active, x, y));
      const next: Frame = {
        state: after.map((value, k) => keep(value, before.state[k]!)) as unknown as State,
        slope: before.slope && keep(counted.system.f(interval.t1, after[0]), before.slope),
        t: keep(interval.t1, before.t),
        h: whileActive(attempt.h, before.h),
        memory: attempt.memory && {
          last: whileActive(attempt.memory.last, before.memory!.last),
          beforeLast: whileActive(attempt.memory.beforeLast, before.memory!.beforeLast),
          rejected: whileActive(attempt.memory.rejected, before.memory!.rejected),
        },
        signals: signals.map((signal, k) => keep(signal, before.signals[k]!)),
      };
      const gaveUp =
        control.kind === "pid"
          ? and(inner, not(inner, accept), less(inner, abs(inner, next.h), smallest))
          : not(inner, accept);
      const failed = active === null ? gaveUp : and(inner, gaveUp, active);
      const records =
        record === "states"
          ? [after[0]]
          : record === "dense"
            ? denseOutput(method, counted.system, interval, before.state, after)
            : [];
      const stops = interrupted === null ? failed : or(inner, failed, interrupted);
      const going = not(inner, or(inner, stops, equal(inner, next.t, target)));
      const result = {
        carried: [
          ...layout.pack(next),
          ...(events.length === 0 ? [] : [interval.t1, ...crossed]),
          any(inner, failed),
        ],
        scans: [
          ...[next.t, commit],
          ...(attempt.norm === null ? [] : [attempt.norm]),
          ...(drift === null ? [] : [drift, size!]),
          ...records,
        ],
        proceed: sharing === "batch" ? going : and(inner, any(inner, going), not(inner, any(inner, stops))),
      };
      evaluations = counted.evaluations();
      return result;
    },
  );
  const end = layout.unpack(carried);
  const outputs: { [name: string]: Value } = {};
  for (const [k, value] of end.state.entries()) outputs[nextName(stateName(k))] = value;
  if (end.slope !== null) outputs[nextName(names.slope)] = end.slope;
  outputs[nextName(names.t)] = end.t;
  outputs[nextName(names.h)] = end.h;
  if (end.memory !== null) {
    outputs[nextName(names.last)] = end.memory.last;
    outputs[nextName(names.beforeLast)] = end.memory.beforeLast;
    outputs[nextName(names.rejected)] = end.memory.rejected;
  }
  for (const [k, signal] of end.signals.entries()) {
    outputs[nextName(signalName(k))] = signal;
    outputs[crossedName(k)] = carried.at(-1 - events.length + k)!;
  }
  if (events.length > 0) outputs[locateNames.triedEnd] = carried.at(-2 - events.length)!;
  outputs[names.failed] = carried.at(-1)!;
  const perAttempt = [
    ...[names.times, names.accepted],
    ...(control.kind === "pid" ? [names.norm] : []),
    ...(method.companion === undefined ? [] : [names.drift, names.size]),
  ];
  for (const [k, value] of scans.entries())
    outputs[perAttempt[k] ?? recordName(k - perAttempt.length)] = value;
  return { graph: b.graph(outputs, "adaptive"), evaluations };
}

/** What goes from one attempt to the next. */
export interface Frame {
  readonly state: State;
  readonly slope: Value | null;
  readonly t: Value;
  readonly h: Value;
  readonly memory: Memory | null;
  readonly signals: readonly Value[];
}

/** How a frame is carried through a loop. */
export function layoutOf(setting: Pick<AdaptiveSetting, "method" | "control" | "record" | "events">) {
  const { method, control, events = [] } = setting;
  const firstSignal = control.kind === "pid" ? 5 : 2;
  const slopes = carriesSlope(setting) ? 1 : 0;
  return {
    pack: ({ state, slope, t, h, memory, signals }: Frame): Value[] => [
      ...state,
      ...(slope === null ? [] : [slope]),
      t,
      h,
      ...(memory === null ? [] : [memory.last, memory.beforeLast, memory.rejected]),
      ...signals,
    ],
    unpack(values: readonly Value[]): Frame {
      const own = values.slice(method.width + slopes);
      return {
        state: values.slice(0, method.width) as unknown as State,
        slope: slopes === 1 ? values[method.width]! : null,
        t: own[0]!,
        h: own[1]!,
        memory: control.kind === "pid" ? { last: own[2]!, beforeLast: own[3]!, rejected: own[4]! } : null,
        signals: own.slice(firstSignal, firstSignal + events.length),
      };
    },
  };
}

export interface Tried {
  readonly interval: Interval;
  readonly after: State;
  readonly accept: Value;
  /** the step size to try next */
  readonly h: Value;
  readonly memory: Memory | null;
  readonly norm: Value | null;
  readonly drift: Value | null;
  readonly size: Value | null;
}

/** One attempt: a step from where the frame is, cut short at the target, and what the control makes of it. */
export function tryStep(system: System, setting: Stepping, before: Frame, target: Value): Tried {
  const { b } = system;
  const { method, control, sharing } = setting;
  const way = sub(b, target, before.t);
  // a step that would end just short of the target is stretched to it
  const cut = greaterOrEqual(b, mul(b, abs(b, before.h), 1.01), abs(b, way));
  const t1 = where(b, cut, target, add(b, before.t, before.h));
  const interval = { t0: before.t, t1, h: sub(b, t1, before.t) };
  const after = method.step(system, interval, before.state);
  const [y0, y1] = [before.state[0], after[0]];
  const zero = reduceSum(b, mul(b, y1, 0), normAxes(y1, sharing), sharing === "sample");
  const finite = equal(b, zero, 0);
  const apart = method.companion === undefined ? null : sub(b, y1, after[method.companion]!);
  const shared = {
    interval,
    after,
    drift: apart && rootMeanSquare(b, apart, sharing),
    size: apart && rootMeanSquare(b, y1, sharing),
  };
  if (control.kind !== "pid") {
    return { ...shared, accept: finite, h: before.h, memory: null, norm: null };
  }

  const tolerance = toleranceOf(b, y0, y1, setting.tolerances ?? control);
  const error = method.error!.of(system, interval, before.state, after);
  // NaN where y1 is not finite, so that it is rejected
  const norm = add(b, scaledNorm(b, error, tolerance, sharing), zero);
  const order = method.error!.order;
  const judged =
    apart === null || control.driftTolerance === Infinity
      ? norm
      : maximum(
          b,
          norm,
          driftTerm(b, control, order, method.coupling ?? 1, {
            before: scaledNorm(b, sub(b, y0, before.state[method.companion!]!), tolerance, sharing),
            after: scaledNorm(b, apart, tolerance, sharing),
          }),
        );
  const { accept, factor, memory }: Decision = decide(
    b,
    control,
    order,
    { norm: judged, cut },
    before.memory!,
  );
  const proposed = mul(b, abs(b, interval.h), factor);
  // what was cut short to hit a time was not too long
  const size = where(b, and(b, cut, accept), maximum(b, proposed, abs(b, before.h)), proposed);
  const h = mul(b, minimum(b, size, control.dtmax), sign(b, way));
  return { ...shared, accept, h, memory, norm };
}

/** The equation, with f(t, y) known for the beginning of a step, and the number of evaluations it has been asked for. */
export function counting(
  b: Builder,
  field: VectorField,
  parameters: Values,
  known?: Pick<Frame, "slope" | "t" | "state">,
): { system: System; evaluations: () => number } {
  const seen = new Set<string>();
  return {
    system: {
      b,
      parameters: Object.values(parameters),
      f(t, y) {
        if (known?.slope && t === known.t && y === known.state[0]) return known.slope;
        seen.add(`${t.id},${y.id}`);
        return field.apply(b, parameters, t, y);
      },
    },
    evaluations: () => seen.size,
  };
}

/** Whether a signal passes through zero, in the direction that counts; one that starts at zero does not. */
function crosses(b: Builder, { direction }: Event, g0: Value, g1: Value): Value {
  const rising = () => and(b, less(b, g0, 0), greaterOrEqual(b, g1, 0));
  const falling = () => and(b, greater(b, g0, 0), lessOrEqual(b, g1, 0));
  if (direction === undefined) return or(b, rising(), falling());
  return direction === "rising" ? rising() : falling();
}

/** x where c holds, else y, bools as well. */
function select(b: Builder, c: Value, x: Value, y: Value): Value {
  return x.dtype === "bool" ? or(b, and(b, c, x), and(b, not(b, c), y)) : where(b, c, x, y);
}

/** Whether any element holds, as a scalar. */
export function any(b: Builder, condition: Value): Value {
  if (condition.shape.length === 0) return condition;
  return cast(b, reduceMax(b, cast(b, condition, "float32")), "bool");
}
