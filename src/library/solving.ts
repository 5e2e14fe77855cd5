import { controllers } from "../control/control.js";
import { nearName } from "../core/near-name.js";
import { checkOptions, OptionError, showValue } from "../core/options.js";
import { EventError } from "../events/event.js";
import type { ArrayShapes, RecordField } from "../fields/record-field.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import type * as strict from "../integrate/request.js";
import type { Runtime } from "../runtime/runtime.js";
import { type EquationOptions, type ParametersLike, parametersOf } from "./equation.js";
import { type TensorLike, type TimesLike, tensorOf, timeOf, timesOf } from "./given.js";
import { type ArgsOption, type EachLike, joined, withArgs } from "./records.js";

// What `solve` and `solveEach` take, and how it becomes what the solvers take.

/** What {@link solve} takes. */
export interface SolveOptions
  extends Omit<strict.SolveOptions, "runtime" | "parameters" | "y0" | "saveAt" | "t1"> {
  /** where graphs run; in Node jit or ort-cpu by the size of each graph, in a browser jit, unless one is given */
  readonly runtime?: Runtime;
  /** θ by name; drawn from the seed where not given, as before training */
  readonly parameters?: ParametersLike;
  /** of the parameters, where none are given; 0 by default */
  readonly seed?: number;
  /** state at t0: of the field's shape, or one trajectory without its batch axis; a tensor or nested arrays */
  readonly y0: TensorLike;
  /** times to save at, monotone away from t0, to which the state is also followed; or … */
  readonly saveAt?: TimesLike;
  /** … the time to stop at, which is then all that is saved */
  readonly t1?: number;
}

/** What {@link solveEach} takes: times for all, or for each. */
export interface SolveEachOptions extends Omit<SolveOptions, "t0" | "t1" | "saveAt" | "coupling"> {
  readonly t0: number | readonly number[];
  readonly t1?: number | readonly number[];
  readonly saveAt?: TimesLike | readonly TimesLike[];
}

/** What either takes for a field on a record of arrays: the record in place of y0, and the data that the field reads. */
export type OfRecords<Options, S extends ArrayShapes, A extends ArrayShapes> = Omit<Options, "y0"> & {
  /** of each array [batch, …], or of one trajectory without its axis */
  readonly y0: EachLike<S>;
} & ArgsOption<A>;

const eachNames = {
  ...{
    runtime: true,
    parameters: true,
    seed: true,
    y0: true,
    t0: true,
    t1: true,
    saveAt: true,
    control: true,
  },
  ...{ save: true, jumps: true, events: true, eventTolerance: true, strict: true, checkReconstruction: true },
  ...{ checkStability: true, maxSteps: true, signal: true },
} satisfies Record<keyof SolveEachOptions, true>;
const solveNames = { ...eachNames, coupling: true } satisfies Record<keyof SolveOptions, true>;
/** What a bare field is solved with. */
export const equationNames = {
  method: true,
  stepSize: true,
  dtype: true,
} satisfies Record<keyof EquationOptions, true>;

const toEquation = "belongs to the equation, neuralOde({ field, method, stepSize }), or beside a bare field";
const toControl = (name: string) => `tolerances belong to a control, control: pid({ ${name}: 1e-8 })`;
const elsewhere = {
  ...{ method: `the method ${toEquation}`, solver: `the method ${toEquation}` },
  ...{
    stepSize: `the step size ${toEquation}`,
    dt: `the step size ${toEquation}`,
    h: `the step size ${toEquation}`,
  },
  ...{ dtype: `the dtype ${toEquation}`, rtol: toControl("rtol"), atol: toControl("atol") },
  ...{ dt0: "the first step belongs to a control, control: pid({ dt0: 1e-3 })", dense: 'say save: "dense"' },
  ...{
    controller: "it is the control, control: pid()",
    ts: "times to save at are saveAt",
    times: "times to save at are saveAt",
  },
  ...{ tEval: "times to save at are saveAt", t_eval: "times to save at are saveAt", tSpan: "give t0 and t1" },
  ...{ t_span: "give t0 and t1", args: "parameters go by name, parameters: { … }", theta: "say parameters" },
};

const kindsOfSave = ["hit", "interpolated", "every-step", "dense"];

/** @throws {OptionError | TimeError | ShapeError | EventError} for what makes no sense, by name */
export function checkSolveOptions(
  of: "solve" | "solveEach",
  given: unknown,
  { isBare, isRecord }: { readonly isBare: boolean; readonly isRecord: boolean },
): void {
  const own = of === "solve" ? solveNames : eachNames;
  const names = isBare ? { ...own, ...equationNames } : own;
  checkOptions(of, given, isRecord ? { ...names, args: true } : names, elsewhere);
  const { y0, t0, control, save, events, jumps, maxSteps } = given as Partial<SolveOptions>;
  if (y0 === undefined)
    throw new OptionError(`${of} needs the initial state y0, as [1, 0] for two components.`);
  if (t0 === undefined) throw new OptionError(`${of} needs the initial time t0.`);
  checkControl(of, control);
  checkSave(save);
  checkEvents(of, events);
  if (jumps !== undefined) timesOf("jumps", jumps);
  if (maxSteps !== undefined && !(typeof maxSteps === "number" && maxSteps >= 1)) {
    throw new OptionError(`maxSteps is a number of steps, 1 or more, but ${showValue(maxSteps)} was given.`);
  }
}

/**
 * A solve of a record of arrays as one of the arrays side by side: the equation for as many samples, and the options.
 *
 * @throws {OptionError | ShapeError} for arrays that do not fit, by name
 */
export function sideBySide<Options extends { readonly parameters?: ParametersLike; readonly seed?: number }>(
  ode: NeuralOde,
  field: RecordField,
  { y0, args, ...options }: Options & { readonly y0: unknown; readonly args?: unknown },
) {
  const start = joined("y0", field.arrays, y0, ode.dtype);
  const { equation, own } = withArgs(ode, field, start.shape[0]!, args);
  const parameters = { ...parametersOf(ode, options.parameters, options.seed ?? 0), ...own };
  return { equation, options: { ...options, y0: start, parameters } };
}

/** The options of one solve, as solvers take them. */
export function solveOptionsOf(ode: NeuralOde, options: SolveOptions, runtime: Runtime): strict.SolveOptions {
  const { seed = 0, parameters, y0, saveAt, t1, t0 } = options;
  const times = saveAt === undefined ? undefined : timesOf("saveAt", saveAt);
  const end = t1 === undefined ? undefined : timeOf("t1", t1);
  timeOf("t0", t0);
  // what is no option of a solver does no harm there, and to take it out, or to put in what is not there, costs as
  // much as a short solve
  const taken = {
    ...options,
    y0: tensorOf("y0", y0, ode.dtype),
    parameters: parametersOf(ode, parameters, seed),
  } as Changeable<strict.SolveOptions>;
  if (options.runtime === undefined) taken.runtime = runtime;
  if (times !== undefined) taken.saveAt = times;
  // both may be said where they say the same
  if (end !== undefined && end === times?.at(-1)) delete taken.t1;
  return taken;
}

type Changeable<T> = { -readonly [name in keyof T]: T[name] };

/** The options of a solve of each trajectory, as solvers take them. */
export function solveEachOptionsOf(
  ode: NeuralOde,
  options: SolveEachOptions,
  runtime: Runtime,
): strict.SolveEachOptions {
  const { seed = 0, parameters, y0, saveAt, ...rest } = options;
  const each = Array.isArray(saveAt) && typeof saveAt[0] !== "number";
  return {
    ...withoutEquation(rest),
    runtime,
    y0: tensorOf("y0", y0, ode.dtype),
    parameters: parametersOf(ode, parameters, seed),
    ...(saveAt === undefined
      ? {}
      : {
          saveAt: each
            ? saveAt.map((own, i) => timesOf(`saveAt of trajectory ${i}`, own))
            : timesOf("saveAt", saveAt),
        }),
  };
}

/** @throws {OptionError} for what is no control */
export function checkControl(of: string, control: unknown): void {
  if (control === undefined) return;
  if (typeof control === "object" && control !== null && "kind" in control) return;
  const called = typeof control === "string" && control in controllers;
  throw new OptionError(
    `The control of ${of} is what pid(…), constantStep(…) or givenTimes(…) return, but ${showValue(control)} was given.` +
      (called ? ` For this controller: pid({ ...controllers.${control} }).` : ""),
  );
}

function checkSave(save: unknown): void {
  if (save === undefined) return;
  if (typeof save === "string" && kindsOfSave.includes(save)) return;
  if (typeof save === "object" && save !== null && !Array.isArray(save)) {
    checkOptions("save", save, { every: true });
    return;
  }
  const near = typeof save === "string" ? nearName(save, kindsOfSave) : undefined;
  const times = Array.isArray(save) || typeof save === "number" ? " Times to save at are saveAt." : "";
  throw new OptionError(
    `save takes ${kindsOfSave.map((kind) => `"${kind}"`).join(", ")} or { every: n }, but ${showValue(save)} was given` +
      `${near === undefined ? "." : `; did you mean "${near}"?`}${times}`,
  );
}

const eventNames = { name: true, signal: true, direction: true, maxStep: true, terminal: true };
const aboutEvents = {
  ...{
    event: "the function is the signal",
    g: "the function is the signal",
    f: "the function is the signal",
  },
  ...{ condition: "the function is the signal", fn: "the function is the signal" },
  ...{ stop: "say terminal: true", affect: "what happens after a terminal event is another solve" },
};

function checkEvents(of: string, events: unknown): void {
  if (events === undefined) return;
  if (!Array.isArray(events)) {
    throw new EventError(`${of} takes a list of events, [{ signal }], but ${showValue(events)} was given.`);
  }
  for (const event of events) {
    checkOptions("An event", event, eventNames, aboutEvents);
    const { signal, direction } = event as { signal?: unknown; direction?: unknown };
    if (typeof signal !== "function") {
      throw new EventError(
        `The signal of an event is a function (b, t, y) of the graph, but ${showValue(signal)} was given.`,
      );
    }
    if (direction !== undefined && direction !== "rising" && direction !== "falling") {
      throw new EventError(
        `The direction of an event is "rising" or "falling", but ${showValue(direction)} was given.`,
      );
    }
  }
}

/** What is left of options when what makes an equation of a field is gone. */
export function withoutEquation<T extends EquationOptions & { readonly runtime?: Runtime }>(
  options: T,
): Omit<T, keyof EquationOptions | "runtime"> {
  const { method: _, stepSize: __, dtype: ___, runtime: ____, ...left } = options;
  return left;
}

/** What of the options makes an equation of a bare field. */
export function equationOf({
  runtime,
  method,
  stepSize,
  dtype,
}: EquationOptions & { readonly runtime?: Runtime }): EquationOptions & { readonly runtime?: Runtime } {
  if (method === undefined && stepSize === undefined && dtype === undefined) {
    return runtime === undefined ? {} : { runtime };
  }
  return {
    ...(runtime && { runtime }),
    ...(method !== undefined && { method }),
    ...(stepSize !== undefined && { stepSize }),
    ...(dtype !== undefined && { dtype }),
  };
}
