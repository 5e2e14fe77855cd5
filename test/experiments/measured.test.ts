import { expect } from "chai";
import { controllers, pid } from "../../src/control/control.js";
import { numbers } from "../../src/core/tensor.js";
import { coupledOscillator } from "../../src/experiments/coupled-oscillator.js";
import { doublePendulum } from "../../src/experiments/double-pendulum.js";
import type { Experiment } from "../../src/experiments/experiment.js";
import { hareLynx } from "../../src/experiments/hare-lynx.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { methodNamed } from "../../src/methods/named.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { DataError } from "../../src/storage/data-error.js";
import type { Trajectories } from "../../src/train/data.js";
import { train } from "../../src/train/train.js";
import { failure } from "../support/failure.js";
import { itWithShared } from "../support/shared-files.js";

describe("measured data", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });
  const read = async (experiment: Experiment, text: string | null): Promise<Trajectories> => {
    const ode = neuralOde({ field: experiment.field(), stepSize: experiment.protocol.stepSize });
    return experiment.data({ ode, runtime, file: text === null ? null : { name: "data.txt", text } });
  };

  describe("of the coupled oscillator", () => {
    const path = "data/physical/real_double_linear_h_1.txt";

    itWithShared(path, "are 500 states at times from 0 to 3 s, interpolated linearly", async (text) => {
      const { times, y0, observations } = await read(coupledOscillator, text);
      expect([times.length, times.at(-1)]).to.deep.equal([499, 3]);
      expect([y0.shape, observations.shape]).to.deep.equal([
        [1, 4],
        [499, 1, 4],
      ]);
      const table = text
        .trim()
        .split("\n")
        .map((line) => line.trim().split(/\s+/).map(Number))
        .filter((row) => row.length === 6 && row.every(Number.isFinite))
        .map(([, t, ...state]) => ({ t: t!, state }))
        .sort((a, b) => a.t - b.t);
      expect(table.length).to.equal(495);
      const start = table[0]!.t;
      const at = (t: number, i: number): number => {
        const right = table.findIndex((row) => row.t - start >= t);
        if (right === 0) return table[0]!.state[i]!;
        const [a, b] = [table[right - 1]!, table[right]!];
        return a.state[i]! + ((t + start - a.t) / (b.t - a.t)) * (b.state[i]! - a.state[i]!);
      };
      const found = [...numbers(y0), ...numbers(observations)];
      for (const [k, value] of found.entries()) {
        const t = (Math.floor(k / 4) * 3) / 499;
        // differences of times of a few digits
        expect(value).to.be.closeTo(at(t, k % 4) / 100, 1e-12);
      }
    });

    itWithShared(path, "are learnt: 100 updates lower the loss to less than a quarter", async (text) => {
      const { protocol } = coupledOscillator;
      const ode = neuralOde({ field: coupledOscillator.field(), stepSize: protocol.stepSize });
      const { losses } = await train(ode, await read(coupledOscillator, text), {
        runtime,
        loss: protocol.loss(),
        optimiser: protocol.optimiser({}),
        steps: 100,
      });
      expect(Math.min(...losses)).to.be.below(0.25 * losses[0]!);
    });

    it("that are another table are refused, saying which file is meant", async () => {
      const { message } = await failure(read(coupledOscillator, "1 2 3\n4 5 6\n"), DataError);
      expect(message).to.contain("data.txt").and.contain("six columns").and.contain("there are 3");
    });
  });

  describe("of the double pendulum", () => {
    const path = "data/physical/real_double_pend_h_1.txt";

    itWithShared(
      path,
      "are 500 states of the first trial from 0 to 2 s, which steps of chosen size go through",
      async (text) => {
        const data = await read(doublePendulum, text);
        expect([data.times.length, data.times.at(-1)]).to.deep.equal([499, 2]);
        // the first row of the file, and the row at 0.01 s between two times
        const [start, later] = [numbers(data.y0), numbers(data.observations)];
        expect(start[0]).to.be.closeTo(-0.11336150169372559, 1e-15);
        expect(start[3]).to.be.closeTo(-0.615505838394165, 1e-15);
        const share = (2 * (2 / 499)) / 0.010000228881836;
        expect(later[4]).to.be.closeTo(
          (-1.1336150169372559 + share * (-1.1363970041275024 + 1.1336150169372559)) / 10,
          1e-12,
        );
        const { protocol } = doublePendulum;
        const ode = neuralOde({
          field: doublePendulum.field(),
          method: methodNamed("bosh3", { coupling: 0.999 }),
        });
        const { losses } = await train(ode, data, {
          ...{ runtime: jit(), loss: protocol.loss(), optimiser: protocol.optimiser({}), steps: 20 },
          ...{
            gradient: "reversible",
            control: pid({ ...controllers.i, rtol: 1e-6, atol: 1e-6, dt0: 2 / 499 }),
          },
        });
        expect(Math.min(...losses)).to.be.below(0.9 * losses[0]!);
      },
    );

    it("that are another table are refused, saying which file is meant", async () => {
      const { message } = await failure(read(doublePendulum, "1 2 3\n4 5 6\n"), DataError);
      expect(message).to.contain("data.txt").and.contain("ten columns").and.contain("there are 3");
    });
  });

  it("of hares and lynx start in 1900 and end in 1920", async () => {
    const { t0, times, y0, observations } = await read(hareLynx, null);
    expect([t0, times[0], times.at(-1), times.length]).to.deep.equal([0, 0, 20, 21]);
    expect(numbers(y0)).to.deep.equal([30, 4]);
    expect(numbers(observations).slice(-2)).to.deep.equal([24.7, 8.6]);
    // sums of the published table
    const sum = (of: number) =>
      numbers(observations).reduce((total, value, i) => total + (i % 2 === of ? value : 0), 0);
    expect(sum(0)).to.be.closeTo(715.7, 1e-9);
    expect(sum(1)).to.be.closeTo(423.5, 1e-9);
  });
});
