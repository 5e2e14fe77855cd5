import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import type { AdjointSpec } from "../../src/chains/adjoints.js";
import { OptionError } from "../../src/core/options.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { type ConvFieldOptions, convField } from "../../src/fields/convolutional.js";
import { boundaries, laplacian } from "../../src/fields/grid.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { Builder } from "../../src/graph/builder.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { methodNamed } from "../../src/methods/named.js";
import { odeSolve } from "../../src/models/ode-solve.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { distance, tensorsDistance } from "../support/distance.js";
import { evaluate, runGraph } from "../support/evaluate.js";
import { along, directionalDerivatives, randomDirections, randomTask } from "../support/gradients.js";

const { Memory } = WebAssembly;

describe("convolutions as a field", () => {
  for (const boundary of boundaries) {
    it(`are second differences where their weights are those, with the same ends: ${boundary}`, async () => {
      const field = convField({ channels: 1, grid: [4, 5], hidden: [], boundary });
      const y = Array.from({ length: 20 }, (_, i) => Math.sin(i * i));
      const given = {
        ...{ t: tensor("float64", [], [0]), y: tensor("float64", [1, 1, 4, 5], y) },
        weight: tensor("float64", [1, 1, 3, 3], [0, 4, 0, 4, -16, 4, 0, 4, 0]),
        bias: tensor("float64", [1], [0]),
      };
      const { own, known } = await evaluate(jit(), given, (b, v) => ({
        own: field.apply(b, { "layers.0.weight": v.weight!, "layers.0.bias": v.bias! }, v.t!, v.y!),
        known: laplacian(b, v.y!, { spacing: 0.5, boundary, dimensions: 2 }),
      }));
      // sums of five products of 16
      expect(distance(numbers(own), numbers(known))).to.be.below(1e-14);
    });
  }

  it("see time as a channel where that is asked for, and are scaled", async () => {
    const options = {
      channels: 1,
      grid: [3],
      hidden: [],
      boundary: "zero",
      kernel: 1,
      time: true,
      rate: 2,
    } as const;
    const field = convField(options);
    const given = { t: tensor("float64", [], [5]), y: tensor("float64", [1, 1, 3], [1, 2, 3]) };
    const { slope } = await evaluate(jit(), given, (b, v) => {
      const theta = {
        "layers.0.weight": b.constant(tensor("float64", [1, 2, 1], [10, 1])),
        "layers.0.bias": b.constant(tensor("float64", [1], [0.5])),
      };
      return { slope: field.apply(b, theta, v.t!, v.y!) };
    });
    expect(numbers(slope)).to.deep.equal([103, 105, 107]);
  });

  for (const solver of ["midpoint", "ees27", "lawson:midpoint:-0.5"]) {
    it(`have the gradient of stored steps, and that of differences, where steps of ${solver} are undone`, async () => {
      const field = convField({
        ...{ channels: 2, grid: [3, 4], hidden: [3], boundary: "periodic", innerKernel: 3, time: true },
      });
      const method = methodNamed(solver, solver === "ees27" ? {} : { coupling: 0.99 });
      const task = randomTask({ field, stepSize: 0.05, saves: [0.3, 0.5], batch: 2 });
      const ode = neuralOde({ field, method, stepSize: 0.05 });
      const of = async (gradient: AdjointSpec) => {
        const found = await gradientOf(ode, { runtime: jit(), loss: mse(), gradient, ...task });
        return { found, all: { ...found.parameters, y0: found.y0 } };
      };
      const [undone, stored] = [await of("reversible"), await of("direct")];
      // 10 steps, undone to rounding; ees27 to h^7 = 1e−9 of small terms
      expect(tensorsDistance(undone.all, stored.all)).to.be.below(1e-10);
      const directions = randomDirections(task, 2);
      const differences = await directionalDerivatives(
        ode,
        { runtime: jit(), loss: mse() },
        task,
        directions,
      );
      for (const [i, difference] of differences.entries()) {
        expect(along(stored.found, directions[i]!) / difference).to.be.closeTo(1, 1e-8);
      }
    });
  }

  it("take memory that does not grow with the number of steps, where these are undone", async () => {
    const grid = [32, 32];
    /** The memory of one gradient, in states. */
    const statesOf = async (gradient: AdjointSpec, steps: number) => {
      const field = convField({ channels: 1, grid, hidden: [2], boundary: "periodic" });
      const ode = neuralOde({ field, method: methodNamed("ees25"), stepSize: 0.1 / steps });
      const b = new Builder();
      const y0 = b.input("y0", "float64", [8, 1, ...grid]);
      const theta = Object.fromEntries(
        Object.entries(field.parameters).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
      );
      const ys = odeSolve(b, ode, { theta, y0, t0: 0, times: [0.1], gradient });
      const pulled = pullback(b, [reduceSum(b, ys)], [b.scalar("float64", 1)], [y0]);
      const filled = (shape: readonly number[]) =>
        tensor("float64", shape, new Array<number>(shape.reduce((p, d) => p * d, 1)).fill(0.1));
      const given = {
        y0: filled([8, 1, ...grid]),
        ...Object.fromEntries(
          Object.entries(field.parameters).map(([name, { shape }]) => [name, filled(shape)]),
        ),
      };
      let most = 0;
      WebAssembly.Memory = class extends Memory {
        constructor(descriptor: WebAssembly.MemoryDescriptor) {
          super(descriptor);
          most = Math.max(most, descriptor.initial * 65536);
        }
      };
      try {
        await runGraph(jit(), withoutRegions(b.graph({ dy: pulled[0]! })), given);
      } finally {
        WebAssembly.Memory = Memory;
      }
      return most / (8 * 8 * 32 * 32);
    };
    const [few, many] = [await statesOf("reversible", 2), await statesOf("reversible", 40)];
    // memory comes in pages, each of the size of a state; times of 40 steps take less than one
    expect(many - few).to.be.within(0, 1);
    // 38 states more than those of 2 steps, less what either holds beside
    expect((await statesOf("direct", 40)) - many).to.be.above(30);
  });

  it("refuse sizes, boundaries and names that are none", () => {
    const take = (options: Partial<ConvFieldOptions> & Record<string, unknown>) => () =>
      convField({ channels: 1, grid: [8], hidden: [4], boundary: "zero", ...options });
    expect(take({ kernel: 4 })).to.throw(OptionError, "odd");
    expect(take({ kernel: 17 })).to.throw(OptionError, "no further than the grid");
    expect(take({ grid: [] })).to.throw(OptionError, "[rows, columns]");
    expect(take({ channels: 0 })).to.throw(OptionError, "channels");
    expect(take({ boundary: "open" as "zero" })).to.throw(OptionError, "periodic, zero, reflecting");
    expect(take({ activation: "step" as "tanh" })).to.throw(OptionError, "step");
    expect(take({ paddingMode: "circular" })).to.throw(OptionError, "boundary");
  });
});
