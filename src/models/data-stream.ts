import { RevortError } from "../core/errors.js";
import type { FloatDType } from "../core/tensor.js";
import type { SamplerState } from "../train/batches.js";
import type { Source } from "../train/source.js";
import { checkDataset, type Dataset, DatasetError, joinedSamples, takeSamples } from "./dataset.js";
import type { SampleTypes } from "./model.js";

type Pieces = AsyncIterable<Dataset> | Iterable<Dataset>;

/**
 * Data that come when they are needed, for as many as do not fit in memory: pieces of any number of samples, arrays by name
 * with the samples in front, in the order in which they are to be taken. A function is told how many samples a run that is
 * gone on with has used, and starts after those; of what does not let itself be told, so many are passed over.
 */
export type DataStream = Pieces | ((used: number) => Pieces);

/** Whether data come in pieces. */
export function isStream(data: unknown): data is DataStream {
  if (typeof data === "function") return true;
  return (
    typeof data === "object" && data !== null && (Symbol.asyncIterator in data || Symbol.iterator in data)
  );
}

export interface StreamOptions {
  readonly types: SampleTypes;
  readonly dtype: FloatDType;
  readonly batchSize: number;
  /** where it goes on */
  readonly start: SamplerState | undefined;
}

/** Nothing is drawn at random. */
const notDrawn = [0, 0, 0, 0] as const;

/**
 * Batches of a stream; what does not fill one at its end is left out.
 *
 * @throws {RevortError} if the run to go on from was on data that were all there, and in place of a first batch
 *   {DatasetError} if there are not so many samples
 */
export function streamed(data: DataStream, { types, dtype, batchSize, start }: StreamOptions): Source {
  if (start !== undefined && start.order.length > 0) {
    throw new RevortError(
      `The run to go on from was on ${start.order.length} samples that were all there, but a stream is given. Give the same data.`,
    );
  }
  let used = start?.position ?? 0;
  const pieces = openedAt(data, used);
  // what is there of the stream, and how much of it is used
  let held: Dataset | null = null;
  let [from, count] = [0, 0];
  let piece = 0;
  let ended = false;

  /** Takes another piece of the stream. */
  const more = async () => {
    const next = await pieces.next();
    if (next.done === true) {
      ended = true;
      return;
    }
    piece += 1;
    const found = checkDataset(`Piece ${piece} of the training data`, next.value, types, dtype);
    const rest = held === null || from === count ? [] : [takeSamples(held, between(from, count))];
    held = rest.length === 0 ? found.data : joinedSamples([...rest, found.data]);
    [from, count] = [0, count - from + found.count];
  };

  return {
    async next() {
      while (count - from < batchSize && !ended) await more();
      if (count - from < batchSize && used > 0) return null;
      if (count - from < batchSize) {
        throw new DatasetError(
          `The stream of training data ends after ${count} samples, but a batch takes ${batchSize}. Give more, or a smaller ` +
            "batchSize.",
        );
      }
      const data = { data: takeSamples(held!, between(from, from + batchSize)) };
      from += batchSize;
      used += batchSize;
      return { which: between(0, batchSize), data };
    },
    state: () => ({ random: [...notDrawn], order: [], position: used }),
    async close() {
      await pieces.return?.();
    },
  };
}

/** Indices from the first to the one before the last. */
function between(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** The pieces of a stream after so many samples. */
function openedAt(data: DataStream, used: number): AsyncIterator<Dataset> | Iterator<Dataset> {
  if (typeof data === "function") return iteratorOf(data(used));
  return used === 0 ? iteratorOf(data) : passedOver(data, used);
}

function iteratorOf(pieces: Pieces): AsyncIterator<Dataset> | Iterator<Dataset> {
  if (Symbol.asyncIterator in pieces) return pieces[Symbol.asyncIterator]();
  if (Symbol.iterator in pieces) return pieces[Symbol.iterator]();
  throw new DatasetError(
    "A stream of training data must be an iterable of pieces, or a function of the number of samples used that returns one.",
  );
}

async function* passedOver(pieces: Pieces, samples: number): AsyncGenerator<Dataset> {
  let left = samples;
  for await (const piece of pieces) {
    const own = Object.values(piece)[0]?.shape[0] ?? 0;
    if (own <= left) {
      left -= own;
      continue;
    }
    yield left === 0 ? piece : takeSamples(piece, between(left, own));
    left = 0;
  }
}
