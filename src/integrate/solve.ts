import { type Control, constantStep, pid } from "../control/control.js";
import { ShapeError, showShape } from "../core/tensor.js";
import { withinSteps } from "../events/event.js";
import { checkBetween, checkTimes, type Grid, gridThrough, TimeError } from "../programs/grid.js";
import { countingFrom, givenGrid } from "./counting.js";
import { chooseCoupling, recoupled } from "./coupling.js";
import type { CouplingChoice } from "./coupling-choice.js";
import type { NeuralOde } from "./neural-ode.js";
import { solveOnGrid } from "./on-grid.js";
import { type CheckedRequest, checkLimits, type SolveEachOptions, type SolveOptions } from "./request.js";
import { checkResolution, largestStep } from "./resolution.js";
import type { Span } from "./saves.js";
import type { Solution } from "./solution.js";
import { checkParameters, checkState } from "./solve-inputs.js";
import { solveTracks } from "./tracks.js";

/**
 * Solves dy/dt = f(t, y; θ), y(t0) = y0, forwards or backwards in time.
 *
 * Without a control, steps are of at most `ode.stepSize` and hit every save time; where the equation has no step size,
 * they are chosen by the method's estimate of its error, as {@link pid} does by default. Steps that are chosen are counted
 * from t0 in float32, so that a field which does not depend on t is solved as exactly far from 0 as near it. One that does
 * is told t in float32: where its steps are lost in that, the solve is refused, and where they are hardly longer, that is a
 * warning.
 *
 * @throws {TimeError} for times out of order, or that the field could not tell apart in its dtype
 * @throws {ControlError} for a control that the method cannot follow
 * @throws {ShapeError} if y0 is no state of the field
 * @throws {ParameterError} for parameters that do not fit the field
 * @throws {SolveError} if the solve does not get to its end, naming time, step and size of y; with `strict`, also if
 *   the solution is unreliable
 */
export async function solve(ode: NeuralOde, options: SolveOptions): Promise<Solution> {
  const { saveAt, t1, jumps = [] } = options;
  const request = check(ode, options, [{ t0: options.t0, saveAt: savesOf(saveAt, t1), jumps }]);
  if (options.coupling === undefined) return solveChecked(ode, request);
  const choice = await couplingFor(ode, options);
  const solution = await solveChecked({ ...ode, method: recoupled(ode.method, choice.coupling) }, request);
  return { ...solution, coupling: choice };
}

/**
 * λ for a solve: what `coupling: "auto"` takes for it.
 *
 * @throws as {@link solve} does, where the base method does not get to the end
 */
export function couplingFor(ode: NeuralOde, options: SolveOptions): Promise<CouplingChoice> {
  const { runtime, saveAt, t0, t1, jumps = [] } = options;
  const request = check(ode, options, [{ t0, saveAt: savesOf(saveAt, t1), jumps }]);
  return chooseCoupling(ode, runtime, request, (plain, times) =>
    solveChecked(plain, {
      ...request,
      options: {
        ...options,
        save: "interpolated",
        strict: false,
        checkReconstruction: false,
        checkStability: false,
      },
      spans: [{ t0, saveAt: times, jumps }],
    }),
  );
}

/**
 * Solves for each trajectory of a batch by itself: with its own steps, accepted and rejected by its own error, and its
 * own times, as if it were alone; but all of them in one graph, so that a step of all costs one evaluation of the
 * field on the batch.
 *
 * The field sees a time for each trajectory, of shape [batch, 1, …]. One that takes only a scalar is evaluated for one
 * trajectory after the other, which is slower.
 *
 * @returns a solution for each trajectory, with states of shape [1, …]
 * @throws as {@link solve} does; the errors of a solve say which trajectory failed
 */
export async function solveEach(ode: NeuralOde, options: SolveEachOptions): Promise<Solution[]> {
  const { t0, t1, saveAt, jumps = [], ...rest } = options;
  const [batch] = checkState(ode, options.y0).shape;
  if (batch === undefined || typeof ode.field.state[0] !== "string") {
    throw new ShapeError(
      `The field "${ode.field.name}" has states of shape ${showShape(ode.field.state)}, without a batch of trajectories.`,
    );
  }
  const list = <T>(name: string, given: readonly T[]): readonly T[] => {
    if (given.length === batch) return given;
    throw new TimeError(`There are ${batch} trajectories, but ${name} is given for ${given.length}.`);
  };
  const starts = typeof t0 === "number" ? new Array<number>(batch).fill(t0) : list("t0", t0);
  const ends = typeof t1 === "number" || t1 === undefined ? new Array(batch).fill(t1) : list("t1", t1);
  const saves =
    saveAt !== undefined && Array.isArray(saveAt[0])
      ? list("saveAt", saveAt as readonly (readonly number[])[])
      : new Array<readonly number[] | undefined>(batch).fill(saveAt as readonly number[] | undefined);
  const spans = starts.map((start, i) => ({ t0: start, saveAt: savesOf(saves[i], ends[i]), jumps }));
  return solveTracks(ode, check(ode, rest, spans), "sample");
}

async function solveChecked(ode: NeuralOde, request: CheckedRequest): Promise<Solution> {
  const { save = "hit", jumps = [], events = [] } = request.options;
  const known = save === "hit" && jumps.length === 0 && events.length === 0;
  const grid = known ? gridOf(ode, request) : null;
  return grid === null ? (await solveTracks(ode, request, "batch"))[0]! : solveOnGrid(ode, request, grid);
}

function check(ode: NeuralOde, options: CheckedRequest["options"], spans: readonly Span[]): CheckedRequest {
  const control = withinSteps(options.control ?? ownSteps(ode), options.events ?? []);
  const request = {
    options,
    parameters: checkParameters(ode.field, options.parameters ?? {}, ode),
    y0: checkState(ode, options.y0),
    spans,
    control,
  };
  checkLimits(options);
  for (const { t0, saveAt } of spans) {
    checkTimes(t0, saveAt);
    const way = { t0, end: saveAt.at(-1)! };
    checkResolution(ode, way, largestStep(control, way));
  }
  if (control.kind === "times") checkGiven(ode, spans, control.times);
  return request;
}

/**
 * The steps that an equation comes with: of its size, or, where it has none, by the estimated error to 1e−6.
 *
 * @throws {TimeError} where there is neither
 */
export function ownSteps({ stepSize, method }: Pick<NeuralOde, "stepSize" | "method">): Control {
  if (stepSize < Number.POSITIVE_INFINITY) return constantStep(stepSize);
  if (method.error !== undefined) return pid();
  throw new TimeError(
    `There is no step size, and the method "${method.name}" does not estimate its error to choose one. ` +
      "Give neuralOde a stepSize, or the solve a control (constantStep, givenTimes), or use a method that does (tsit5).",
  );
}

function savesOf(saveAt: readonly number[] | undefined, t1: number | undefined): readonly number[] {
  if ((saveAt === undefined) === (t1 === undefined)) {
    throw new TimeError(
      "Give either the times to save at (saveAt) or the time to stop at (t1), one of both.",
    );
  }
  return saveAt ?? [t1!];
}

/**
 * Given times go one way, and each is of a trajectory at least. Those of a solve in float32 may be off by the rounding of
 * its end.
 *
 * @throws {TimeError} naming the time that is not
 */
function checkGiven({ dtype }: NeuralOde, spans: readonly Span[], times: readonly number[]): void {
  const [{ t0, saveAt }] = spans as [Span];
  if (spans.length === 1) {
    const counting = countingFrom(dtype, t0);
    const end = saveAt.at(-1)!;
    checkBetween(
      t0,
      end,
      times.map((time) => (counting.of(time) === counting.of(end) ? end : time)),
    );
    return;
  }
  const direction = Math.sign(saveAt.at(-1)! - t0) || 1;
  const starts = spans.map((span) => span.t0 * direction);
  const ends = spans.map((span) => span.saveAt.at(-1)! * direction);
  checkBetween(Math.min(...starts) * direction, Math.max(...ends) * direction, times);
}

/** The grid of a solve whose steps are known beforehand; `null` if they are not. */
function gridOf({ dtype }: NeuralOde, { control, spans: [span] }: CheckedRequest): Grid | null {
  const { t0, saveAt } = span!;
  if (control.kind === "pid") return null;
  if (control.kind === "constant") return gridThrough(t0, saveAt, control.stepSize);
  return givenGrid(dtype, t0, saveAt, control.times);
}

export { locateDivergence } from "./divergence.js";
export { DivergenceError } from "./failures.js";
export type { SolveEachOptions, SolveOptions } from "./request.js";
export type { Solution, SolveStats } from "./solution.js";
export {
  checkParameters,
  checkState,
  named,
  ParameterError,
  pick,
  settingOf,
  upload,
} from "./solve-inputs.js";
