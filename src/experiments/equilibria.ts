import type { FloatDType } from "../core/tensor.js";
import type { DeqCell } from "../equilibrium/deq.js";
import { parametersOf, partOf } from "../nn/layer.js";
import { linear } from "../nn/linear.js";
import { relu } from "../ops/activation.js";
import { concat } from "../ops/slicing.js";

/** A fixed point z = f(z, x; θ) of one number, whose gradients can be checked by name. */
export interface EquilibriumExperiment {
  readonly name: string;
  /** one line on what it is and where it comes from */
  readonly about: string;
  readonly cell: DeqCell & { readonly name: string };
  /** what is prescribed; each can be overridden on the command line */
  readonly protocol: {
    readonly x: number;
    readonly relaxation: number;
    /** of the paper's stop rule */
    readonly tolerance: number;
    readonly maxSteps: number;
    readonly dtype: FloatDType;
  };
}

const widths = [2, 10, 10, 1];
const layers = Object.fromEntries(
  widths.slice(1).map((width, i) => [`layers.${i}`, linear(widths[i]!, width)]),
);

/** A perceptron of z and x, by the reversible iteration from 0. */
export const revdeqMlp: EquilibriumExperiment = {
  name: "revdeq-mlp",
  about: "z = MLP([z, x]), 2 → 10 → 10 → 1 with relu, found reversibly (McCallum, Arora & Foster 2025)",
  cell: {
    name: "revdeq-mlp",
    ...parametersOf(layers),
    apply(b, theta, z, x) {
      const each = Object.entries(layers);
      return each.reduce(
        (y, [name, layer], i) => {
          const next = layer.apply(b, partOf(theta, name), y);
          return i < each.length - 1 ? relu(b, next) : next;
        },
        concat(b, [z, x], 1),
      );
    },
  },
  protocol: { x: 0.1, relaxation: 0.8, tolerance: 1e-8, maxSteps: 500, dtype: "float64" },
};

/** The fixed points that have a name. */
export const equilibria: readonly EquilibriumExperiment[] = [revdeqMlp];
