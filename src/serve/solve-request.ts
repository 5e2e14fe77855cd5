import { z } from "zod";
import { castTensor, fromNested, numbers, scalar, type Tensor, tensor } from "../core/tensor.js";
import { solverNames } from "../methods/named.js";
import { checkJsonNumbers } from "./infer-answer.js";
import { checked } from "./infer-request.js";
import type { FieldDescription, SolveSetting, Tensors } from "./messages.js";
import { badRequest, RequestError } from "./request-error.js";

/** The most steps that a solve may be allowed to take here. */
export const mostSteps = 1_000_000;
/** As many as `revort solve` takes unless told otherwise. */
const usualSteps = 100_000;
/** Steps over the whole way where nobody says how long they are. */
const defaultSteps = 1000;

const time = z.number();
const nested: z.ZodType<unknown> = z.array(z.unknown());

/** The JSON of a request to solve. */
export const solveRequestSchema = z.strictObject({
  id: z.string().max(1000).optional(),
  y0: nested,
  t0: time.optional(),
  t1: time.optional(),
  saveAt: z.array(time).min(1).max(100_000).optional(),
  params: z.record(z.string(), z.union([z.number(), nested])).optional(),
  solver: z.enum(solverNames as [string, ...string[]]).optional(),
  stepSize: z.number().positive().optional(),
  rtol: z.number().min(0).optional(),
  atol: z.number().min(0).optional(),
  maxSteps: z.int().min(1).max(mostSteps).optional(),
});
export type SolveRequest = z.infer<typeof solveRequestSchema>;

export function parseSolveRequest(json: unknown): SolveRequest {
  const asked = checked(solveRequestSchema, json);
  if (asked.t1 === undefined && asked.saveAt === undefined)
    throw badRequest("A solve needs t1, or the times saveAt.");
  const tolerances = asked.rtol !== undefined || asked.atol !== undefined;
  if (tolerances && asked.stepSize !== undefined)
    throw badRequest(
      "rtol and atol are for steps that are chosen by their error, stepSize for steps of one size.",
    );
  return asked;
}

/** How a request is to be solved. */
export function settingOf({ solver, rtol, atol, params }: SolveRequest): SolveSetting {
  return {
    solver: solver ?? null,
    adaptive: rtol !== undefined || atol !== undefined,
    openParameters: params !== undefined && Object.keys(params).length > 0,
  };
}

/** Times of a request, in order: t0, t1 and those to save at. @throws {RequestError} */
export function timesOf({ t0 = 0, t1, saveAt }: SolveRequest): {
  readonly t0: number;
  readonly t1: number;
  readonly ts: readonly number[];
} {
  const last = t1 ?? saveAt!.at(-1)!;
  const ts = saveAt ?? [last];
  if (last === t0) throw badRequest(`t0 and t1 are both ${t0}: there is nothing to solve.`);
  const forwards = last > t0;
  let before = t0;
  for (const at of ts) {
    if (forwards ? at < before || at > last : at > before || at < last)
      throw badRequest(
        `saveAt has the time ${at} after ${before}; times go from t0 = ${t0} to t1 = ${last} in order.`,
      );
    before = at;
  }
  return { t0, t1: last, ts };
}

/** Initial states as they are solved for, and whether one alone was given without its axis. */
export function statesOf(
  y0: unknown,
  state: FieldDescription["state"],
  dtype: FieldDescription["dtype"],
): { readonly y0: Tensor; readonly isOne: boolean } {
  const given = finite("y0", fromJson("y0", y0, dtype));
  const fits = (shape: readonly number[]) =>
    shape.length === state.length &&
    state.every((dim, axis) => typeof dim === "string" || dim === shape[axis]);
  const batched = typeof state[0] === "string";
  if (given.shape.every((dim) => dim > 0)) {
    if (fits(given.shape)) return { y0: given, isOne: !batched };
    if (batched && fits([1, ...given.shape]))
      return { y0: { ...given, shape: [1, ...given.shape] }, isOne: true };
  }
  const wanted = state.map((dim) => (typeof dim === "string" ? "batch" : dim)).join(", ");
  throw badRequest(
    `y0 has the shape [${given.shape.join(", ")}], but states of this model have [${wanted}].`,
  );
}

/** All inputs of a solve but its states. */
export function solveInputs(asked: SolveRequest, { dtype, parameters, stepSize }: FieldDescription): Tensors {
  const { t0, t1, ts } = timesOf(asked);
  const number = (value: number, what: string) => finite(what, castTensor(scalar("float64", value), dtype));
  const steps = settingOf(asked).adaptive
    ? { rtol: number(asked.rtol ?? 1e-6, "rtol"), atol: number(asked.atol ?? 1e-6, "atol") }
    : { stepSize: number(asked.stepSize ?? stepSize ?? Math.abs(t1 - t0) / defaultSteps, "stepSize") };
  return {
    ...{ t0: number(t0, "t0"), t1: number(t1, "t1"), ts: paddedTimes(ts, dtype), ...steps },
    maxSteps: scalar("int64", asked.maxSteps ?? usualSteps),
    ...parametersIn(asked.params, parameters, dtype),
  };
}

/** Times, and the last one again until there are a power of two: each number of them may be compiled by itself. */
function paddedTimes(ts: readonly number[], dtype: FieldDescription["dtype"]): Tensor {
  const count = 2 ** Math.ceil(Math.log2(ts.length));
  const all = Array.from({ length: count }, (_, i) => ts[Math.min(i, ts.length - 1)]!);
  return finite("saveAt", castTensor(tensor("float64", [count], all), dtype));
}

/** @throws {RequestError} unless all parameters are there, each in its shape */
function parametersIn(
  params: SolveRequest["params"],
  shapes: FieldDescription["parameters"],
  dtype: FieldDescription["dtype"],
): Tensors {
  if (params === undefined || Object.keys(params).length === 0) return {};
  const names = Object.keys(shapes);
  const unknown = Object.keys(params).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw badRequest(
      `The field has no parameter ${JSON.stringify(unknown.slice(0, 80))}; it has ${names.join(", ") || "none"}.`,
    );
  const missing = names.find((name) => !Object.hasOwn(params, name));
  if (missing !== undefined)
    throw badRequest(
      `params takes all parameters of the field or none; ${JSON.stringify(missing)} is missing.`,
    );
  return Object.fromEntries(
    names.map((name) => {
      const what = `The parameter ${JSON.stringify(name)}`;
      const value = finite(what, fromJson(what, params[name], dtype));
      const shape = shapes[name]!;
      if (value.shape.join() === shape.join()) return [`parameters/${name}`, value];
      throw badRequest(
        `${what} has the shape [${value.shape.join(", ")}], but [${shape.join(", ")}] is needed.`,
      );
    }),
  );
}

function fromJson(what: string, value: unknown, dtype: FieldDescription["dtype"]): Tensor {
  try {
    return castTensor(fromNested("float64", value), dtype);
  } catch (cause) {
    throw badRequest(`${what}: ${(cause as Error).message}`);
  }
}

function finite(what: string, value: Tensor): Tensor {
  if (numbers(value).every(Number.isFinite)) return value;
  throw badRequest(`${what} holds a number that is too large for ${value.dtype}.`);
}

/** @throws {RequestError} for more states than an answer has room for */
export function checkAnswer(rows: number, perRow: number, asked: SolveRequest): void {
  checkJsonNumbers(rows * perRow * ((asked.saveAt?.length ?? 1) + 1));
}

/** What a solve has found, with rows first, as the JSON of its answer. @throws {RequestError} 422 where it gave up */
export function solveAnswer(asked: SolveRequest, results: Tensors, isOne: boolean) {
  const { ts } = timesOf(asked);
  const { ys, y1, accepted, rejected, reached } = results as Required<typeof results>;
  const lost = [...(reached!.data as Uint8Array)].indexOf(0);
  if (lost >= 0) {
    const which = reached!.data.length > 1 ? `of y0[${lost}] ` : "";
    throw new RequestError(
      422,
      `The solve ${which}gave up after ${Number(accepted!.data[lost]) + Number(rejected!.data[lost])} steps: its state is no ` +
        "longer finite, it would take more than maxSteps, or steps would have to be smaller than numbers can tell.",
    );
  }
  const rows = reached!.data.length;
  const saves = ts.length;
  const states = (row: number, save: number) =>
    nestedRow(ys!, row * ys!.shape[1]! + save, ys!.shape.slice(2));
  const each = <T>(make: (row: number) => T): T | T[] =>
    isOne ? make(0) : Array.from({ length: rows }, (_, row) => make(row));
  return {
    ts,
    ys: Array.from({ length: saves }, (_, save) => each((row) => states(row, save))),
    y1: each((row) => nestedRow(y1!, row, y1!.shape.slice(1))),
    accepted: each((row) => Number(accepted!.data[row])),
    rejected: each((row) => Number(rejected!.data[row])),
  };
}

/** One row of a tensor as nested arrays. */
function nestedRow({ data }: Tensor, row: number, shape: readonly number[]): unknown {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const nest = (axis: number, offset: number, length: number): unknown => {
    if (axis === shape.length) return Number(data[offset]);
    const step = length / shape[axis]!;
    return Array.from({ length: shape[axis]! }, (_, i) => nest(axis + 1, offset + i * step, step));
  };
  return nest(0, row * size, size);
}
