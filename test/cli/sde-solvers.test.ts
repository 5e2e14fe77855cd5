import { expect } from "chai";
import { settingsFor, type TaskOptions } from "../../src/cli/tasks/settings.js";
import { latentSde } from "../../src/experiments/latent-sde.js";
import { ouSdeGan } from "../../src/experiments/ou-sde-gan.js";
import type { TaskExperiment } from "../../src/experiments/task-experiment.js";
import { turbulence } from "../../src/experiments/turbulence.js";
import { refusal, scratch } from "./command.js";

const small = ["--steps", "1", "--batch-size", "2", "--runtime", "jit"];

describe("--solver, of stochastic experiments", () => {
  const folder = scratch();
  const chosen = (experiment: TaskExperiment, options: TaskOptions) => {
    const { solver, coupling, gradient } = settingsFor(experiment, options, []);
    return { solver, coupling, gradient };
  };

  it("takes solvers of their calculus: coupled where the gradient undoes steps, plain where it does not", () => {
    for (const experiment of [ouSdeGan, latentSde, turbulence]) {
      for (const solver of ["heun", "midpoint", "lawson:heun:-1"]) {
        const gradient = "reversible";
        expect(chosen(experiment, { solver })).to.deep.equal({ solver, coupling: 0.999, gradient });
        expect(chosen(experiment, { solver, gradient: "checkpoint" })).to.deep.equal({
          ...{ solver, coupling: null, gradient: "checkpoint" },
        });
      }
      for (const solver of ["reversible-heun", "ees25", "ees27"]) {
        expect(chosen(experiment, { solver })).to.deep.equal({
          solver,
          coupling: null,
          gradient: "reversible",
        });
      }
    }
  });

  it("takes those of Itô where noise is additive, with a gradient that undoes nothing", () => {
    for (const solver of ["euler-maruyama", "milstein"]) {
      expect(chosen(turbulence, { solver })).to.deep.equal({ solver, coupling: null, gradient: "auto" });
    }
  });

  for (const [words, why] of [
    [
      "ou-sde-gan --solver euler-maruyama",
      /ou-sde-gan are of Stratonovich, with general noise.*is of Itô.*Take reversible-heun, midpoint/s,
    ],
    ["ou-sde-gan --solver milstein", /takes scalar, diagonal, additive noise alone.*Take reversible-heun/s],
    [
      "latent-sde --solver euler",
      /"euler" has order 1, and tends to no solution of Stratonovich.*Take reversible-heun/s,
    ],
    ["latent-sde --solver alf", /"alf" keeps what belongs to the noise of the step before/],
    [
      "turbulence --solver euler-maruyama --gradient reversible",
      /cannot be undone.*"checkpoint" or "direct"/s,
    ],
    ["turbulence --solver milstein --coupling 0.9", /Couple a method of Stratonovich/],
    ["turbulence --solver nothing", /There is no solver "nothing"/],
    ["spirals --solver milstein", /"milstein" is for stochastic equations of Itô alone/],
  ] as const) {
    it(`is refused with the reason and what goes: ${words}`, async () => {
      expect(await refusal(2, "train", ...words.split(" "), ...small, "--out", folder("refused"))).to.match(
        why,
      );
    });
  }
});
