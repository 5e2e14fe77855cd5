import { ControlError } from "../control/control.js";
import type { Tensor } from "../core/tensor.js";
import { adaptiveProgram, launchProgram } from "../programs/adaptive.js";
import type { AdaptiveSetting } from "../programs/adaptive-setting.js";
import { locateProgram } from "../programs/locate.js";
import { type CompiledOf, compileProgram } from "../runtime/compile-program.js";
import type { DeviceTensor, DeviceTensors, Runtime } from "../runtime/runtime.js";
import { AdaptiveStepper } from "./adaptive-stepper.js";
import { Numbers, type StepperPrograms } from "./stepper-programs.js";
import type { StepperRequest, Track } from "./stepper-request.js";

/** A compiled solve that chooses its own steps. */
export interface CompiledStepper {
  readonly setting: AdaptiveSetting;
  /**
   * Goes from y0 to the last stop.
   *
   * @param parameters  by the names that the field has for them
   * @throws {SolveError} if it does not get there
   */
  readonly run: (parameters: DeviceTensors, y0: Tensor, request: StepperRequest) => Promise<StepperRun>;
  readonly release: () => Promise<void>;
}

/** What a run of a stepper has come to. */
export interface StepperRun {
  readonly tracks: readonly Track[];
  /** the state at the end, on the device */
  readonly end: readonly DeviceTensor[];
  /** evaluations of the field by each track */
  readonly evaluations: readonly number[];
}

/** @throws {ControlError} for a method that cannot say what its error is */
export async function compileStepper(runtime: Runtime, setting: AdaptiveSetting): Promise<CompiledStepper> {
  const { method, control, events = [] } = setting;
  if (control.kind === "pid" && method.error === undefined) {
    throw new ControlError(
      `The method "${method.name}" has no error estimate, so it cannot take adaptive steps. ` +
        "Use a method with an embedded one (bosh3, dopri5, tsit5, dopri8), or constant steps.",
    );
  }
  const launching = launchProgram(setting);
  const locating = events.length === 0 ? null : locateProgram(setting);
  const launch = await compileProgram(runtime, launching.program);
  const locate = locating === null ? null : await compileProgram(runtime, locating.program);
  // a solve of one run does without
  let going: Promise<CompiledOf<ReturnType<typeof adaptiveProgram>>> | null = null;
  const go = () => {
    going ??= compileProgram(runtime, adaptiveProgram(setting));
    return going;
  };
  const programs: StepperPrograms = { launch, go, locate, numbers: new Numbers(runtime) };
  return {
    setting,
    async run(parameters, y0, request) {
      const stepper = new AdaptiveStepper(runtime, setting, programs, parameters, y0, request);
      const end = await stepper.through();
      return {
        tracks: stepper.tracks,
        end,
        evaluations: stepper.tracks.map(
          ({ times, rejected, located }) =>
            launching.atStart +
            (times.length - 1 + rejected) * launching.evaluations +
            located * (locating?.evaluations ?? 0),
        ),
      };
    },
    async release() {
      await launch.release();
      await locate?.release();
      await (await going)?.release();
    },
  };
}

export { type Counting, countingFrom, stopsFor } from "./counting.js";
