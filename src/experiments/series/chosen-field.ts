import { RevortError } from "../../core/errors.js";
import { shown } from "../../core/printable.js";
import type { FloatDType } from "../../core/tensor.js";
import { componentsIn } from "../../deploy/field-file.js";
import type { VectorField } from "../../fields/field.js";
import { type ImportOptions, importedField } from "../../fields/imported.js";
import type { NetworkScaling } from "../../fields/symbolic/network-scaling.js";
import type { SymbolicField, SymbolicFieldOptions } from "../../fields/symbolic/symbolic-field.js";
import type { Model } from "../../graph/model.js";
import { equationsOf } from "../equation-columns.js";
import { driveAt, perceptron } from "./field.js";
import { medianGap, type Scale, type SeriesSet, scalesOf } from "./series-set.js";
import type { SeriesSettings } from "./settings.js";
import { timescaleOf } from "./timescale.js";

/** A field that does not fit the trajectories. */
export class SeriesFieldError extends RevortError {}

/** A field from a file, and what was said of its inputs and of what is trained. */
export interface FieldFile {
  readonly model: Model;
  readonly options: ImportOptions;
}

/** Whether `--field` names a file. */
export const isFieldFile = (field: string): boolean => /\.onnx$/i.test(field);

/** The field that trajectories are fitted by: a perceptron, equations, or one from a file. */
export function chosenField(
  set: SeriesSet,
  settings: SeriesSettings,
  scales: readonly Scale[],
  { file, dtype }: { readonly file: FieldFile | null; readonly dtype: FloatDType },
): VectorField {
  if (file !== null) return fieldFromFile(set, settings, file, dtype);
  const { series, observed, inputs } = set;
  const timescale = timescaleOf(series, scales, medianGap(series));
  if (settings.field !== null) {
    const kept = Object.entries(settings.parameters ?? {}).map(([name, { guess, low, high, unit }]) => [
      name,
      { guess, low: low ?? -Infinity, high: high ?? Infinity, unit },
    ]);
    const { field, activation } = settings;
    const parameters = Object.fromEntries(kept);
    const unseen = hiddenScales(settings, scales.length);
    return equationsOfSet(
      set,
      { text: field, parameters, activation, hidden: settings.hidden },
      {
        shift: [...scales.map(({ mean }) => mean), ...unseen.map(() => 0)],
        scale: [...scales.map(({ deviation }) => deviation), ...unseen],
        time: timescale,
      },
    );
  }
  const times = series.flatMap((one) => [one.times[0]!, one.times.at(-1)!]);
  const unknown = Array.from({ length: settings.hidden }, (_, i) => `hidden${i + 1}`);
  return perceptron({
    components: [...observed, ...unknown],
    ...{ hidden: settings.widths, activation: settings.activation, time: settings.seesTime },
    scales: [...scales, ...unknown.map(() => ({ mean: 0, deviation: 1 }))],
    inputs: scalesOf(
      series.flatMap((one) => one.inputs),
      inputs.length,
    ),
    span: [Math.min(...times), Math.max(...times)],
    timescale,
  });
}

interface SetEquations extends Pick<SymbolicFieldOptions, "parameters" | "activation"> {
  readonly text: string;
  /** states without a column */
  readonly hidden: number;
}

/** Equations of trajectories, driven by their inputs. @throws {EquationColumnsError | EquationError | OptionError} */
export function equationsOfSet(
  { observed, inputs, time }: SeriesSet,
  { text, hidden, ...options }: SetEquations,
  scaling: NetworkScaling,
): SymbolicField {
  const driving = inputs.length === 0 ? {} : { inputs: { columns: inputs, at: driveAt } };
  return equationsOf(
    text,
    { ...{ states: observed, hidden, time: time.name, scaling }, ...driving },
    options,
  );
}

/** Typical sizes of the states of equations that were not observed: those of their initial values; none where all were observed. */
export function hiddenScales(
  { hidden, startStates }: Pick<SeriesSettings, "hidden" | "startStates">,
  observed: number,
): number[] {
  const known = (startStates ?? []).filter((state) => state !== null);
  return Array.from({ length: hidden }, (_, k) => {
    const sum = known.reduce((all, state) => all + Math.abs(state[observed + k]!) / known.length, 0);
    return sum || 1;
  });
}

function fieldFromFile(
  { observed }: SeriesSet,
  { hidden }: SeriesSettings,
  file: FieldFile,
  float: FloatDType,
) {
  const { model, options } = file;
  const field = importedField(model, { ...options, float });
  const [batch, dim] = field.state;
  const wanted = observed.length + hidden;
  checkOrder(model, observed);
  if (field.state.length === 2 && typeof batch === "string" && dim === wanted) {
    return {
      ...field,
      components: [...observed, ...Array.from({ length: hidden }, (_, i) => `hidden${i + 1}`)],
    };
  }
  throw new SeriesFieldError(
    `${model.source} has states [${field.state.join(", ")}], but trajectories of ${observed.map(shown).join(", ")}` +
      `${hidden === 0 ? "" : ` with ${hidden} hidden`} need [batch, ${wanted}]. Choose the columns with --observe, in the order of the ` +
      "states, or export the field with a batch axis.",
  );
}

/** @throws {SeriesFieldError} where the file has the names of the columns in another order: equations would get each other's columns */
function checkOrder(model: Model, observed: readonly string[]): void {
  const own = componentsIn(model.metadata)?.slice(0, observed.length) ?? observed;
  const isSame = own.every((name) => observed.includes(name)) && observed.every((name) => own.includes(name));
  if (!isSame || own.every((name, i) => name === observed[i])) return;
  throw new SeriesFieldError(
    `${model.source} has the components ${own.join(", ")}, but the data have them as ${observed.join(", ")}. ` +
      `Put them into the order of the file: --observe ${own.join(",")}.`,
  );
}
