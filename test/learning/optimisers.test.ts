import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { RevortError } from "../../src/core/errors.js";
import { numbers, scalar, type Tensor, tensor } from "../../src/core/tensor.js";
import type { Branch } from "../../src/core/tree.js";
import { type Optimiser, optimisers } from "../../src/learning/optimisers.js";
import { inputType } from "../../src/programs/program.js";
import { memoryOf, updateProgram } from "../../src/programs/update.js";
import {
  type CompiledProgram,
  compileProgram,
  downloadTree,
  uploadTree,
} from "../../src/runtime/compile-program.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";

interface Table {
  readonly version: string;
  readonly start: number[];
  readonly gradients: number[][];
  readonly runs: {
    readonly optimiser: keyof typeof optimisers;
    readonly options: Readonly<Record<string, number | boolean>>;
    readonly trajectory: number[][];
  }[];
  readonly clipped: { readonly largest: number; readonly norms: number[]; readonly gradients: number[][] };
}

/** What PyTorch does; made by pytorch-optimisers.py. */
const table: Table = JSON.parse(
  readFileSync(new URL("pytorch-optimisers.json", import.meta.url), "utf8"),
) as Table;

const make = (name: keyof typeof optimisers, options: object): Optimiser => optimisers[name](options);

describe("optimisers", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  type Update = CompiledProgram<Branch, ReturnType<typeof updateProgram>["outputs"]>;
  interface Updated extends Branch {
    readonly gradientNorm: Tensor;
    readonly next: Readonly<Record<string, Tensor>> & { readonly memory: Branch };
  }

  async function update(compiled: Update, inputs: Branch): Promise<Updated> {
    return (await downloadTree(
      runtime,
      await compiled.run(uploadTree(runtime, inputs)),
    )) as unknown as Updated;
  }

  for (const { optimiser, options, trajectory } of table.runs) {
    it(`${optimiser} of ${JSON.stringify(options)} goes where PyTorch's goes, for 20 updates`, async () => {
      const made = make(optimiser, options);
      const compiled = await compileProgram(
        runtime,
        updateProgram({ optimiser: made, dtype: "float64", clip: null }, { p: inputType("float64", [5]) }),
      );
      let parameter: Tensor = tensor("float64", [5], table.start);
      let memory: Branch = memoryOf(made, { p: tensor("float64", [5], new Float64Array(5)) });
      for (const [k, gradient] of table.gradients.entries()) {
        const { next } = await update(compiled, {
          p: parameter,
          memory,
          gradients: { p: tensor("float64", [5], gradient) },
          learningRate: scalar("float64", made.learningRate),
          count: scalar("float64", k + 1),
        });
        parameter = next.p!;
        memory = next.memory;
        // a few operations an update, at 1e-16 each, associated otherwise
        expect(distance(numbers(parameter), trajectory[k]!), `update ${k + 1}`).to.be.below(1e-13);
      }
      await compiled.release();
    });
  }

  it("scale gradients down to a norm over all parameters as PyTorch does, and report the norm before", async () => {
    const { largest, norms, gradients } = table.clipped;
    expect(norms.some((norm) => norm > largest) && norms.some((norm) => norm < largest)).to.equal(true);
    const compiled = await compileProgram(
      runtime,
      updateProgram(
        { optimiser: make("sgd", { learningRate: 1 }), dtype: "float64", clip: largest },
        { a: inputType("float64", [2]), b: inputType("float64", [3]) },
      ),
    );
    for (const [k, gradient] of table.gradients.entries()) {
      const { gradientNorm, next } = await update(compiled, {
        a: tensor("float64", [2], [0, 0]),
        b: tensor("float64", [3], [0, 0, 0]),
        gradients: {
          a: tensor("float64", [2], gradient.slice(0, 2)),
          b: tensor("float64", [3], gradient.slice(2)),
        },
        memory: {},
        learningRate: scalar("float64", 1),
        count: scalar("float64", k + 1),
      });
      expect(distance(numbers(gradientNorm), [norms[k]!])).to.be.below(1e-15);
      const moved = [...numbers(next.a!), ...numbers(next.b!)];
      const clipped = moved.map((value) => 0 - value);
      // PyTorch adds 1e-6 to the norm before it divides by it
      expect(distance(clipped, gradients[k]!)).to.be.below(1e-6);
      const length = Math.hypot(...clipped);
      expect(length).to.be.closeTo(Math.min(norms[k]!, largest), 1e-14);
    }
    await compiled.release();
  });

  it("make the table that PyTorch makes here", async function () {
    const run = promisify(execFile);
    const missing = await run("python3", ["-c", "import torch"]).then(
      () => null,
      () => "python3 with torch is not installed",
    );
    if (missing !== null) {
      this.test!.title += ` (${missing})`;
      this.skip();
    }
    const script = fileURLToPath(new URL("pytorch-optimisers.py", import.meta.url));
    const made = JSON.parse((await run("python3", [script], { maxBuffer: 1 << 24 })).stdout) as Table;
    expect(made.gradients).to.deep.equal(table.gradients);
    for (const [i, { trajectory }] of made.runs.entries()) {
      // other versions may round otherwise
      expect(distance(trajectory.flat(), table.runs[i]!.trajectory.flat())).to.be.below(1e-13);
    }
    expect(distance(made.clipped.gradients.flat(), table.clipped.gradients.flat())).to.be.below(1e-13);
  });

  const wrong: [keyof typeof optimisers, object, string][] = [
    ["sgd", { learningRate: 0 }, "The learning rate must be a positive number, but 0 was given."],
    ["adam", { learningRate: Number.NaN }, "The learning rate must be a positive number, but NaN was given."],
    ["sgd", { momentum: 1 }, "The momentum must be in [0, 1), but 1 was given."],
    ["sgd", { weightDecay: -1 }, "The weight decay must be 0 or more, but -1 was given."],
    ["adamw", { beta1: 1 }, "β₁ must be in [0, 1), but 1 was given."],
    ["adamw", { beta2: -0.1 }, "β₂ must be in [0, 1), but -0.1 was given."],
    ["adam", { epsilon: 0 }, "ε must be positive, but 0 was given."],
    ["adamw", { weightDecay: Number.NaN }, "The weight decay must be 0 or more, but NaN was given."],
    ["rmsprop", { decay: 1 }, "The decay must be in [0, 1), but 1 was given."],
    ["rmsprop", { epsilon: -1 }, "ε must be positive, but -1 was given."],
  ];
  for (const [name, options, message] of wrong) {
    it(`${name} refuses numbers out of range: ${message}`, () => {
      expect(() => make(name, options)).to.throw(RevortError, message);
    });
  }

  it("say by what numbers they were made", () => {
    expect(make("adamw", { learningRate: 0.5 }).settings).to.deep.equal({
      learningRate: 0.5,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0.01,
    });
    expect(make("adam", {}).settings).not.to.have.property("weightDecay");
    expect([make("sgd", {}).memory, make("sgd", { momentum: 0.1 }).memory]).to.deep.equal([[], ["velocity"]]);
  });
});
