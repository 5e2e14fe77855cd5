import { ControlError } from "../control/control.js";
import type { Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { adaptiveProgram, launchProgram } from "../programs/adaptive.js";
import type { AdaptiveSetting } from "../programs/adaptive-setting.js";
import { locateProgram } from "../programs/locate.js";
import { parameterName } from "../programs/names.js";
import type { DeviceTensor, DeviceTensors, Executable, Runtime } from "../runtime/runtime.js";
import type { Course, Track } from "./course.js";
import { March } from "./march.js";
import { Numbers, programNames } from "./march-programs.js";

/** A compiled solve that chooses its own steps. */
export interface Driver {
  readonly setting: AdaptiveSetting;
  /** Parameters on the device, as `drive` takes them. */
  readonly upload: (parameters: Tensors) => DeviceTensors;
  /**
   * Goes from y0 to the last stop.
   *
   * @throws {SolveError} if it does not get there
   */
  readonly drive: (parameters: DeviceTensors, y0: Tensor, course: Course) => Promise<Drive>;
  readonly release: () => Promise<void>;
}

export interface Drive {
  readonly tracks: readonly Track[];
  /** the state at the end, on the device */
  readonly end: readonly DeviceTensor[];
  /** evaluations of the field by each track */
  readonly evaluations: readonly number[];
}

/** @throws {ControlError} for a method that cannot say what its error is */
export async function compileDriver(runtime: Runtime, setting: AdaptiveSetting): Promise<Driver> {
  const { method, control, events = [] } = setting;
  if (control.kind === "pid" && method.error === undefined) {
    throw new ControlError(
      `The method "${method.name}" has no error estimate, so it cannot take adaptive steps. ` +
        "Use a method with an embedded one (bosh3, dopri5, tsit5, dopri8), or constant steps.",
    );
  }
  const launching = launchProgram(setting);
  const locating = events.length === 0 ? null : locateProgram(setting);
  const launch = await runtime.compile(launching.graph);
  const locate = locating === null ? null : await runtime.compile(locating.graph);
  // a solve of one run does without
  let going: Promise<Executable> | null = null;
  const go = () => {
    going ??= runtime.compile(adaptiveProgram(setting).graph);
    return going;
  };
  const programs = {
    launch,
    go,
    locate,
    names: programNames(setting, launch.outputs),
    numbers: new Numbers(runtime),
  };
  const parameters = Object.keys(setting.field.parameters).map(
    (name) => [name, parameterName(name)] as const,
  );
  return {
    setting,
    upload(given) {
      const uploaded: Record<string, DeviceTensor> = {};
      for (const [name, input] of parameters) uploaded[input] = runtime.upload(given[name]!);
      return uploaded;
    },
    async drive(inputs, y0, course) {
      const march = new March(runtime, setting, programs, inputs, y0, course);
      const end = await march.through();
      return {
        tracks: march.tracks,
        end,
        evaluations: march.tracks.map(
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
