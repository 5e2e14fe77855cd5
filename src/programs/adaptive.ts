import { memoryOf } from "../control/controller.js";
import { type DType, sizeOf, tensor } from "../core/tensor.js";
import { signalOf } from "../events/event.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value, ValueType } from "../graph/graph.js";
import { denseOutput } from "../methods/dense.js";
import type { Interval, State, System } from "../methods/method.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { minimum } from "../ops/extrema.js";
import { and, equal, less, not, or, where } from "../ops/logic.js";
import { cast, shapeOf } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import { type AdaptiveSetting, type Stepping, timeShape } from "./adaptive-setting.js";
import { startOf } from "./adaptive-start.js";
import { any, counting, crosses, duringStep, select, tryStep } from "./attempt.js";
import { type Carry, carryTypes } from "./carry.js";
import { type Clock, clockFor, countsFromStart, timeOf } from "./clock.js";
import { parameterTypes } from "./inputs.js";
import { loopOver } from "./loop-over.js";
import { inputType, programOf } from "./program.js";
import { signalsAfter } from "./sides.js";

/** What every program of a solve takes. */
export interface AdaptiveConstants<X> {
  readonly parameters: Readonly<Record<string, X>>;
  /** where time is counted from the start of the solve: the time of that */
  readonly origin: X | null;
  /** the step size below which a rejection is final */
  readonly smallest: X;
  /** what errors are held against; `null` where none are estimated */
  readonly tolerances: { readonly rtol: X; readonly atol: X } | null;
}

/** How far a run is to go. */
export interface AdaptiveLimits<X> {
  /** the times to stop at, one after the other */
  readonly targets: X;
  /** how many steps to try at most */
  readonly attempts: X;
}

/** Where a solve starts, and the time that it goes to. */
export interface AdaptiveStart<X> {
  readonly y0: X;
  readonly t: X;
  readonly end: X;
}

/** What a run gives. */
export interface AdaptiveResults<X> {
  readonly next: Carry<X>;
  readonly report: AttemptReport<X>;
  /** where there are events */
  readonly met: Met<X> | null;
}

/** What is told of the attempts of a run. */
export interface AttemptReport<X> {
  /** after each attempt: the time, y (where one run may pass several stops), and what was recorded */
  readonly times: X;
  readonly states: X | null;
  readonly records: readonly X[];
  /** after each attempt of a method with a companion: the scaled norm of its error, how far the companion is from y, the size of y */
  readonly norm: X | null;
  readonly drift: X | null;
  readonly size: X | null;
  /** the scaled norm of the error of the last attempt */
  readonly lastNorm: X | null;
  /** whether a step was rejected for good */
  readonly failed: X;
}

/** The end of the step that was tried last, and which events happen in it. */
export interface Met<X> {
  readonly end: X;
  readonly crossed: readonly X[];
}

/** The types of what every program of a solve takes. */
export function constantTypes(setting: AdaptiveSetting): AdaptiveConstants<ValueType> {
  const { dtype, control } = setting;
  const number = inputType(dtype, []);
  return {
    parameters: parameterTypes(setting),
    origin: countsFromStart(dtype) ? inputType(dtype, timeShape(setting)) : null,
    smallest: number,
    tolerances: control.kind === "pid" ? { rtol: number, atol: number } : null,
  };
}

/** The types of what says how far a run is to go. */
function limitTypes(setting: AdaptiveSetting): AdaptiveLimits<ValueType> {
  return {
    targets: inputType(setting.dtype, ["stops", ...timeShape(setting)]),
    attempts: inputType("int64", []),
  };
}

/**
 * The program that goes on with a solve: it tries steps until it has reached the last target time exactly, has used up its
 * attempts, or cannot go on. It is run again with what it has put out until the last target is reached.
 *
 * With `sharing: "sample"` each trajectory has its own times, step size, and memory, and those that have arrived wait for
 * the others.
 */
export function adaptiveProgram(setting: AdaptiveSetting) {
  const inputs = {
    constants: constantTypes(setting),
    limits: limitTypes(setting),
    carry: carryTypes(setting),
  };
  return programOf("adaptive", inputs, (b, { constants, limits, carry }) => {
    const stepping = steppingOf(setting, constants);
    return tryStepsThrough(b, stepping, constants.parameters, carry, limits).results;
  });
}

/**
 * The program that starts a solve at y0, and goes on as {@link adaptiveProgram} does.
 *
 * @returns it with the number of evaluations of one attempt, and of the start
 */
export function launchProgram(setting: AdaptiveSetting) {
  const { dtype, state, field, control } = setting;
  const shape = timeShape(setting);
  const time = inputType(dtype, shape);
  const start: AdaptiveStart<ValueType> = { y0: inputType(dtype, state), t: time, end: time };
  const inputs = { constants: constantTypes(setting), limits: limitTypes(setting), start };
  let [atStart, evaluations] = [0, 0];
  const program = programOf("launch", inputs, (b, { constants, limits, start: { y0, t, end } }) => {
    const { parameters } = constants;
    const stepping = steppingOf(setting, constants);
    const counted = counting(b, field, parameters, stepping.clock);
    const begun = startOf(counted.system, stepping, { t0: t, y0, end });
    atStart = counted.evaluations();
    const all = (of: DType, value: number | boolean) =>
      b.constant(tensor(of, shape, new Array(sizeOf(shape)).fill(value)));
    const memory = memoryOf(control, (part) => (part === "rejected" ? all("bool", false) : all(dtype, 1)));
    const tried = tryStepsThrough(b, stepping, parameters, { ...begun, t, memory }, limits);
    evaluations = tried.evaluations;
    return tried.results;
  });
  return { program, atStart, evaluations };
}

/** A setting with what steps need, tolerances as inputs, so that solves which differ in them alone are one program. */
function steppingOf(
  setting: AdaptiveSetting,
  { origin, smallest, tolerances }: AdaptiveConstants<Value>,
): AdaptiveSetting & Stepping {
  return {
    ...setting,
    clock: clockOf(setting, origin),
    smallest,
    ...(tolerances === null ? {} : { tolerances }),
  };
}

/** The clock of the programs of a solve. */
export function clockOf(setting: AdaptiveSetting, origin: Value | null): Clock {
  const { field, dtype, state } = setting;
  return clockFor(field, dtype, { state, time: timeShape(setting) }, origin);
}

/** The loop over attempts, all that it puts out, and the number of evaluations of an attempt. */
function tryStepsThrough(
  b: Builder,
  setting: AdaptiveSetting & Stepping,
  parameters: Values,
  start: Carry,
  { targets, attempts }: AdaptiveLimits<Value>,
): { results: AdaptiveResults<Value>; evaluations: number } {
  const { method, control, record, events = [], chained = false } = setting;
  const one = b.scalar("int64", 1);
  const lastStop = chained ? sub(b, gather(b, shapeOf(b, targets), 0), one) : null;
  const pid = control.kind === "pid";
  const zero = mul(b, start.t, 0);
  const carried: Attempted = {
    carry: start,
    met: events.length === 0 ? null : { end: start.t, crossed: events.map(() => less(b, zero, 0)) },
    norm: pid ? zero : null,
    stop: chained ? b.scalar("int64", 0) : null,
    failed: b.scalar("bool", false),
  };
  let evaluations = 0;
  const end = loopOver(b, { trips: attempts, carried }, (inner, before) => {
    const { stop } = before;
    const target = stop === null ? gather(b, targets, 0) : gather(inner, targets, stop);
    const attempt = attemptFrom(inner, setting, parameters, before.carry, target);
    const { next, norm, failed, met } = attempt;
    const halts = any(inner, attempt.interrupted === null ? failed : or(inner, failed, attempt.interrupted));
    const arrived = not(inner, any(inner, not(inner, equal(inner, next.t, target))));
    const over = stop === null ? arrived : and(inner, arrived, equal(inner, stop, lastStop!));
    evaluations = attempt.evaluations;
    return {
      carried: {
        ...{ carry: next, met, norm },
        stop: stop && minimum(inner, add(inner, stop, cast(inner, arrived, "int64")), lastStop!),
        failed: any(inner, failed),
      },
      scans: {
        times: next.t,
        states: chained && record === "nothing" ? next.state[0] : null,
        norm: method.companion === undefined ? null : norm,
        ...{ drift: attempt.drift, size: attempt.size, records: attempt.records },
      },
      proceed: not(inner, or(inner, halts, over)),
    };
  });
  const { carry, met, norm: lastNorm, failed } = end.carried;
  return { results: { next: carry, report: { ...end.scans, lastNorm, failed }, met }, evaluations };
}

/** What goes through the loop over attempts. */
interface Attempted {
  readonly carry: Carry;
  readonly met: Met<Value> | null;
  readonly norm: Value | null;
  /** the index of the target that is gone to, where there are several */
  readonly stop: Value | null;
  readonly failed: Value;
}

/** One attempt: what it leads to, kept where the step is accepted and no event interrupts it. */
function attemptFrom(
  b: Builder,
  setting: AdaptiveSetting & Stepping,
  parameters: Values,
  before: Carry,
  target: Value,
) {
  const { field, method, dtype, control, sharing, clock, events = [] } = setting;
  const counted = counting(b, field, parameters, clock, before);
  const attempt = tryStep(counted.system, setting, before, target);
  const { accept, after, interval } = attempt;
  const active = sharing === "sample" ? not(b, equal(b, before.t, target)) : null;
  const passed = active === null ? accept : and(b, accept, active);
  const seen = () => timeOf(b, clock, interval.t1);
  const signals = events.map((event) => signalOf(b, event, timeShape(setting), seen(), after[0]));
  const system = (scope: Builder) =>
    duringStep(counting(scope, field, parameters, clock, before).system, interval);
  const sides =
    events.length === 0 ? [] : signalsAfter(b, system, { method, dtype, clock, events }, interval, before);
  const crossed = events.map((event, k) => and(b, passed, crosses(b, event, sides[k]!, signals[k]!)));
  const interrupted = crossed.length === 0 ? null : crossed.reduce((some, each) => or(b, some, each));
  const commit = interrupted === null ? passed : and(b, passed, not(b, interrupted));
  const keep = (x: Value, y: Value) => where(b, commit, x, y);
  const whileActive = (x: Value, y: Value) => (active === null ? x : select(b, active, x, y));
  const next: Carry = {
    state: after.map((value, k) => keep(value, before.state[k]!)) as unknown as State,
    slope: before.slope && keep(counted.system.f(interval.t1, after[0]), before.slope),
    t: keep(interval.t1, before.t),
    h: whileActive(attempt.h, before.h),
    memory: memoryOf(control, (part) => whileActive(attempt.memory![part]!, before.memory![part]!)),
    signals: signals.map((signal, k) => keep(signal, before.signals[k]!)),
  };
  const records = recordsOf(setting, duringStep(counted.system, interval), interval, before.state, after);
  return {
    ...{ next, records, interrupted, norm: attempt.norm, drift: attempt.drift, size: attempt.size },
    failed: active === null ? attempt.failed : and(b, attempt.failed, active),
    met: events.length === 0 ? null : { end: interval.t1, crossed },
    evaluations: counted.evaluations(),
  };
}

/** What is recorded of a step. */
export function recordsOf(
  { method, record }: Pick<AdaptiveSetting, "method" | "record">,
  system: System,
  interval: Interval,
  before: State,
  after: State,
): readonly Value[] {
  if (record === "nothing") return [];
  return record === "states" ? [after[0]] : denseOutput(method, system, interval, before, after);
}
