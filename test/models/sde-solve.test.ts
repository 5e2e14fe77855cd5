import { writeFileSync } from "node:fs";
import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import type { AdjointSpec } from "../../src/chains/adjoints.js";
import { GradientMethodError } from "../../src/chains/syntax.js";
import { OptionError } from "../../src/core/options.js";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { encodePrediction } from "../../src/deploy/model-file.js";
import type { Tensors, Values } from "../../src/fields/field.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { neuralSde } from "../../src/integrate/neural-sde.js";
import { pick, upload } from "../../src/integrate/solve-inputs.js";
import { sdeMethodNamed } from "../../src/methods/sde-named.js";
import { predict } from "../../src/models/measuring.js";
import { defineModel } from "../../src/models/model.js";
import { sdeSolve } from "../../src/models/sde-solve.js";
import { parametersOf, partOf } from "../../src/nn/layer.js";
import { linear } from "../../src/nn/linear.js";
import { sigmoid } from "../../src/ops/activation.js";
import { add, mul, sub } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { zerosLike } from "../../src/ops/generate.js";
import { reshape, transpose } from "../../src/ops/reshape.js";
import { gather } from "../../src/ops/slicing.js";
import { tanh } from "../../src/ops/trigonometry.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import {
  BrownianError,
  keyedIncrements,
  keysOfPaths,
  virtualBrownianTree,
} from "../../src/systems/brownian.js";
import { type Calculus, defineSde, type NoiseKind, type Sde } from "../../src/systems/sde.js";
import { scratch } from "../cli/command.js";
import { runGraph } from "../support/evaluate.js";
import { missingModules, python } from "../support/python.js";

const parts = { drift: linear(2, 2), diffusion: linear(2, 2) };

/** Neural drift and diffusion, and a force on each path, which is no parameter of the equation. */
function neural(calculus: Calculus, noise: NoiseKind): Sde {
  const g = (b: Builder, theta: Values, y: Value) =>
    mul(b, sigmoid(b, parts.diffusion.apply(b, partOf(theta, "diffusion"), y)), 0.8);
  return defineSde({
    ...{ name: `neural ${noise}`, dim: 2, calculus, noise, ...parametersOf(parts) },
    ...(noise === "additive" ? { motions: 2 } : {}),
    drift: (b, theta, t, y) =>
      add(b, tanh(b, parts.drift.apply(b, partOf(theta, "drift"), add(b, y, t))), theta.force!),
    diffusion(b, theta, _t, y) {
      if (noise === "additive") return theta["diffusion.weight"]!;
      return noise === "general" ? reshape(b, g(b, theta, y), [0, 2, 1]) : g(b, theta, y);
    },
  });
}

const random = Random.seeded(8);
const draw = (...shape: number[]) =>
  tensor(
    "float64",
    shape,
    Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.uniform(-0.7, 0.7)),
  );
const given: Tensors = {
  ...Object.fromEntries(
    Object.entries(parametersOf(parts).parameters).map(([name, { shape }]) => [name, draw(...shape)]),
  ),
  force: draw(3, 2),
  y0: draw(3, 2),
};
const weights = draw(3, 3, 2);

interface Setting {
  readonly sde: Sde;
  readonly method: string;
  readonly coupling?: number;
  readonly tree?: boolean;
}

/** L = Σ weights · tanh y at t = 0, 0.35 and 1, in steps of at most 0.15 */
function lossOf(
  b: Builder,
  { sde, method, coupling, tree }: Setting,
  values: Record<string, Value>,
  gradient: AdjointSpec,
): Value {
  const { y0, ...theta } = values;
  const equation = neuralSde({
    ...{ sde, stepSize: 0.15, method: sdeMethodNamed(method, coupling === undefined ? {} : { coupling }) },
    ...(tree ? { brownian: virtualBrownianTree({ t0: 0, t1: 1, tolerance: 1 / 32 }) } : {}),
  });
  const key = b.scalar("int64", 5);
  const ys = sdeSolve(b, equation, { theta, y0: y0!, t0: 0, times: [0, 0.35, 1], key, gradient });
  return reduceSum(b, mul(b, tanh(b, ys), b.constant(weights)));
}

async function gradientsOf(
  setting: Setting,
  gradient: AdjointSpec,
  runtime: Runtime = jit(),
): Promise<Record<string, number[]>> {
  const b = new Builder();
  const values = Object.fromEntries(
    Object.entries(given).map(([name, { dtype, shape }]) => [name, b.input(name, dtype, shape)]),
  );
  const loss = lossOf(b, setting, values, gradient);
  const pulled = pullback(b, [loss], [b.scalar("float64", 1)], Object.values(values));
  const outputs = Object.fromEntries(
    Object.entries(values).map(([name, value], i) => [`d ${name}`, pulled[i] ?? zerosLike(b, value)]),
  );
  const found = await runGraph(runtime, withoutRegions(b.graph({ ...outputs, loss })), given);
  return Object.fromEntries(
    Object.entries(found).map(([name, value]) => [name.replace(/^d /, ""), numbers(value)]),
  );
}

/** Central differences of the loss by some numbers: of each, its array and place. */
async function differencesOf(
  setting: Setting,
  places: readonly (readonly [string, number])[],
): Promise<number[]> {
  const h = 1e-5;
  const b = new Builder();
  const values = Object.fromEntries(
    Object.entries(given).map(([name, { dtype, shape }]) => [name, b.input(name, dtype, shape)]),
  );
  const runtime = jit();
  const compiled = await runtime.compile(
    withoutRegions(b.graph({ loss: lossOf(b, setting, values, "direct") })),
  );
  const at = async (name: string, k: number, by: number) => {
    const moved = numbers(given[name]!).map((x, i) => (i === k ? x + by : x));
    const inputs = { ...given, [name]: tensor("float64", given[name]!.shape, moved) };
    const { loss } = await compiled.run(pick(upload(runtime, inputs), compiled.inputs));
    return numbers(await runtime.download(loss!))[0]!;
  };
  const found: number[] = [];
  for (const [name, k] of places) found.push(((await at(name, k, h)) - (await at(name, k, -h))) / (2 * h));
  await compiled.release();
  return found;
}

describe("a stochastic solve in a model", () => {
  /** `within`: what steps that are undone to an order may be off by; rounding, where they are exact */
  const settings: readonly (Setting & {
    readonly gradients: readonly AdjointSpec[];
    readonly within?: number;
  })[] = [
    {
      ...{ sde: neural("stratonovich", "diagonal"), method: "reversible-heun" },
      gradients: ["reversible", "reversible:3", "checkpoint", "checkpoint:2"],
    },
    {
      ...{ sde: neural("stratonovich", "general"), method: "heun", coupling: 0.98, tree: true },
      gradients: ["reversible", "checkpoint"],
    },
    {
      ...{ sde: neural("stratonovich", "diagonal"), method: "lawson:heun:-0.4", coupling: 0.98 },
      gradients: ["reversible", "reversible:3"],
    },
    {
      // to the eighth power of g ΔW, which is 0.2 or so
      ...{ sde: neural("stratonovich", "diagonal"), method: "ees27", within: 1e-6 },
      gradients: ["reversible", "checkpoint"],
    },
    { sde: neural("ito", "additive"), method: "midpoint", coupling: 0.99, gradients: ["reversible"] },
    { sde: neural("ito", "diagonal"), method: "milstein", gradients: ["checkpoint"] },
    { sde: neural("ito", "scalar"), method: "euler-maruyama", gradients: ["checkpoint:2"] },
  ];
  for (const { gradients, within = 1e-10, ...setting } of settings) {
    const title = `${setting.method}${setting.coupling === undefined ? "" : ` with λ = ${setting.coupling}`}, ${setting.sde.noise} noise`;
    it(`has one gradient by every adjoint, that of finite differences: ${title}`, async () => {
      const direct = await gradientsOf(setting, "direct");
      for (const gradient of gradients) {
        const own = await gradientsOf(setting, gradient);
        for (const [name, values] of Object.entries(direct)) {
          values.forEach((value, i) => {
            expect(own[name]![i], `${gradient} ${name}`).to.be.closeTo(value, within);
          });
        }
      }
      const places = [
        ["drift.weight", 1],
        ["diffusion.weight", 2],
        ["force", 3],
        ["y0", 4],
      ] as const;
      const differences = await differencesOf(setting, places);
      for (const [i, [name, k]] of places.entries()) {
        // differences of order h² and of rounding / h
        expect(direct[name]![k], name).to.be.closeTo(differences[i]!, 1e-8);
      }
    });
  }

  it("finds the noise of each step again on the way back, to the bit, on both runtimes", async () => {
    // y = c W, so that of y(t₂) − y(t₁) the derivative by c is the increment from t₁ to t₂ of the way back
    const sde = defineSde({
      ...{ name: "scaled", dim: 1, calculus: "ito", noise: "additive" },
      parameters: { c: { shape: [1, 1], initial: () => [1] } },
      drift: (b, _theta, _t, y) => zerosLike(b, y),
      diffusion: (_b, theta) => theta.c!,
    });
    const [steps, key] = [6, 9];
    const runtimes = [jit(), await ortNode()];
    const expected = async (runtime: Runtime): Promise<Tensor> => {
      const b = new Builder();
      const i = b.input("i", "int64", []);
      const [t, h] = [b.scalar("float64", 0), b.scalar("float64", 0.25)];
      const keys = keysOfPaths(b, b.scalar("int64", key), 1);
      const w = keyedIncrements().increment(b, { i, t0: t, t1: t, h, keys, motions: 1, dtype: "float64" });
      return (await runGraph(runtime, b.graph({ w }), { i: tensor("int64", [], [3]) })).w!;
    };
    const [w] = numbers(await expected(jit()));
    expect(numbers(await expected(runtimes[1]!))).to.deep.equal([w]);
    for (const runtime of runtimes) {
      for (const gradient of ["direct", "checkpoint:2", "reversible"] as const) {
        const b = new Builder();
        const [c, y0] = [b.input("c", "float64", [1, 1]), b.input("y0", "float64", [1, 1])];
        const ys = sdeSolve(b, neuralSde({ sde, stepSize: 0.25 }), {
          ...{ theta: { c }, y0, t0: 0, key: b.scalar("int64", key), gradient },
          times: Array.from({ length: steps }, (_, i) => (i + 1) * 0.25),
        });
        const difference = sub(b, gather(b, ys, 3), gather(b, ys, 2));
        const [slope] = pullback(b, [difference], [b.constant(tensor("float64", [1, 1], [1]))], [c]);
        const one = tensor("float64", [1, 1], [1]);
        const found = await runGraph(runtime, withoutRegions(b.graph({ slope: slope! })), {
          c: one,
          y0: one,
        });
        expect(numbers(found.slope!), gradient).to.deep.equal([w]);
      }
    }
  });

  it("is driven by the increments of a path, which have gradients too", async () => {
    const setting = { sde: neural("stratonovich", "diagonal"), method: "reversible-heun" };
    // steps of 0.25 in place of noise
    const increments = draw(4, 3, 2);
    const equation = neuralSde({ ...setting, stepSize: 0.25 });
    const run = async (gradient: AdjointSpec, moved = increments) => {
      const b = new Builder();
      const values = Object.fromEntries(
        Object.entries({ ...given, increments }).map(([name, { dtype, shape }]) => [
          name,
          b.input(name, dtype, shape),
        ]),
      );
      const { y0, increments: path, ...theta } = values as Record<string, Value>;
      const ys = sdeSolve(b, equation, {
        theta,
        y0: y0!,
        t0: 0,
        times: [0.25, 0.5, 1],
        increments: path!,
        gradient,
      });
      const loss = reduceSum(b, mul(b, tanh(b, ys), b.constant(weights)));
      const [byPath, byForce] = pullback(b, [loss], [b.scalar("float64", 1)], [path!, theta.force!]);
      const graph = withoutRegions(b.graph({ loss, byPath: byPath!, byForce: byForce! }));
      const found = await runGraph(jit(), graph, { ...given, increments: moved });
      return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, numbers(value)]));
    };
    const [direct, own] = [await run("direct"), await run("reversible")];
    for (const name of ["byPath", "byForce"]) {
      direct[name]!.forEach((value, i) => {
        expect(own[name]![i], name).to.be.closeTo(value, 1e-10);
      });
    }
    const h = 1e-5;
    const at = async (by: number) =>
      (
        await run(
          "direct",
          tensor(
            "float64",
            [4, 3, 2],
            numbers(increments).map((x, i) => (i === 7 ? x + by : x)),
          ),
        )
      ).loss![0]!;
    // differences of order h² and of rounding / h
    expect(direct.byPath![7]).to.be.closeTo(((await at(h)) - (await at(-h))) / (2 * h), 1e-8);
    const b = new Builder();
    const theta = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, b.constant(value)]));
    const wrong = b.constant(draw(3, 3, 2));
    expect(() =>
      sdeSolve(b, equation, { theta, y0: theta.y0!, t0: 0, times: [1], increments: wrong }),
    ).to.throw(BrownianError, "[4, 3, 2]");
  });

  it("says which gradients there are", () => {
    const b = new Builder();
    const values = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name, b.constant(value)]),
    );
    const setting = { sde: neural("ito", "diagonal"), method: "euler-maruyama" };
    expect(() => lossOf(b, setting, values, "reversible")).to.throw(GradientMethodError, "cannot be undone");
    expect(() => lossOf(b, setting, values, "continuous" as "direct")).to.throw(
      GradientMethodError,
      "continuous",
    );
  });

  it("refuses options that there are not, and what is driven by nothing, or by two things", () => {
    const b = new Builder();
    const equation = neuralSde({ sde: neural("ito", "diagonal"), stepSize: 0.5 });
    const { y0, ...theta } = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name, b.constant(value)]),
    );
    const own = { theta, y0: y0!, t0: 0, times: [1] };
    const key = b.scalar("int64", 1);
    const solve = (options: object) => () => sdeSolve(b, equation, { ...own, ...options } as never);
    expect(solve({ seed: 1 })).to.throw(OptionError, "it is the key");
    expect(solve({ key, saveAt: [1] })).to.throw(OptionError, "are times");
    expect(solve({})).to.throw(OptionError, "give one of the two");
    expect(solve({ key, increments: b.constant(draw(2, 3, 2)) })).to.throw(
      OptionError,
      "give one of the two",
    );
  });

  describe("in a file", () => {
    const folder = scratch();
    const equation = neuralSde({ sde: neural("stratonovich", "diagonal"), stepSize: 0.1 });
    const model = defineModel({
      ...{ name: "paths", parameters: equation.sde.parameters },
      inputs: { y0: { shape: [2] }, force: { shape: [2] }, seed: { shape: [], type: "int64" } },
      apply(b, theta, { y0, force, seed }) {
        const ys = sdeSolve(b, equation, {
          theta: { ...theta, force },
          y0,
          t0: 0,
          times: [0.5, 1],
          key: seed,
        });
        return { ys: transpose(b, ys, [1, 0, 2]) };
      },
    });
    const parameters = Object.fromEntries(
      Object.keys(equation.sde.parameters).map((name) => [name, given[name]!]),
    );

    it("has the same paths in Python's onnxruntime, for any number of them", async function () {
      const missing = missingModules("onnxruntime", "numpy");
      if (missing !== null) {
        console.log(`      skipped: ${missing}`);
        this.skip();
      }
      const place = folder("sample.onnx");
      writeFileSync(place, encodePrediction(model, { parameters }));
      const script = `
import sys, json, numpy as np, onnxruntime as ort
y0 = np.array([[0.5, -1], [0.2, 0.1], [1, 1]])
ys, = ort.InferenceSession(sys.argv[1]).run(None, dict(y0=y0, force=0 * y0, seed=np.array([7, 8, -9])))
print(json.dumps(ys.ravel().tolist()))`;
      const { ok, stdout, stderr } = python(script, place);
      expect(ok, stderr).to.equal(true);
      const own = await predict(
        model,
        {
          y0: tensor("float64", [3, 2], [0.5, -1, 0.2, 0.1, 1, 1]),
          force: tensor("float64", [3, 2], new Array(6).fill(0)),
          seed: tensor("int64", [3], [7, 8, -9]),
        },
        { runtime: jit(), parameters },
      );
      const [mine, theirs] = [numbers(own.ys), JSON.parse(stdout) as number[]];
      expect(theirs).to.have.length(12);
      mine.forEach((value, i) => {
        // the noise has the same bits; tanh and the logistic function are rounded otherwise
        expect(theirs[i]).to.be.closeTo(value, 1e-13);
      });
    });
  });
});
