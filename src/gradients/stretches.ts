import { emptyData, scalar, type Tensor, tensor } from "../core/tensor.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { locateDivergence, pick, upload } from "../integrate/solve.js";
import {
  arrivalsName,
  arrivingName,
  boundsName,
  cotangentName,
  firstArrivalName,
  rowsName,
  savedRowsName,
  stretchesName,
  sumName,
  timesName,
} from "../programs/backward-names.js";
import { undoEvaluations } from "../programs/gradient.js";
import { type Grid, stepsOf } from "../programs/grid.js";
import { lossName, nextName, parameterName, reconstructedName } from "../programs/names.js";
import {
  advanceProgram,
  arrivingProgram,
  finishProgram,
  joinProgram,
  reverseProgram,
  startProgram,
  undoProgram,
} from "../programs/sweep-stretches.js";
import type { DeviceTensor, DeviceTensors, Executable, Runtime } from "../runtime/runtime.js";
import {
  type Costs,
  type DifferentiatorOptions,
  evaluationsOf,
  type FixedInputs,
  fixedInputs,
  type GradientWork,
  type GridDifferentiator,
  lossSetting,
} from "./differentiator.js";
import {
  type Action,
  binomialStores,
  defaultStates,
  refreshStores,
  reversal,
  reversalCost,
  undoing,
} from "./schedule.js";

/** Which states a gradient in stretches stores on its way, and how it comes back from them. */
export interface Plan {
  /** states stored in the solve, ascending, by the number of steps before them; the k-th in slot k */
  readonly stores: readonly number[];
  readonly actions: () => Iterable<Action>;
}

/** A solve's plan by its number of steps. */
export type Planner = (steps: number) => Plan;

/** Recursive checkpointing: `states` of them stored, those between taken again. */
export function checkpointPlanner(states?: number): Planner {
  return (steps) => {
    const slots = states ?? defaultStates(steps);
    const stores = binomialStores(steps, slots);
    return { stores, actions: () => reversal(stores, steps, slots) };
  };
}

/** Reconstruction from a stored state every so many steps. */
export function refreshPlanner(every: number): Planner {
  return (steps) => {
    const stores = refreshStores(steps, every);
    return { stores, actions: () => undoing(stores) };
  };
}

/**
 * Compiles a gradient that goes in stretches of steps, stored states between them. The plan follows from the number of
 * steps of each grid; the compiled programs are the same for all of them.
 *
 * @param backward  how a stretch is gone back through
 * @throws {GradientMethodError} if the steps of the method are to be undone and cannot be
 */
export async function inStretches(
  ode: NeuralOde,
  backward: "reverse" | "undo",
  plan: Planner,
  options: DifferentiatorOptions,
): Promise<GridDifferentiator> {
  const { runtime, fit, times = false } = options;
  const setting = lossSetting(ode, options);
  const graphs = {
    start: startProgram(setting),
    advance: advanceProgram(setting),
    join: joinProgram(setting),
    loss: arrivingProgram(setting),
    back: backward === "undo" ? undoProgram(setting) : reverseProgram(setting),
    finish: finishProgram(setting),
  };
  const programs = {} as Record<keyof typeof graphs, Executable>;
  for (const [name, graph] of Object.entries(graphs)) {
    programs[name as keyof typeof graphs] = await runtime.compile(graph);
  }
  const zero = zerosFor(ode, runtime, fit.y0.shape, times ? setting.saves + 1 : null);

  async function run(trained: DeviceTensors, fixed: FixedInputs): Promise<DeviceTensors> {
    const { grid } = fixed;
    const { stores, actions } = plan(stepsOf(grid));
    const way = forwardWay(grid, stores);
    const inputs: DeviceTensors = {
      ...fixed.tensors,
      ...upload(runtime, {
        [savedRowsName]: tensor("int64", [way.savedRows.length], way.savedRows),
        [arrivalsName]: tensor("int64", [stepsOf(grid)], way.arrivals),
        [firstArrivalName]: scalar("int64", way.firstArrival),
      }),
      ...trained,
    };
    const call = (program: Executable, own: DeviceTensors) =>
      program.run(pick({ ...inputs, ...own }, program.inputs));
    const states = new States(runtime);

    states.work(handedOn(await call(programs.start, {})));
    let rows: DeviceTensor[] = [];
    for (const [s, bounds] of way.stretches.entries()) {
      const slot = stores.indexOf(bounds[0]!);
      if (slot >= 0 && s === way.stretches.findIndex(([from]) => from === bounds[0])) states.store(slot);
      const { [rowsName]: row, ...state } = await call(programs.advance, {
        ...states.working,
        ...boundsInputs(runtime, bounds),
      });
      rows.push(row!);
      states.work(handedOn(state));
    }
    const end = stores.indexOf(stepsOf(grid));
    if (end >= 0) states.store(end);
    while (rows.length > 1)
      rows = await joinPairs(rows, (first, second) => call(programs.join, { first, second }));

    const { [lossName]: loss, [arrivingName]: arriving } = await call(programs.loss, {
      [rowsName]: rows[0]!,
    });
    runtime.dispose(rows[0]!);
    let sweep: DeviceTensors = zero;
    let reconstructed: DeviceTensor | null = null;
    for (const action of actions()) {
      switch (action.kind) {
        case "store":
          states.store(action.slot);
          break;
        case "restore":
          states.restore(action.slot, action.last);
          break;
        case "advance": {
          const { [rowsName]: row, ...state } = await call(programs.advance, {
            ...states.working,
            ...boundsInputs(runtime, [action.from, action.to]),
          });
          runtime.dispose(row!);
          states.work(handedOn(state));
          break;
        }
        default: {
          const { [reconstructedName]: first, ...next } = await call(programs.back, {
            ...states.working,
            ...sweep,
            [arrivingName]: arriving!,
            ...boundsInputs(runtime, [action.from, action.to]),
          });
          if (sweep !== zero) disposeAll(runtime, sweep);
          if (reconstructed !== null) runtime.dispose(reconstructed);
          reconstructed = first ?? null;
          sweep = handedOn(next);
        }
      }
    }
    states.release();
    const gradient = await call(programs.finish, { ...sweep, [arrivingName]: arriving! });
    if (sweep !== zero) disposeAll(runtime, sweep);
    runtime.dispose(arriving!);
    return {
      [lossName]: loss!,
      ...gradient,
      ...(reconstructed === null ? {} : { [reconstructedName]: reconstructed }),
    };
  }

  const costOn = (grid: Grid) => costOf(ode, grid, backward, plan(stepsOf(grid)), times);
  return {
    ...costOn(fit.grid),
    costOn,
    fixed: (data) => fixedInputs(ode, runtime, data),
    run,
    locate: (trained, { grid, tensors }) =>
      locateDivergence(ode, runtime, setting, grid, { ...tensors, ...trained }),
    async release() {
      for (const program of Object.values(programs)) await program.release();
    },
  };
}

/** The working state and those in slots. A state that is neither any more is freed. */
class States {
  readonly #slots = new Map<number, DeviceTensors>();
  #working: DeviceTensors = {};

  constructor(readonly runtime: Runtime) {}

  get working(): DeviceTensors {
    return this.#working;
  }

  work(state: DeviceTensors): void {
    const old = this.#working;
    this.#working = state;
    if (![...this.#slots.values()].includes(old)) disposeAll(this.runtime, old);
  }

  store(slot: number): void {
    this.#slots.set(slot, this.#working);
  }

  restore(slot: number, last: boolean): void {
    const state = this.#slots.get(slot)!;
    if (state !== this.#working) this.work(state);
    if (last) this.#slots.delete(slot);
  }

  release(): void {
    this.work({});
    for (const state of this.#slots.values()) disposeAll(this.runtime, state);
    this.#slots.clear();
  }
}

/** What a run hands on, under the names that the next one takes it by. */
function handedOn(results: DeviceTensors): DeviceTensors {
  const prefix = nextName("");
  return Object.fromEntries(
    Object.entries(results).map(([name, value]) => [name.slice(prefix.length), value]),
  );
}

function disposeAll(runtime: Runtime, tensors: DeviceTensors): void {
  for (const value of Object.values(tensors)) runtime.dispose(value);
}

/** Where the solve goes: from store to store, reporting y at each save, and where those reports end up. */
interface ForwardWay {
  /** bounds of each stretch */
  readonly stretches: readonly (readonly number[])[];
  /** row of each save among the reports */
  readonly savedRows: readonly number[];
  /** row of the cotangents that arrives after each step; the row after the last, of zeros, where none does */
  readonly arrivals: readonly number[];
  readonly firstArrival: number;
}

function forwardWay({ times, offsets }: Grid, stores: readonly number[]): ForwardWay {
  const steps = times.length - 1;
  const saves = offsets.length - 1;
  const cuts = [...stores.filter((at) => at > 0 && at < steps), steps];
  const stretches: number[][] = [];
  const savedRows: number[] = [];
  const arrivals = new Array<number>(steps).fill(saves);
  let rows = 0;
  let save = 0;
  let from = 0;
  for (const to of cuts) {
    const bounds = [from];
    for (; save < saves && offsets[save + 1]! <= to; save++) {
      bounds.push(offsets[save + 1]!);
      savedRows.push(rows++);
      if (offsets[save + 1]! > 0) arrivals[offsets[save + 1]! - 1] = save;
    }
    if (bounds.at(-1) !== to) {
      bounds.push(to);
      rows++;
    }
    stretches.push(bounds);
    from = to;
  }
  return { stretches, savedRows, arrivals, firstArrival: offsets[1] === 0 ? 0 : saves };
}

/** Rows put together two by two, so that each is copied only as often as the logarithm of their number. */
async function joinPairs(
  rows: readonly DeviceTensor[],
  join: (first: DeviceTensor, second: DeviceTensor) => Promise<DeviceTensors>,
): Promise<DeviceTensor[]> {
  const joined: DeviceTensor[] = [];
  for (let i = 0; i < rows.length; i += 2) {
    const second = rows[i + 1];
    joined.push(second === undefined ? rows[i]! : (await join(rows[i]!, second))[rowsName]!);
  }
  return joined;
}

function boundsInputs(runtime: Runtime, bounds: readonly number[]): DeviceTensors {
  return upload(runtime, {
    [boundsName]: tensor("int64", [bounds.length], bounds),
    [stretchesName]: scalar("int64", bounds.length - 1),
  });
}

/** Cotangents of nothing: what goes into the first stretch backwards. */
function zerosFor(
  { field, method, dtype }: NeuralOde,
  runtime: Runtime,
  state: readonly number[],
  times: number | null,
): DeviceTensors {
  const zeros = (shape: readonly number[]): Tensor =>
    ({
      dtype,
      shape,
      data: emptyData(
        dtype,
        shape.reduce((p, d) => p * d, 1),
      ),
    }) as Tensor;
  return upload(runtime, {
    ...Object.fromEntries(Array.from({ length: method.width }, (_, k) => [cotangentName(k), zeros(state)])),
    ...Object.fromEntries(
      Object.entries(field.parameters).map(([name, { shape }]) => [
        sumName(parameterName(name)),
        zeros(shape),
      ]),
    ),
    ...(times === null ? {} : { [sumName(timesName)]: zeros([times]) }),
  });
}

function costOf(
  { method }: NeuralOde,
  grid: Grid,
  backward: "reverse" | "undo",
  { stores, actions }: Plan,
  times: boolean,
): Costs {
  const steps = stepsOf(grid);
  const { advanced, states } = reversalCost(stores, actions());
  const back = backward === "undo" ? undoEvaluations(method, times) : method.evaluations;
  const ways = forwardWay(grid, stores).stretches.length;
  const runs = [...actions()].filter(({ kind }) => kind !== "store" && kind !== "restore").length;
  const work: GradientWork = {
    forward: method.evaluations * steps,
    recomputed: method.evaluations * advanced,
    backward: back * steps,
    // the start, the loss and the end; each stretch forward, and all but one of them joined to the others
    runs: 3 + ways + (ways - 1) + runs,
  };
  return { cost: { steps, evaluations: evaluationsOf(work), storedStates: states }, work };
}
