import { type Memory, memoryParts } from "../control/controller.js";
import { tensor } from "../core/tensor.js";
import { signalOf } from "../events/event.js";
import type { Values } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { denseOutput } from "../methods/dense.js";
import type { State } from "../methods/method.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { minimum } from "../ops/extrema.js";
import { and, equal, less, not, or, where } from "../ops/logic.js";
import { cast, shapeOf } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import {
  type AdaptiveSetting,
  type CountedProgram,
  carriesSlope,
  type Stepping,
  timeShape,
} from "./adaptive-setting.js";
import { startOf } from "./adaptive-start.js";
import { any, counting, crosses, type Frame, select, tryStep } from "./attempt.js";
import { type Clock, clockFor, timeOf } from "./clock.js";
import { parameterInputs } from "./inputs.js";
import {
  crossedName,
  locateNames,
  adaptiveNames as names,
  nextName,
  recordName,
  signalName,
  stateName,
  y0Name,
} from "./names.js";
import { signalsAfter } from "./sides.js";

/**
 * The graph that goes on with a solve: it tries steps until it has reached the last target time exactly, has used up its
 * attempts, or cannot go on. It is run again with what it has put out until the last target is reached.
 *
 * With `sharing: "sample"` each trajectory has its own times, step size, and memory, and those that have arrived wait for
 * the others.
 */
export function adaptiveProgram(setting: AdaptiveSetting): CountedProgram {
  const { method, dtype, state, events = [] } = setting;
  const b = new Builder();
  const parameters = parameterInputs(b, setting);
  const stepping = steppingOf(b, setting);
  const shape = timeShape(setting);
  const scalarInput = (name: string, of: "float" | "bool" = "float") =>
    b.input(name, of === "bool" ? "bool" : dtype, shape);
  const start: Frame = {
    state: Array.from({ length: method.width }, (_, k) =>
      b.input(stateName(k), dtype, state),
    ) as unknown as State,
    slope: carriesSlope(setting) ? b.input(names.slope, dtype, state) : null,
    t: scalarInput(names.t),
    h: scalarInput(names.h),
    memory: memoryFrom(setting, (part) => scalarInput(names[part], part === "rejected" ? "bool" : "float")),
    signals: events.map((_, k) => scalarInput(signalName(k))),
  };
  return attempts(b, stepping, parameters, start, "adaptive");
}

/**
 * The graph that starts a solve at y0, and goes on as {@link adaptiveProgram} does.
 *
 * @returns it with the number of evaluations of one attempt, and of the start
 */
export function launchProgram(setting: AdaptiveSetting): CountedProgram & { readonly atStart: number } {
  const { dtype, state } = setting;
  const b = new Builder();
  const parameters = parameterInputs(b, setting);
  const stepping = steppingOf(b, setting);
  const shape = timeShape(setting);
  const y0 = b.input(y0Name, dtype, state);
  const t0 = b.input(names.t, dtype, shape);
  const end = b.input(names.end, dtype, shape);
  const { system, evaluations } = counting(b, setting.field, parameters, stepping.clock);
  const { slope, h, ...start } = startOf(system, stepping, { t0, y0, end });
  const size = shape.reduce((product, dim) => product * dim, 1);
  const ones = b.constant(tensor(dtype, shape, new Array(size).fill(1)));
  const never = b.constant(tensor("bool", shape, new Array(size).fill(false)));
  const memory = memoryFrom(setting, (part) => (part === "rejected" ? never : ones));
  const frame: Frame = { ...start, slope, t: t0, h, memory };
  return { ...attempts(b, stepping, parameters, frame, "launch"), atStart: evaluations() };
}

/** A setting with what steps need, tolerances as inputs, so that solves which differ in them alone are one program. */
function steppingOf(b: Builder, setting: AdaptiveSetting): AdaptiveSetting & Stepping {
  const { control, dtype } = setting;
  const tolerances = () => ({
    rtol: b.input(names.rtol, dtype, []),
    atol: b.input(names.atol, dtype, []),
  });
  return {
    ...setting,
    clock: clockOf(b, setting),
    smallest: b.input(names.smallest, dtype, []),
    ...(control.kind === "pid" ? { tolerances: tolerances() } : {}),
  };
}

/** The clock of the programs of a solve. */
export function clockOf(b: Builder, setting: AdaptiveSetting): Clock {
  const { field, dtype, state } = setting;
  const time = timeShape(setting);
  return clockFor(field, dtype, { state, time }, () => b.input(names.origin, dtype, time));
}

/** The loop over attempts, and all that it puts out. */
function attempts(
  b: Builder,
  setting: AdaptiveSetting & Stepping,
  parameters: Values,
  start: Frame,
  name: string,
): CountedProgram {
  const { field, method, dtype, control, sharing, record, clock, events = [], chained = false } = setting;
  const shape = timeShape(setting);
  const targets = b.input(names.targets, dtype, ["stops", ...shape]);
  const trips = b.input(names.attempts, "int64", []);
  const one = b.scalar("int64", 1);
  const lastStop = chained ? sub(b, gather(b, shapeOf(b, targets), 0), one) : null;
  const layout = layoutOf(setting);
  const pid = control.kind === "pid";
  const watched = method.companion !== undefined;
  const zero = mul(b, start.t, 0);
  let evaluations = 0;
  const { carried, scans } = loop(
    b,
    {
      trips,
      carried: [
        ...layout.pack(start),
        ...(events.length === 0 ? [] : [start.t, ...events.map(() => less(b, zero, 0))]),
        ...(pid ? [zero] : []),
        ...(chained ? [b.scalar("int64", 0)] : []),
        b.scalar("bool", false),
      ],
    },
    (inner, _i, values) => {
      const before = layout.unpack(values);
      const stop = chained ? values.at(-2)! : null;
      const target = stop === null ? gather(b, targets, 0) : gather(inner, targets, stop);
      const counted = counting(inner, field, parameters, clock, before);
      const attempt = tryStep(counted.system, setting, before, target);
      const { accept, after, drift, size, interval } = attempt;
      const active = sharing === "sample" ? not(inner, equal(inner, before.t, target)) : null;
      const passed = active === null ? accept : and(inner, accept, active);
      const seen = () => timeOf(inner, clock, interval.t1);
      const signals = events.map((event) => signalOf(inner, event, shape, seen(), after[0]));
      const system = (scope: Builder) => counting(scope, field, parameters, clock, before).system;
      const sides =
        events.length === 0
          ? []
          : signalsAfter(inner, system, { method, dtype, clock, events }, interval, before);
      const crossed = events.map((event, k) =>
        and(inner, passed, crosses(inner, event, sides[k]!, signals[k]!)),
      );
      const interrupted = crossed.length === 0 ? null : crossed.reduce((some, each) => or(inner, some, each));
      const commit = interrupted === null ? passed : and(inner, passed, not(inner, interrupted));
      const keep = (x: Value, y: Value) => where(inner, commit, x, y);
      const whileActive = (x: Value, y: Value) => (active === null ? x : select(inner, active, x, y));
      const next: Frame = {
        state: after.map((value, k) => keep(value, before.state[k]!)) as unknown as State,
        slope: before.slope && keep(counted.system.f(interval.t1, after[0]), before.slope),
        t: keep(interval.t1, before.t),
        h: whileActive(attempt.h, before.h),
        memory: memoryFrom(setting, (part) => whileActive(attempt.memory![part]!, before.memory![part]!)),
        signals: signals.map((signal, k) => keep(signal, before.signals[k]!)),
      };
      const failed = active === null ? attempt.failed : and(inner, attempt.failed, active);
      const records =
        record === "states"
          ? [after[0]]
          : record === "dense"
            ? denseOutput(method, counted.system, interval, before.state, after)
            : [];
      const halts = any(inner, interrupted === null ? failed : or(inner, failed, interrupted));
      const arrived = not(inner, any(inner, not(inner, equal(inner, next.t, target))));
      const over = stop === null ? arrived : and(inner, arrived, equal(inner, stop, lastStop!));
      evaluations = counted.evaluations();
      return {
        carried: [
          ...layout.pack(next),
          ...(events.length === 0 ? [] : [interval.t1, ...crossed]),
          ...(attempt.norm === null ? [] : [attempt.norm]),
          ...(stop === null
            ? []
            : [minimum(inner, add(inner, stop, cast(inner, arrived, "int64")), lastStop!)]),
          any(inner, failed),
        ],
        scans: [
          next.t,
          ...(chained && record === "nothing" ? [next.state[0]] : []),
          ...(watched && attempt.norm !== null ? [attempt.norm] : []),
          ...(drift === null ? [] : [drift, size!]),
          ...records,
        ],
        proceed: not(inner, or(inner, halts, over)),
      };
    },
  );
  const outputs = layout.outputs(carried);
  const perAttempt = [
    names.times,
    ...(chained && record === "nothing" ? [names.states] : []),
    ...(watched && pid ? [names.norm] : []),
    ...(watched ? [names.drift, names.size] : []),
  ];
  for (const [k, value] of scans.entries()) {
    outputs[perAttempt[k] ?? recordName(k - perAttempt.length)] = value;
  }
  return { graph: b.graph(outputs, name), evaluations };
}

/** How a frame is carried through a loop. */
export function layoutOf(setting: Pick<AdaptiveSetting, "method" | "control" | "record" | "events">) {
  const { method, control, events = [] } = setting;
  const parts = control.kind === "pid" ? memoryParts(control) : [];
  const firstSignal = 2 + parts.length;
  const slopes = carriesSlope(setting) ? 1 : 0;
  const unpack = (values: readonly Value[]): Frame => {
    const own = values.slice(method.width + slopes);
    return {
      state: values.slice(0, method.width) as unknown as State,
      slope: slopes === 1 ? values[method.width]! : null,
      t: own[0]!,
      h: own[1]!,
      memory: memoryFrom(setting, (part) => own[2 + parts.indexOf(part)]!),
      signals: own.slice(firstSignal, firstSignal + events.length),
    };
  };
  return {
    unpack,
    pack: ({ state, slope, t, h, memory, signals }: Frame): Value[] => [
      ...state,
      ...(slope === null ? [] : [slope]),
      t,
      h,
      ...parts.map((part) => memory![part]!),
      ...signals,
    ],
    /** What comes out of the loop, by name: the last of everything that is carried. */
    outputs(carried: readonly Value[]): { [name: string]: Value } {
      const end = unpack(carried);
      const outputs: { [name: string]: Value } = {};
      for (const [k, value] of end.state.entries()) outputs[nextName(stateName(k))] = value;
      if (end.slope !== null) outputs[nextName(names.slope)] = end.slope;
      outputs[nextName(names.t)] = end.t;
      outputs[nextName(names.h)] = end.h;
      for (const part of parts) outputs[nextName(names[part])] = end.memory![part]!;
      const rest = carried.slice(method.width + slopes + firstSignal + events.length);
      for (const [k, signal] of end.signals.entries()) {
        outputs[nextName(signalName(k))] = signal;
        outputs[crossedName(k)] = rest[1 + k]!;
      }
      if (events.length > 0) outputs[locateNames.triedEnd] = rest[0]!;
      if (control.kind === "pid")
        outputs[names.lastNorm] = rest[events.length === 0 ? 0 : 1 + events.length]!;
      outputs[names.failed] = rest.at(-1)!;
      return outputs;
    },
  };
}

/** What a controller remembers, each part that it needs made by itself; `null` without a controller. */
function memoryFrom(
  { control }: Pick<AdaptiveSetting, "control">,
  make: (part: keyof Memory) => Value,
): Memory | null {
  if (control.kind !== "pid") return null;
  const parts = memoryParts(control);
  const optional = (part: "last" | "beforeLast") => (parts.includes(part) ? make(part) : null);
  return { last: optional("last"), beforeLast: optional("beforeLast"), rejected: make("rejected") };
}
