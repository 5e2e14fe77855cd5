import { expect } from "chai";
import {
  defineSde,
  neuralSde,
  numbers,
  OptionError,
  type SdeDefinition,
  SdeError,
  solveSde,
} from "../../src/index.js";
import { failure } from "../support/failure.js";

const definition: SdeDefinition = {
  ...{ name: "line", dim: 2, calculus: "ito", noise: "diagonal" },
  ...{ drift: () => 0.5, diffusion: () => 0 },
};
const ended = (of: SdeDefinition, seed = 0) =>
  solveSde(neuralSde({ sde: defineSde(of), stepSize: 0.25 }), {
    y0: [
      [1, 2],
      [3, 4],
    ],
    saveAt: [1],
    seed,
  });

describe("defineSde", () => {
  it("takes numbers as drift and diffusion of each component", async () => {
    // dy = ½ dt: y + ½, by steps that are binary fractions
    expect(Array.from(numbers((await ended(definition)).ys))).to.deep.equal([1.5, 2.5, 3.5, 4.5]);
    const noise = async (sigma: number) =>
      numbers((await ended({ ...definition, drift: () => 0, diffusion: () => sigma })).ys);
    const [one, two] = [await noise(1), await noise(2)];
    // y0 + σ W of the same W
    const y0 = [1, 2, 3, 4];
    for (const k of y0.keys()) expect(two[k]! - y0[k]!).to.be.closeTo(2 * (one[k]! - y0[k]!), 1e-12);
    expect(one[0]! - 1).to.not.be.closeTo(one[1]! - 2, 1e-3);
  });

  it("names a part that there is not, that is missing, or that is something else", async () => {
    const asked = (parts: object) => () => defineSde({ ...definition, ...parts });
    expect(asked({ difusion: 1 })).to.throw(OptionError, 'did you mean "diffusion"');
    expect(asked({ stepSize: 1 })).to.throw(OptionError, "neuralSde({ sde, method, stepSize })");
    expect(asked({ diffusion: undefined })).to.throw(OptionError, 'The SDE "line" needs diffusion');
    expect(asked({ drift: 0.5 })).to.throw(
      OptionError,
      "needs drift: (b, theta, t, y) => neg(b, y), but drift is 0.5",
    );
    expect(asked({ parameters: { s: 0.5 } })).to.throw(OptionError, "{ shape: [], initial: () => [0.5] }");
    const general: SdeDefinition = { ...definition, noise: "general", motions: 2 };
    expect((await failure(ended(general), SdeError)).message).to.include("which motion drives what");
    const nothing = { ...definition, drift: () => undefined } as never;
    expect((await failure(ended(nothing), SdeError)).message).to.include("has the drift undefined");
  });
});
