import { expect } from "chai";
import { type GradcheckReport, whatIsWrong } from "../../src/cli/gradcheck.js";
import type { Problem } from "../../src/cli/problem.js";
import { Random } from "../../src/core/random.js";
import { sizeOf, tensor } from "../../src/core/tensor.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { encodeSafetensors } from "../../src/storage/safetensors.js";
import { fixture, json, refusal, run, scratch, written } from "./command.js";

describe("revort gradcheck", () => {
  const folder = scratch();

  for (const [what, words] of Object.entries({
    "an experiment": ["influenza"],
    "a universal differential equation": ["hare-lynx"],
    "another solver and coupling": [
      "white-dwarf",
      "--solver",
      "rk4",
      "--coupling",
      "0.99",
      "--step-size",
      "0.05",
    ],
    "a solver that is reversible by itself": [
      "white-dwarf",
      "--solver",
      "reversible-heun",
      "--step-size",
      "0.05",
    ],
    "stored steps of the coupled solver": [
      "white-dwarf",
      "--gradient",
      "direct",
      "--reversible",
      "--step-size",
      "0.05",
    ],
    "ONNX Runtime as WebAssembly": ["influenza", "--runtime", "ort-wasm"],
  })) {
    it(`holds the gradients against each other and against differences: ${what}`, async () => {
      const report = await json("gradcheck", ...words);
      expect(report.gradients).to.have.keys("reversible", "direct", "checkpoint");
      for (const [name, values] of Object.entries(report.gradients.direct)) {
        expect(values).to.be.an("array").of.length(report.gradients.reversible[name].length);
      }
      for (const error of Object.values(report.relativeError)) expect(error).to.be.lessThan(1e-8);
      expect(report.finiteDifference.relativeError).to.be.lessThan(1e-8);
      expect(report.loss).to.be.greaterThan(0);
    });
  }

  it("takes parameters by their names, in whatever order a file has them", async () => {
    // a file has them by the alphabet, biases first; the field has weights first
    const random = Random.seeded(3);
    const drawn = (...shape: number[]) =>
      tensor(
        "float64",
        shape,
        Array.from({ length: sizeOf(shape) }, () => 0.3 * random.normal()),
      );
    const tensors = {
      ...{ "layers.0.weight": drawn(10, 3), "layers.0.bias": drawn(10) },
      ...{ "layers.1.weight": drawn(2, 10), "layers.1.bias": drawn(2) },
    };
    const init = written(folder("sorted.safetensors"), encodeSafetensors(tensors));
    const report = await json("gradcheck", "white-dwarf", "--step-size", "0.05", "--init", init);
    expect(report.finiteDifference.relativeError).to.be.lessThan(1e-8);
  });

  it("has stored steps and checkpoints for a solver that cannot be undone", async () => {
    const report = await json("gradcheck", "influenza", "--gradient", "direct");
    expect(report.gradients).to.have.keys("direct", "checkpoint");
    for (const error of Object.values(report.relativeError)) expect(error).to.be.lessThan(1e-10);
  });

  it("shows the method asked for beside the others, and lets the continuous adjoint be inexact", async () => {
    const refreshed = await json("gradcheck", "influenza", "--gradient", "reversible:50");
    expect(refreshed.relativeError["reversible:50"]).to.be.lessThan(1e-8);
    const { code, stdout } = await run("gradcheck influenza --solver rk4 --gradient continuous --json");
    const { relativeError } = JSON.parse(stdout);
    expect(code).to.equal(0);
    // the adjoint of a fourth-order solve is off by its own error: not rounding, and not much
    expect(relativeError.continuous).to.be.within(1e-13, 1e-5);
    expect(relativeError.direct).to.be.lessThan(1e-10);
  });

  it("holds gradients over chosen steps against each other on the steps that were accepted", async () => {
    const words = ["influenza", "--solver", "dopri5", "--rtol", "1e-5", "--gradient", "direct"];
    const report = await json("gradcheck", ...words);
    expect(report.relativeError.checkpoint).to.be.lessThan(1e-10);
    expect(report.finiteDifference.relativeError).to.be.lessThan(1e-8);
  });

  it("checks a series with gaps, and an imported field", async () => {
    const file = written(folder("gaps.csv"), "t,x,y\n0,,1\n1,2,\n2,1,0.5\n");
    for (const field of ["mlp:4", fixture("time-scalar-dynamo-18.onnx")]) {
      const report = await json("gradcheck", file, "--field", field, "--dtype", "float64", "--reversible");
      expect(report.relativeError.reversible).to.be.lessThan(1e-9);
    }
  });

  it("judges float32 by differences in float64, without failing for its rounding", async () => {
    const report = await json("gradcheck", "influenza", "--dtype", "float32");
    expect(report.relativeError.reversible).to.be.greaterThan(1e-9).and.lessThan(1e-2);
    // differences are taken in float64; what they differ by is the rounding of the float32 gradient
    expect(report.finiteDifference.relativeError).to.be.lessThan(1e-2);
  });

  it("prints a table for people", async () => {
    const { code, stdout } = await run("gradcheck influenza");
    expect(code).to.equal(0);
    expect(stdout).to.match(
      /^influenza, midpoint, λ = 0\.999, float64: loss [\d.]+\ngradient +‖g‖ +relative error\n/,
    );
  });

  it("stores states where λ damps too much to go back, says so, and holds all gradients against stored steps", async () => {
    const { code, stdout, stderr } = await run("gradcheck white-dwarf --coupling 0.9 --json");
    // 2⁻⁵² · 0.9⁻¹⁰⁰⁰
    expect(stderr).to.include("Undoing 1000 steps").and.include("1/λ = 1.11 a step").and.include("1.3e+30");
    const { relativeError, used, reconstructionError } = JSON.parse(stdout);
    expect(used.reversible).to.match(/^reversible:\d+$/);
    for (const method of ["reversible", "direct", "checkpoint"]) {
      expect(relativeError[method], method).to.be.lessThan(1e-6);
    }
    expect(reconstructionError.reversible).to.be.lessThan(1e-6);
    expect(code).to.equal(0);
  });

  it("refreshes by what it measures where the bound lets a λ pass by a hair", async () => {
    const { code, stderr } = await run("gradcheck hare-lynx --coupling auto");
    expect(stderr).to.include("gave states back with a relative error of");
    expect(code).to.equal(0);
  });

  it("blames the gradient whose states do not come back, for that reason, and no other", () => {
    const problem = { ode: { method: reversible(midpoint, { coupling: 0.97 }), dtype: "float64" } };
    const report = {
      relativeError: { reversible: 0.02, direct: 1e-15, checkpoint: 1e-15 },
      reconstructionError: { reversible: 0.3 },
      finiteDifference: { relativeError: 1e-12, uncertainty: 1e-12, directions: 4 },
      used: {},
    };
    const wrong = whatIsWrong(problem as unknown as Problem, report as unknown as GradcheckReport);
    expect(wrong).to.have.length(1);
    expect(wrong[0]).to.include("The gradient reversible differs").and.include("1/λ = 1.031 a step");
    expect(wrong[0]).to.include("Smaller steps do not help").and.include("λ nearer to 1");
  });

  it("refuses what train refuses", async () => {
    expect(await refusal(2, "gradcheck")).to.include("missing required argument 'subject'");
    expect(await refusal(2, "gradcheck", "influensa")).to.include('did you mean "influenza"');
  });
});
