import { expect } from "chai";
import {
  decode,
  encodeSolve,
  encodeTrainStep,
  mlp,
  neuralOde,
  numbers,
  OptionError,
  trainStart,
} from "../../src/index.js";
import { bareSession } from "../deploy/bare.js";

const field = mlp({ dim: 1, hidden: [], time: false });
const parameters = { "layers.0.weight": [[-0.5]], "layers.0.bias": [0] };
const ode = neuralOde({ field, method: "rk4", stepSize: 0.1 });
const times = [0.5, 1];
const data = { t0: 0, times, y0: [1], observations: times.map((t) => [Math.exp(-t)]) };

describe("portable files", () => {
  it("take what train takes: nested arrays, and losses and optimisers by name", async () => {
    const options = { gradient: "direct", loss: "mse", optimiser: "sgd", parameters } as const;
    const step = await bareSession(encodeTrainStep(ode, data, options));
    const { loss } = await step.run(trainStart(ode, data, options));
    // y = e^(−t/2) at first; RK4 at h = 0.1 errs by some 1e−8
    const expected = times.reduce((sum, t) => sum + (Math.exp(-t / 2) - Math.exp(-t)) ** 2, 0) / 2;
    expect(numbers(loss!)[0]).to.be.closeTo(expected, 1e-7);
    expect(decode(encodeSolve(ode, parameters), { source: "solve" }).graph.outputs).to.not.have.length(0);
  });

  it("refuse options that there are not", () => {
    const js = (options: object) => options as never;
    expect(() => encodeSolve(ode, parameters, js({ rtol: 1e-8 }))).to.throw(OptionError, /control: pid/);
    expect(() => encodeTrainStep(ode, data, js({ grad: "direct" }))).to.throw(
      OptionError,
      /no option "grad"/,
    );
    expect(() => trainStart(ode, data, js({ learningRate: 1 }))).to.throw(OptionError, /to the optimiser/);
  });
});
