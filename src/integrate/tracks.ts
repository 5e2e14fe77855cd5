import type { Sharing } from "../control/norm.js";
import { sizeOf, type Tensor, tensor } from "../core/tensor.js";
import { isReversible } from "../methods/method.js";
import { chainsStops } from "../programs/adaptive-setting.js";
import { perTrajectory } from "../programs/per-trajectory.js";
import { uploadTree } from "../runtime/compile-program.js";
import { compileStepper } from "./compiled-stepper.js";
import type { Row } from "./dense-solution.js";
import { relative, withDiagnostics } from "./diagnostics.js";
import { checkSolveMemory } from "./memory.js";
import type { NeuralOde } from "./neural-ode.js";
import { reconstructionError } from "./reconstruction.js";
import { type CheckedRequest, usualMaxSteps } from "./request.js";
import { planSaves } from "./saves.js";
import type { Solution } from "./solution.js";

/** A solve that chooses its steps, or records what lies between saves: one solution per track. */
export async function solveTracks(
  ode: NeuralOde,
  request: CheckedRequest,
  sharing: Sharing,
): Promise<Solution[]> {
  const { options, parameters, y0, spans, control } = request;
  const { runtime, save = "hit", checkReconstruction = false } = options;
  const { maxSteps = usualMaxSteps, signal, events = [], eventTolerance } = options;
  const { method, dtype } = ode;
  const own = sharing === "batch" ? y0.shape : [1, ...y0.shape.slice(1)];
  const saves = spans.reduce((most, { saveAt }) => Math.max(most, saveAt.length), 0);
  checkSolveMemory(ode, runtime, { state: y0.shape, steps: null, saves });
  const rowsOf = (all: Tensor): Tensor[] => {
    const size = sizeOf(own);
    return spans.map((_, i) => tensor(dtype, own, (all.data as Row).slice(i * size, (i + 1) * size)));
  };
  const starts = rowsOf(y0);
  const hits = control.kind === "times" ? control.times : [];
  const plan = planSaves(
    save,
    hits.length === 0 ? spans : spans.map((span) => ({ ...span, hits })),
    starts.map(({ data }) => data as Row),
    own,
    dtype,
    events,
  );
  const { record } = plan;
  const chained = plan.stops[0]!.length > 1 && chainsStops({ state: y0.shape, dtype, record });
  // programs do not depend on given times and tolerances, which are inputs
  const { rtol, atol, ...others } = control.kind === "pid" ? control : { rtol: 0, atol: 0, ...control };
  const settings = control.kind === "times" ? [control.kind] : Object.values(others);
  const key = [runtime, ode.field, method, dtype, sharing, record, chained, y0.shape.join(), ...settings];
  const make = () =>
    compileStepper(runtime, {
      field: sharing === "sample" ? perTrajectory(ode.field, dtype, y0.shape) : ode.field,
      ...{ method, dtype, state: y0.shape, sharing, record, chained, events, control },
    });
  return ode.cache.use([...key, ...events], make, async (stepper) => {
    const { tracks, end, evaluations } = await stepper.run(uploadTree(runtime, parameters), y0, {
      t0: plan.t0,
      stops: plan.stops,
      wanted: plan.wanted,
      onStop: plan.onStop,
      onStep: plan.onStep,
      onEvent: plan.onEvent,
      tolerances: { rtol, atol },
      maxSteps,
      signal,
      eventTolerance,
    });
    const undoes = checkReconstruction && isReversible(method);
    const ends = undoes
      ? await Promise.all(end.map(async (part) => rowsOf(await runtime.download(part))))
      : [];
    const solutions: Solution[] = [];
    for (const [i, saved] of plan.solutions(tracks).entries()) {
      const { times, rejected, drift, size } = tracks[i]!;
      const accepted = times.length - 1;
      const stats = {
        steps: accepted + rejected,
        accepted,
        rejected,
        evaluations: evaluations[i]!,
        drift: method.companion === undefined ? null : relative(drift, size),
        reconstructionError: undoes
          ? await reconstructionError(
              ...([ode, runtime, saved.grid, parameters, starts[i]!] as const),
              ends.map((rows) => rows[i]!).map(runtime.upload),
            )
          : null,
      };
      const { ts, ys, grid, placement, dense, events: happened } = saved;
      const found = { ts, ys, grid, placement, dense, events: happened, stats, size };
      solutions.push(await withDiagnostics(ode, request, found));
    }
    return solutions;
  });
}
