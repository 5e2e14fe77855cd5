import { type Control, type ControllerName, controllers, pid } from "../control/control.js";
import { UsageError } from "./usage.js";

export const controllerNames = ["constant", ...(Object.keys(controllers) as ControllerName[])] as const;

/** How steps are chosen, as the command line has it. */
export interface ControlOptions {
  readonly rtol?: number;
  readonly atol?: number;
  readonly dt0?: number;
  readonly dtmin?: number;
  readonly controller?: (typeof controllerNames)[number];
  /** of an experiment's protocol: how far y and its companion may be apart, in units of the tolerance */
  readonly driftTolerance?: number;
  readonly stepSize?: number;
}

/** Whether the steps are chosen by an estimated error. */
export function isAdaptive({ rtol, atol, dt0, dtmin, controller }: ControlOptions): boolean {
  return (
    [rtol, atol, dt0, dtmin].some((value) => value !== undefined) || (controller ?? "constant") !== "constant"
  );
}

/**
 * The control that options ask for: by an estimated error as soon as a tolerance, a first step or a controller is
 * given, with --step-size as the largest step; otherwise steps of --step-size (`null`).
 *
 * @throws {UsageError} for options that contradict each other
 * @throws {ControlError} for numbers that make no sense
 */
export function controlOf(options: ControlOptions): Control | null {
  if (!isAdaptive(options)) return null;
  // what else there is among the options of a command is none of the control's
  const { controller = "i", stepSize, rtol, atol, dt0, dtmin, driftTolerance } = options;
  if (controller === "constant") {
    throw new UsageError("--controller constant takes --step-size, not --rtol, --atol, --dt0 or --dtmin.");
  }
  const given = Object.fromEntries(
    Object.entries({ rtol, atol, dt0, dtmin, driftTolerance }).filter(([, value]) => value !== undefined),
  );
  return pid({
    ...given,
    ...controllers[controller],
    ...(stepSize === undefined ? {} : { dtmax: stepSize }),
  });
}
