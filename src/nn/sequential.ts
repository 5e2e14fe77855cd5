import { add } from "../ops/arithmetic.js";
import { type Layer, parametersOf, partOf, trainingOf } from "./layer.js";

/** Layers one after the other. Parameters are numbered, as those of torch.nn.Sequential: `0.weight`. */
export function sequential(...layers: readonly Layer[]): Layer {
  return {
    ...parametersOf(Object.fromEntries(layers.map((layer, i) => [String(i), layer]))),
    apply: (b, theta, x, training) =>
      layers.reduce(
        (y, layer, i) => layer.apply(b, partOf(theta, String(i)), y, trainingOf(training, String(i))),
        x,
      ),
  };
}

/** x + f(x); the layer keeps its names. */
export function residual(layer: Layer): Layer {
  return { ...layer, apply: (b, theta, x, training) => add(b, x, layer.apply(b, theta, x, training)) };
}
