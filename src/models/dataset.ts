import { RevortError } from "../core/errors.js";
import { showValue } from "../core/options.js";
import { Random } from "../core/random.js";
import { castTensor, type FloatDType, isFloat, numbers, showShape, type Tensor } from "../core/tensor.js";
import { joinedAlong, takenAlong } from "../train/samples.js";
import { dtypeOf, type SampleTypes, showSample } from "./model.js";

/** Data that do not fit a task. */
export class DatasetError extends RevortError {}

/** Arrays by name, each with the samples along its leading axis. */
export type Dataset = Readonly<Record<string, Tensor>>;

/**
 * The arrays that are asked for, in their types.
 *
 * @param what  names the data in messages: "The training data"
 * @throws {DatasetError} naming an array that is missing, unknown, of another shape, not finite, or not of whole numbers
 */
export function checkDataset(
  what: string,
  data: Dataset,
  types: SampleTypes,
  float: FloatDType,
): { readonly data: Dataset; readonly count: number } {
  const expected = Object.entries(types)
    .map(([name, type]) => showSample(name, type))
    .join(", ");
  const unknown = Object.keys(data).find((name) => !Object.hasOwn(types, name));
  if (unknown !== undefined) {
    throw new DatasetError(
      `${what} have an array "${unknown}" that nothing takes; these are taken: ${expected}.`,
    );
  }
  const checked: Record<string, Tensor> = {};
  let count: number | null = null;
  for (const [name, type] of Object.entries(types)) {
    const value = data[name];
    if (value === undefined) {
      throw new DatasetError(
        `${what} lack the array "${name}"; these are taken, each with the samples in front: ${expected}.`,
      );
    }
    if (!Array.isArray((value as Partial<Tensor> | null)?.shape)) {
      throw new DatasetError(
        `${what} have ${showValue(value)} for "${name}", but a tensor is taken: ${name}: fromNested("float64", [[1, 2]]).`,
      );
    }
    const [own, ...shape] = value.shape;
    if (own === undefined || shape.join() !== type.shape.join()) {
      throw new DatasetError(
        `${what} have "${name}" of shape ${showShape(value.shape)}, but [samples, ${type.shape.join(", ")}] is taken.`,
      );
    }
    count ??= own;
    if (own !== count || own === 0) {
      throw new DatasetError(
        own === 0
          ? `${what} have no samples.`
          : `${what} have ${count} samples of one array, but ${own} of "${name}".`,
      );
    }
    checkNumbers(what, name, value, type);
    checked[name] = castTensor(value, dtypeOf(type, float));
  }
  return { data: checked, count: count! };
}

function checkNumbers(
  what: string,
  name: string,
  value: Tensor,
  { type, missing = false }: SampleTypes[string],
): void {
  if (!isFloat(value.dtype)) return;
  const whole = type === "int64";
  const found = numbers(value);
  const bad = found.findIndex((x) =>
    whole ? !Number.isSafeInteger(x) : !Number.isFinite(x) && !(missing && Number.isNaN(x)),
  );
  if (bad < 0) return;
  const size = value.data.length / value.shape[0]!;
  throw new DatasetError(
    `${what} have ${found[bad]} in "${name}" of sample ${Math.floor(bad / size)}` +
      (whole && Number.isFinite(found[bad])
        ? ", but whole numbers are taken there."
        : missing
          ? ". Let what was not observed be NaN."
          : ". Leave such samples out, or give a mask beside them; where the model takes NaN as not observed, say " +
            "missing: true of that array."),
  );
}

/** Samples of a dataset, by their indices. */
export function takeSamples(data: Dataset, which: readonly number[]): Dataset {
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, takenAlong(value, 0, which)]));
}

/** Samples of several datasets of the same arrays, one after the other. */
export function joinedSamples(parts: readonly Dataset[]): Dataset {
  return Object.fromEntries(
    Object.keys(parts[0]!).map((name) => [
      name,
      joinedAlong(
        parts.map((part) => part[name]!),
        0,
      ),
    ]),
  );
}

/**
 * A dataset in parts, at random: `splitDataset(data, [0.8, 0.2])`. The same seed gives the same parts.
 *
 * @throws {DatasetError} unless the shares are positive, add up to 1 at most, and none is without a sample
 */
export function splitDataset(
  data: Dataset,
  shares: readonly number[],
  { seed = 0 }: { readonly seed?: number } = {},
): Dataset[] {
  const [first] = Object.values(data);
  const count = first?.shape[0] ?? 0;
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (shares.length === 0 || !shares.every((share) => share > 0) || total > 1 + 1e-9) {
    throw new DatasetError(
      `The shares of a split must be positive and add up to 1 at most, but [${shares}] was given.`,
    );
  }
  const order = Random.seeded(seed).permutation(count);
  let from = 0;
  let sum = 0;
  return shares.map((share) => {
    sum += share;
    const to = Math.min(count, Math.round(sum * count));
    const which = order.slice(from, to);
    from = to;
    if (which.length > 0) return takeSamples(data, which);
    throw new DatasetError(`A share of ${share} of ${count} samples is not one sample.`);
  });
}
