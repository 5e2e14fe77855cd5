import { withoutRegions } from "../autodiff/region.js";
import { type Branch, leavesOf, partOf, withLeaves } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import type { Dim, Value, ValueType } from "../graph/graph.js";
import { add } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { zeros } from "../ops/linalg.js";
import { less, where } from "../ops/logic.js";
import { cast, shapeOf, unsqueeze } from "../ops/reshape.js";
import { scatterND } from "../ops/scatter.js";
import { gather } from "../ops/slicing.js";
import {
  type AnyObjective,
  batchSizeOf,
  type Observed,
  observations,
  takenFrom,
  typesOf,
} from "./objective.js";
import { inputType, type Program, programOf } from "./program.js";
import { memoryOf, type UpdateSetting, update } from "./update.js";

// Programs of an objective: its gradient, one update, many updates in a run.

export interface UpdatesSetting extends Omit<UpdateSetting, "dtype"> {
  readonly objective: AnyObjective;
  /** how many samples go in, of which each update takes a batch by their indices; `null` where it takes all, as they are */
  readonly samples: Dim | null;
}

/** What updates change, as trees of one kind of leaves. */
export interface Changing {
  readonly trained: Branch;
  readonly buffers: Branch;
  readonly memory: Branch;
}

/** The names of what many updates report: a number of each. */
export function reportNames({ observes }: Pick<AnyObjective, "observes">): string[] {
  return ["losses", "gradientNorms", ...observes.map((name) => observations[name].many)];
}

/** What one of them reports, in the order of {@link reportNames}. */
function reportOf({ observes }: AnyObjective, { loss, norm, observed }: Updated): Value[] {
  return [loss, norm, ...observes.map((name) => observed[name]!)];
}

/** The types of what updates change. */
export function changingTypes({ objective, optimiser }: UpdatesSetting): Changing {
  const { trained, buffers } = objective;
  return { trained, buffers, memory: memoryOf(optimiser, trained) };
}

/** The type of the number of an update: whole where random numbers are counted by it. */
export function countType({ draws, dtype }: Pick<AnyObjective, "draws" | "dtype">): ValueType {
  return inputType(draws ? "int64" : dtype, []);
}

/** What changes, by the names that files have for it. */
export const written = ({ trained, buffers, memory }: Changing): Branch => ({
  ...trained,
  ...buffers,
  memory,
});

/** What changes among what goes into a program, or comes out. */
export function readFrom(types: Changing, tree: Branch): Changing {
  return {
    trained: partOf(tree, types.trained),
    buffers: partOf(tree, types.buffers),
    memory: tree.memory as Branch,
  };
}

/** Data and setup, of as many samples as go in. */
function givenTypes({ objective, samples }: UpdatesSetting): Branch {
  const data: Branch = samples === null ? objective.data : typesOf(objective.data, samples);
  return { ...data, ...objective.setup };
}

/** The indices of the samples that so many updates take; nothing where each takes all of them. */
function batchesType({ objective, samples }: UpdatesSetting, updates: readonly Dim[]): Branch {
  if (samples === null) return {};
  return { batches: inputType("int64", [...updates, batchSizeOf(objective)!]) };
}

/**
 * The graph of one update: solve, loss, the way back, and what the optimiser makes of it. What is trained, the memory,
 * learning rate, number of the update (from 1) and the data go in; `next/…` comes out, with the loss before the update, the
 * norm of its gradient, and what it saw of itself.
 */
export function updateStepProgram(setting: UpdatesSetting): Program<Branch, Branch> {
  const { objective } = setting;
  const types = changingTypes(setting);
  const inputs: Branch = {
    ...written(types),
    learningRate: inputType(objective.dtype, []),
    count: countType(objective),
    ...givenTypes(setting),
    ...batchesType(setting, []),
  };
  return standard(
    programOf("trainStep", inputs, (b, values): Branch => {
      const { count, learningRate, batches = null } = values as Record<string, Value>;
      const { next, loss, norm, observed } = oneUpdate(b, setting, values, {
        ...{ before: readFrom(types, values), which: batches, learningRate: learningRate!, count: count! },
      });
      return {
        ...{ loss, gradientNorm: norm },
        ...Object.fromEntries(objective.observes.map((name) => [observations[name].one, observed[name]!])),
        next: { ...written(next), count: add(b, count!, one(b, count!)) },
      };
    }),
  );
}

/**
 * The graph of as many updates as there are learning rates, in a loop: the same as {@link updateStepProgram}, with a
 * learning rate and a row of samples for each, and a loss and a gradient norm of each.
 */
export function updateStepsProgram(setting: UpdatesSetting): Program<Branch, Branch> {
  const { objective } = setting;
  const types = changingTypes(setting);
  const reports = reportNames(objective);
  const inputs: Branch = {
    ...written(types),
    learningRates: inputType(objective.dtype, ["updates"]),
    count: countType(objective),
    ...givenTypes(setting),
    ...batchesType(setting, ["updates"]),
  };
  return standard(
    programOf("trainSteps", inputs, (b, values): Branch => {
      const { count, learningRates } = values as Record<string, Value>;
      const trips = gather(b, shapeOf(b, learningRates!), 0);
      const start = readFrom(types, values);
      const { carried, scans } = loop(
        b,
        { trips, carried: leavesOf<Value>(start), length: "updates" },
        (inner, i, state) => {
          const done = nthUpdate(inner, setting, values, withLeaves(start, state), i);
          return { carried: leavesOf(done.next), scans: reportOf(objective, done) };
        },
      );
      return {
        ...Object.fromEntries(reports.map((name, k) => [name, scans[k]!])),
        next: {
          ...written(withLeaves(start, carried)),
          count: add(b, count!, cast(b, trips, count!.dtype)),
        },
      };
    }),
  );
}

/** What is kept of updates, beside what the last of them leaves. */
export interface Keeping {
  /** how many updates one run can do */
  readonly capacity: number;
  /** whether what was trained when the loss was lowest is kept */
  readonly best: boolean;
}

/**
 * The same for a loop on the host. How many updates to do, of `capacity` at most, is an input, so that a graph compiled once
 * serves any number.
 */
export function updatesProgram(
  setting: UpdatesSetting,
  { capacity, best: keepsBest }: Keeping,
): Program<Branch, Branch> {
  const { objective } = setting;
  const { dtype } = objective;
  const types = changingTypes(setting);
  const reports = reportNames(objective);
  const inputs: Branch = {
    ...written(types),
    ...(keepsBest ? { best: types.trained, bestLoss: inputType(dtype, []) } : {}),
    updates: inputType("int64", []),
    learningRates: inputType(dtype, [capacity]),
    count: countType(objective),
    ...givenTypes(setting),
    ...batchesType(setting, [capacity]),
  };
  return standard(
    programOf("updates", inputs, (b, values): Branch => {
      const nothing = zeros(b, dtype, [capacity]);
      const lowest = { best: values.best ?? {}, bestLoss: values.bestLoss ?? null } as Lowest;
      const start = {
        changing: readFrom(types, values),
        lowest: keepsBest ? lowest : null,
        lists: reports.map(() => nothing),
      };
      const { carried } = loop(
        b,
        { trips: values.updates as Value, carried: leavesOf<Value>(start), length: "updates" },
        (inner, i, state) => {
          const before = withLeaves(start, state) as unknown as typeof start;
          const done = nthUpdate(inner, setting, values, before.changing, i);
          const put = (list: Value, value: Value) =>
            scatterND(inner, list, unsqueeze(inner, i, [0, 1]), unsqueeze(inner, value, [0]));
          const after: typeof start = {
            changing: done.next,
            lowest: before.lowest && lower(inner, before.lowest, done.loss, before.changing.trained),
            lists: reportOf(objective, done).map((value, k) => put(before.lists[k]!, value)),
          };
          return { carried: leavesOf(after) };
        },
      );
      const after = withLeaves(start, carried) as unknown as typeof start;
      return {
        ...Object.fromEntries(reports.map((name, k) => [name, after.lists[k]!])),
        next: { ...written(after.changing), ...after.lowest },
      };
    }),
  );
}

interface Lowest extends Branch {
  /** what was trained */
  readonly best: Branch;
  readonly bestLoss: Value;
}

/** What had the lowest loss, after another was seen. */
function lower(b: Builder, { best, bestLoss }: Lowest, loss: Value, trained: Branch): Lowest {
  const isLower = less(b, loss, bestLoss);
  const now = leavesOf<Value>(trained);
  const kept = leavesOf<Value>(best).map((value, k) => where(b, isLower, now[k]!, value));
  return { best: withLeaves(best, kept), bestLoss: where(b, isLower, loss, bestLoss) };
}

/** The i-th update of a run, from what goes into all of it. */
function nthUpdate(b: Builder, setting: UpdatesSetting, values: Branch, before: Changing, i: Value): Updated {
  const { count, learningRates, batches } = values as Record<string, Value>;
  return oneUpdate(b, setting, values, {
    before,
    which: batches === undefined ? null : gather(b, batches, i),
    learningRate: gather(b, learningRates!, i),
    count: add(b, count!, cast(b, i, count!.dtype)),
  });
}

interface UpdateGiven {
  readonly before: Changing;
  /** the samples of this update, where they are not all there are */
  readonly which: Value | null;
  readonly learningRate: Value;
  readonly count: Value;
}

interface Updated {
  readonly next: Changing;
  readonly loss: Value;
  readonly norm: Value;
  readonly observed: Observed<Value>;
}

/** One update, inside a graph. @param values  data and setup, among others */
function oneUpdate(
  b: Builder,
  { objective, optimiser, clip }: UpdatesSetting,
  values: Branch,
  { before, which, learningRate, count }: UpdateGiven,
): Updated {
  const { trained, memory } = before;
  const all = partOf(values, objective.data);
  const found = objective.descent(b, {
    trained,
    buffers: before.buffers,
    data: which === null ? all : takenFrom(b, objective.data, all, which),
    setup: partOf(values, objective.setup),
    batch: count,
  });
  const { dtype } = objective;
  const { gradients, loss, observed } = found;
  const next = update(
    b,
    { optimiser, dtype, clip },
    {
      ...{ trained, memory, gradients, learningRate },
      count: cast(b, count, dtype),
    },
  );
  return {
    next: { trained: next.trained, buffers: found.buffers, memory: next.memory },
    ...{ loss, norm: next.norm, observed },
  };
}

function one(b: Builder, like: Value): Value {
  return like.dtype === "int64" ? b.scalar("int64", 1n) : b.scalar(like.dtype, 1);
}

/** A program of standard operators alone. */
export function standard<In, Out>(program: Program<In, Out>): Program<In, Out> {
  return { ...program, graph: withoutRegions(program.graph) };
}
