import { encodeField } from "../../deploy/field-file.js";
import { encodePrediction } from "../../deploy/model-file.js";
import { neuralOde } from "../../integrate/neural-ode.js";
import { defineModel } from "../../models/model.js";
import { drivenBy } from "../../models/own-steps.js";
import { sub } from "../../ops/arithmetic.js";
import type { TrainedTask } from "../task-experiment.js";
import type { SeriesModel } from "./model.js";
import type { SeriesSet } from "./series-set.js";

/**
 * The trained field as a file: `field.onnx`, dy/dt of t and y, in the units of the data, as other runs have it; of a field
 * that is driven by inputs `rates.onnx`, dy/dt of y, u and (where it sees it) t.
 */
export function fieldFiles(
  { time, inputs }: SeriesSet,
  { field, method, dtype }: SeriesModel,
  { stepSize }: { readonly stepSize: number },
  { parameters }: TrainedTask,
): Record<string, Uint8Array> {
  const own = Object.fromEntries(Object.keys(field.parameters).map((name) => [name, parameters[name]!]));
  if (inputs.length === 0) {
    const ode = neuralOde({ field, method, stepSize, dtype });
    return { "field.onnx": encodeField(ode, own, { units: { time: time.unit, state: "as in the file" } }) };
  }
  const dim = field.state[1] as number;
  const model = defineModel({
    name: "rates",
    parameters: field.parameters,
    inputs: { y: { shape: [dim] }, u: { shape: [inputs.length] }, t: { shape: [1] } },
    apply(b, theta, { y, u, t }) {
      const still = sub(b, u, u);
      const driven = { ...theta, [drivenBy.start]: u, [drivenBy.slope]: still, [drivenBy.from]: t };
      return { rates: field.apply(b, driven, t, y) };
    },
  });
  return { "rates.onnx": encodePrediction(model, { parameters: own, dtype }) };
}
