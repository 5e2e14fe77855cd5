import { type Dataset, takeSamples } from "../models/dataset.js";
import { evaluate } from "../models/measuring.js";
import type { StepCheck } from "./series/step-check.js";
import type { PreparedTask, TrainedTask } from "./task-experiment.js";

// What is trained is a loss by some steps. Whether it is that of the differential equation as well, shorter steps tell.

/** How many times shorter the steps of the check are; the error of a method of order 2 is then a sixteenth. */
export const finer = 4;
/** Samples that it is tried on, at most. */
const most = 256;
/**
 * Change of the loss that makes it another: more than a tenth of it, and more than this share of what training gained, which of
 * squares is a twentieth of the distance that there was at first.
 */
const [ofLoss, ofGain] = [0.1, 0.0025];

/** How far a loss moved in training. */
export interface Gain {
  readonly first: number | null;
  readonly last: number | null;
}

/**
 * The loss of trained parameters by the steps that trained them, and by shorter ones: of the test data, or of those that were
 * trained on, where there are no others.
 *
 * @param prepared  by the steps that it was trained with
 * @param short  the same by steps that are `finer` times as short
 * @param stepSize  of the training
 */
export async function finerCheck(
  { prepared, short }: { readonly prepared: PreparedTask; readonly short: PreparedTask },
  stepSize: number,
  { first, last }: Gain,
  trained: TrainedTask,
): Promise<StepCheck> {
  // of the same data
  const data = some(prepared.test ?? prepared.training);
  const lossOf = async ({ task, test, measured }: PreparedTask) =>
    (await evaluate(test === null ? task : (measured ?? task), data, trained)).loss;
  const [trainedLoss, loss] = [await lossOf(prepared), await lossOf(short)];
  const change = Math.abs(loss - trainedLoss);
  const gain = first === null || last === null ? 0 : Math.abs(first - last);
  // a comparison that NaN must not pass
  const isSame = change <= ofLoss * Math.abs(trainedLoss) || change <= ofGain * gain;
  const warning = isSame
    ? null
    : `The model depends on the steps of its solver: with steps ${finer} times as short, the loss of the ` +
      `${prepared.test === null ? "training" : "test"} data is ${loss.toPrecision(3)} in place of ${trainedLoss.toPrecision(3)}. ` +
      "Predictions and exported models take the steps of the training; another solver, or a field.onnx by itself, gives the first. " +
      `If that matters, take a smaller --step-size than ${stepSize}, a --solver of higher order, or a lower --learning-rate.`;
  return { trainedLoss, loss, distance: null, warning };
}

/** So many samples, evenly spread, since data may be in an order. */
function some(data: Dataset): Dataset {
  const count = Object.values(data)[0]!.shape[0]!;
  if (count <= most) return data;
  return takeSamples(
    data,
    Array.from({ length: most }, (_, i) => Math.floor((i * count) / most)),
  );
}
