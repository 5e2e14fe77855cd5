import { expect } from "chai";
import { pid } from "../../src/control/control.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { lotkaVolterra } from "../../src/fields/physical.js";
import { Builder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import type { Save } from "../../src/integrate/saves.js";
import { solve } from "../../src/integrate/solve.js";
import { tsit5 } from "../../src/methods/tableaux.js";
import { add } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { loop } from "../../src/ops/control.js";
import { matmul } from "../../src/ops/linalg.js";
import { less } from "../../src/ops/logic.js";
import { gather } from "../../src/ops/slicing.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { CompileError, type Runtime, RuntimeUnavailableError } from "../../src/runtime/runtime.js";
import { auto, type Choice } from "../../src/runtimes/auto.js";
import { autoOf } from "../../src/runtimes/auto-node.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { conformance } from "../runtime/conformance.js";
import { failure } from "../support/failure.js";

conformance("auto", async () => auto(jit(), await ortNode()));

/** y = tanh(x w), with a batch of x that is fixed, or known only when it runs. */
function layer(batch: number | "batch", width: number): Graph {
  const b = new Builder();
  const x = b.input("x", "float32", [batch, width]);
  const w = b.input("w", "float32", [width, width]);
  return b.graph({ y: tanh(b, matmul(b, x, w)) }, "layer");
}

describe("The runtime auto", () => {
  let ort: Runtime;
  before(async () => {
    ort = await ortNode();
  });

  it("compiles small graphs and gives large ones to ONNX Runtime, saying why", async () => {
    const choices: Choice[] = [];
    const runtime = auto(jit(), ort, { explain: (choice) => choices.push(choice) });
    const small = await runtime.compile(layer(4, 8));
    const large = await runtime.compile(layer(2048, 256));
    expect(small.choice.runtime).to.equal("jit");
    expect(large.choice.runtime).to.equal("ort-cpu");
    expect(choices).to.deep.equal([small.choice, large.choice]);
    expect(large.choice.why).to.match(/^estimated to be [\d.]+ times as fast as jit$/);
  });

  it("is jit alone where ONNX Runtime is not installed, and says so", async () => {
    const said: string[] = [];
    const absent = async () => {
      throw new RuntimeUnavailableError("onnxruntime-node cannot be loaded.");
    };
    const runtime = await autoOf(absent, (why) => said.push(why));
    expect(runtime.name).to.equal("jit");
    expect(said).to.deep.equal(["everything runs on jit: onnxruntime-node cannot be loaded."]);
    const broken = async () => {
      throw new TypeError("something else");
    };
    await failure(
      autoOf(broken, () => {}),
      TypeError,
    );
  });

  it("chooses anew when sizes turn out to be others", async () => {
    const runtime = auto(jit(), ort);
    const executable = await runtime.compile(layer("batch", 256));
    const w = runtime.upload(tensor("float32", [256, 256], new Float32Array(256 * 256)));
    const x = (batch: number) =>
      runtime.upload(tensor("float32", [batch, 256], new Float32Array(batch * 256)));
    await executable.run({ x: x(1), w });
    expect(executable.choice.runtime).to.equal("jit");
    await executable.run({ x: x(4096), w });
    expect(executable.choice.runtime).to.equal("ort-cpu");
  });

  it("says that a graph went to ONNX Runtime because jit refused it", async () => {
    const refusing: Runtime = {
      ...jit(),
      compile: async () => {
        throw new CompileError("jit has no code for the operator Odd.");
      },
    };
    const executable = await auto(refusing, ort).compile(layer(1, 2));
    expect(executable.choice.runtime).to.equal("ort-cpu");
    expect(executable.choice.why).to.contain("no code for the operator Odd");
  });

  it("goes on with ONNX Runtime where jit refuses a graph once it knows the sizes", async () => {
    const late: Runtime = {
      ...jit(),
      compile: async (graph) => ({
        ...(await jit().compile(graph)),
        run: async () => {
          throw new CompileError("jit cannot compile this size.");
        },
      }),
    };
    const runtime = auto(late, ort);
    const executable = await runtime.compile(layer("batch", 2));
    const x = runtime.upload(tensor("float32", [1, 2], [1, 0]));
    const w = runtime.upload(tensor("float32", [2, 2], [0, 0, 0, 0]));
    const { y } = await executable.run({ x, w });
    expect([...numbers(await runtime.download(y!))]).to.deep.equal([0, 0]);
    expect(executable.choice.why).to.contain("cannot compile this size");
  });

  it("compiles loops whose results grow until a condition holds, unless an operator has to know how far", async () => {
    const b = new Builder();
    const x = b.input("x", "float32", [1]);
    const { scans } = loop(b, { trips: 100, carried: [x] }, (inner, _i, [y]) => {
      const next = add(inner, y!, y!);
      return { carried: [next], scans: [next], proceed: less(inner, reduceSum(inner, next), 100) };
    });
    const runtime = auto(jit(), ort);
    const last = await runtime.compile(
      b.graph({ all: scans[0]!, last: gather(b, scans[0]!, -1) }, "growing"),
    );
    expect(last.choice.runtime).to.equal("jit");
    const { all } = await last.run({ x: runtime.upload(tensor("float32", [1], [3])) });
    expect(numbers(await runtime.download(all!))).to.deep.equal([6, 12, 24, 48, 96, 192]);
    const sum = await runtime.compile(b.graph({ sum: reduceSum(b, scans[0]!) }, "summed"));
    expect(sum.choice.runtime).to.equal("ort-cpu");
    expect(sum.choice.why).to.contain("Loop");
  });

  it("compiles small solves that choose their steps, and gives the same states as ONNX Runtime", async () => {
    const choices: Choice[] = [];
    const runtime = auto(jit(), ort, { explain: (choice) => choices.push(choice) });
    const parameters = Object.fromEntries(
      ["alpha", "beta", "delta", "gamma"].map((name, i) => [
        name,
        tensor("float64", [], [[0.5, 0.025, 0.025, 0.8][i]!]),
      ]),
    );
    const through = (on: Runtime, save: Save) =>
      solve(neuralOde({ field: lotkaVolterra(), method: tsit5 }), {
        ...{ runtime: on, parameters, y0: tensor("float64", [1, 2], [30, 4]), t0: 0, save },
        ...{ saveAt: [2, 5, 20], control: pid({ rtol: 1e-8, atol: 1e-8 }) },
      });
    for (const save of ["hit", "interpolated", "every-step"] as const) {
      const [own, expected] = [await through(runtime, save), await through(ort, save)];
      expect(own.stats).to.deep.equal(expected.stats);
      const reference = numbers(expected.ys);
      // a few hundred steps, each with its own rounding. Where steps end is known less well: their errors are 1e-8 of what
      // they are differences of, so that their own rounding moves the ends by some 1e-8 of a step
      const tolerance = save === "every-step" ? 1e-7 : 1e-11;
      numbers(own.ys).forEach((value, i) => {
        expect(value).to.be.closeTo(reference[i]!, tolerance * Math.abs(reference[i]!));
      });
    }
    expect(choices.map(({ graph, runtime: chosen }) => [graph, chosen])).to.deep.equal(
      choices.map(() => ["launch", "jit"]),
    );
    expect(choices[0]!.why).to.match(/^estimated to be [\d.]+ times as fast as ort-cpu$/);
  });

  it("moves tensors between its runtimes without copying them", () => {
    const compiled = jit();
    const uploaded = compiled.upload(tensor("float32", [2], [1, 2]));
    const moved = ort.host!.read(ort.host!.wrap(compiled.host!.read(uploaded)));
    const back = compiled.host!.read(compiled.host!.wrap(moved));
    expect(back.data.buffer).to.equal(compiled.host!.read(uploaded).data.buffer);
  });
});
