import type { FieldMetadata } from "../deploy/field-file.js";
import type { Experiment } from "./experiment.js";

/** What the files of a field say of the experiment that it was trained by. */
export function metadataOf({ time, unit, name }: Pick<Experiment, "time" | "unit" | "name">): FieldMetadata {
  return { units: { time: time.unit, state: unit }, trainedOn: name };
}
