import { readFileSync } from "node:fs";
import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { encodeSafetensors } from "../../src/storage/safetensors.js";
import { json, refusal, run, scratch, written } from "./command.js";

interface Case {
  readonly x: number;
  readonly beta: number;
  readonly tolerance: number;
  readonly maxSteps: number;
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  readonly z: number;
  readonly iterations: number;
  readonly residual: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

const { cases } = JSON.parse(
  readFileSync(new URL("../equilibrium/revdeq.json", import.meta.url), "utf8"),
) as { cases: Case[] };
const widths = [2, 10, 10, 1];

describe("revort gradcheck of a fixed point", () => {
  const folder = scratch();
  const fileOf = ({ parameters }: Case, name: string) =>
    written(
      folder(`${name}.safetensors`),
      encodeSafetensors(
        Object.fromEntries(
          Object.entries(parameters).map(([own, values]) => {
            const [, k, kind] = own.split(".");
            const [inputs, outputs] = widths.slice(Number(k)) as [number, number];
            return [own, tensor("float64", kind === "bias" ? [outputs] : [outputs, inputs], values)];
          }),
        ),
      ),
    );
  const wordsOf = (one: Case, name: string) => [
    ...["gradcheck", "revdeq-mlp", "--init", fileOf(one, name), "--x", String(one.x)],
    ...[
      "--beta",
      String(one.beta),
      "--tolerance",
      String(one.tolerance),
      "--max-steps",
      String(one.maxSteps),
    ],
  ];

  for (const [i, one] of cases.entries()) {
    it(`has PyTorch's fixed point, number of iterations and gradients: x = ${one.x}, β = ${one.beta}`, async () => {
      const { code, stdout } = await run([...wordsOf(one, String(i)), "--json"]);
      const report = JSON.parse(stdout);
      expect(report.z).to.be.closeTo(one.z, 1e-15);
      expect(report.iterations).to.equal(one.iterations);
      expect(report.residual).to.be.closeTo(one.residual, 1e-6 * one.residual);
      expect(report.converged).to.equal(one.residual <= one.tolerance);
      expect(code).to.equal(report.converged ? 0 : 1);
      for (const method of ["reversible", "direct"]) {
        expect(report.gradients[method]).to.have.keys(Object.keys(one.gradients));
        for (const [name, values] of Object.entries(one.gradients)) {
          // of the order of one, by as many iterations; undone ones lose some digits
          for (const [k, value] of values.entries())
            expect(report.gradients[method][name][k], `${method} ${name}`).to.be.closeTo(value, 1e-11);
        }
      }
      expect(report.finiteDifference.relativeError).to.be.below(1e-8);
    });
  }

  it("draws parameters from a seed, and prints a table for people", async () => {
    const { code, stdout } = await run("gradcheck revdeq-mlp --seed 3");
    expect(code).to.equal(0);
    expect(stdout).to.match(
      /^revdeq-mlp, β = 0\.8, float64: z = [\d.-]+ after \d+ iterations, residual [\d.e-]+\ngradient +‖g‖ +relative error\nreversible/,
    );
    expect((await json("gradcheck", "revdeq-mlp", "--seed", "3")).z).to.be.closeTo(
      Number(/z = (\S+)/.exec(stdout)![1]),
      0,
    );
  });

  it("says where the iteration did not converge, and warns of more steps than can be undone", async () => {
    const short = await run("gradcheck revdeq-mlp --max-steps 2");
    expect(short.code).to.equal(1);
    expect(short.stderr).to.include("did not converge: after 2 steps").and.include("--max-steps");
    const single = await run("gradcheck revdeq-mlp --dtype float32 --tolerance 1e-6 --json");
    expect(single.stderr).to.include("in float32, no more than 5 can be relied on");
    expect(JSON.parse(single.stdout).notes).to.have.length(1);
  });

  it("says where rounding is all that is left of the gradient by undoing", async () => {
    // f(z) = 0.9 z + 1 where z > −5, through one unit of each layer: a line, at which cotangents shrink slowly
    const unit = (k: number, weight: number, bias: number) => {
      const [inputs, outputs] = widths.slice(k) as [number, number];
      const at = (length: number, value: number) => Array.from({ length }, (_, i) => (i === 0 ? value : 0));
      return {
        [`layers.${k}.weight`]: at(inputs * outputs, weight),
        [`layers.${k}.bias`]: at(outputs, bias),
      };
    };
    const line = {
      parameters: { ...unit(0, 1, 5), ...unit(1, 1, 0), ...unit(2, 0.9, -3.5) },
    } as unknown as Case;
    const words = ["gradcheck", "revdeq-mlp", "--init", fileOf(line, "line"), "--dtype", "float32"];
    const { code, stderr } = await run([...words, "--tolerance", "1e-6", "--max-steps", "200"]);
    expect(code).to.equal(1);
    expect(stderr).to.include(
      "The gradient by undoing steps is lost to rounding: the pair came back only to",
    );
  });

  it("refuses options of solves for fixed points, and the other way round", async () => {
    expect(await refusal(2, "gradcheck", "revdeq-mlp", "--solver", "rk4")).to.include(
      "--solver is about solves, but revdeq-mlp is a fixed point",
    );
    expect(await refusal(2, "gradcheck", "influenza", "--beta", "0.5")).to.include(
      '--beta is about fixed points, but "influenza" is solved over time',
    );
    expect(await refusal(2, "train", "revdeq-mlp")).to.include('There is no experiment "revdeq-mlp"');
    expect(await refusal(2, "gradcheck", "revdeq-mlp", "--beta", "1")).to.include("must not be 1");
  });
});
