import { expect } from "chai";
import { pid } from "../../src/control/control.js";
import { Random } from "../../src/core/random.js";
import { encodeSolve } from "../../src/deploy/solve-file.js";
import { initialParameters } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { methodNamed } from "../../src/methods/named.js";
import { layer, oscillator, perceptron, type Served, serving } from "./served.js";

const turn = (t: number) => [Math.cos(t), -Math.sin(t)];
const distance = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));

/** A whole solve as a file, with its tolerances inside or not. */
function solveFile(defaults: boolean): Uint8Array {
  const field = mlp({ dim: 2, hidden: [8] });
  const ode = neuralOde({ field, method: methodNamed("dopri5"), stepSize: 1, dtype: "float64" });
  const parameters = initialParameters(field, Random.seeded(1), "float64");
  return encodeSolve(ode, parameters, { control: pid({ rtol: 1e-9, atol: 1e-9 }), defaults });
}

describe("solves over HTTP", () => {
  let served: Served;
  const solve = (body: object, model = "oscillator") => served.send(`/v2/models/${model}/solve`, body);

  before(async () => {
    served = await serving({
      "oscillator.onnx": oscillator(),
      "mlp.onnx": perceptron("float32"),
      "layer.onnx": layer(),
      "whole.onnx": solveFile(true),
      "open.onnx": solveFile(false),
    });
  });
  after(() => served.close());

  it("takes the steps that the field was trained with", async () => {
    const { status, json } = await solve({ id: "x", y0: [1, 0], t0: 0, saveAt: [1, 2.5, 3] });
    expect(status, JSON.stringify(json)).to.equal(200);
    expect(json).to.include({ id: "x", model_name: "oscillator", accepted: 300, rejected: 0 });
    expect(json.ts).to.deep.equal([1, 2.5, 3]);
    // rk4 with h = 0.01 over 3 time units: h⁴ t / 120
    for (const [i, t] of json.ts.entries()) expect(distance(json.ys[i], turn(t))).to.be.below(3e-10);
    expect(json.y1).to.deep.equal(json.ys[2]);
  });

  it("goes backwards, in steps of another size, by another solver", async () => {
    const { json } = await solve({
      y0: turn(2),
      t0: 2,
      t1: 0,
      saveAt: [1.5, 0.5],
      stepSize: 0.1,
      solver: "dopri8",
    });
    expect(json.accepted).to.equal(20);
    expect(distance(json.ys[0], turn(1.5))).to.be.below(1e-9);
    expect(distance(json.y1, [1, 0])).to.be.below(1e-9);
  });

  it("chooses steps by their error where tolerances are given, for each state by itself", async () => {
    const states = [
      [1, 0],
      [100, 3],
      [0, 1e-3],
    ];
    const asked = { t1: 10, saveAt: [5, 10], rtol: 1e-9, atol: 1e-12 };
    const together = (await solve({ y0: states, ...asked })).json;
    expect(distance(together.ys[1][0], turn(10))).to.be.below(1e-7);
    expect(new Set(together.accepted).size, "each has steps of its own").to.be.above(1);
    for (const [i, y0] of states.entries()) {
      const alone = (await solve({ y0: [y0], ...asked })).json;
      expect(alone.ys.map((at: unknown[]) => at[0])).to.deep.equal(together.ys.map((at: unknown[]) => at[i]));
      expect(alone.accepted).to.deep.equal([together.accepted[i]]);
    }
  });

  it("takes other parameters, all of them or none", async () => {
    const { json } = await solve({ y0: [1, 0], t1: Math.PI, params: { stiffness: 4 } });
    expect(distance(json.y1, [1, 0])).to.be.below(1e-7);
    expect((await solve({ y0: [1, 0], t1: 1, params: { mass: 4 } })).json.error).to.match(
      /no parameter "mass".*stiffness/,
    );
    expect((await solve({ y0: [1, 0], t1: 1, params: { stiffness: [4] } })).json.error).to.match(
      /shape \[1\], but \[\]/,
    );
    const some = await solve({ y0: [1, 0, 0], t1: 1, params: { "layers.0.bias": [0] } }, "mlp");
    expect(some.json.error).to.match(/all parameters of the field or none/);
  });

  it("solves by the file of a whole solve, and says what is inside of it", async () => {
    const inside = (await solve({ y0: [1, 0], t1: 1 }, "whole")).json;
    const given = (await solve({ y0: [1, 0], t1: 1, rtol: 1e-9, atol: 1e-9 }, "open")).json;
    expect(inside.y1).to.deep.equal(given.y1);
    expect(
      (await solve({ y0: [1, 0], t1: 1 }, "open")).json.y1,
      "the tolerances of its metadata",
    ).to.deep.equal(given.y1);
    const refused = await solve({ y0: [1, 0], t1: 1, rtol: 1e-3 }, "whole");
    expect(refused.status).to.equal(400);
    expect(refused.json.error).to.match(/rtol = 1e-9 inside.*--no-defaults/);
    expect((await solve({ y0: [1, 0], t1: 1, solver: "rk4" }, "open")).json.error).to.contain(
      "inside the file",
    );
    // which ONNX Runtime would ignore without a word
    const ignored = await served.send("/v2/models/whole/infer", {
      inputs: [
        { name: "y0", shape: [1, 2], datatype: "FP64", data: [1, 0] },
        ...["t0", "t1", "rtol"].map((name, i) => ({ name, shape: [], datatype: "FP64", data: [i] })),
        { name: "ts", shape: [1], datatype: "FP64", data: [1] },
      ],
    });
    expect(ignored.json.error).to.match(/"rtol" inside.*--no-defaults/);
  });

  it("answers a number of times that it was not asked for before, and many at once", async () => {
    const times = Array.from({ length: 100 }, (_, i) => (i + 1) / 10);
    const { json } = await solve({
      y0: [
        [1, 0],
        [0, 1],
      ],
      saveAt: times,
    });
    expect(json.ys).to.have.length(100);
    expect(distance(json.ys[99][0], turn(10))).to.be.below(1e-8);
  });

  const wrong: Readonly<Record<string, readonly [object, number, RegExp]>> = {
    "no time to go to": [{ y0: [1, 0] }, 400, /t1/],
    "no way to go": [{ y0: [1, 0], t0: 1, t1: 1 }, 400, /both 1/],
    "times out of order": [{ y0: [1, 0], saveAt: [2, 1, 3] }, 400, /time 1 after 2/],
    "times beyond the end": [{ y0: [1, 0], t1: 1, saveAt: [2] }, 400, /time 2/],
    "a state of another size": [{ y0: [1, 0, 0], t1: 1 }, 400, /\[3\].*\[batch, 2\]/],
    "no states": [{ y0: [], t1: 1 }, 400, /\[0\]/],
    "ragged states": [{ y0: [[1, 0], [1]], t1: 1 }, 400, /rectangular/],
    "a state that is no number": [{ y0: ["1", 0], t1: 1 }, 400, /numbers/],
    "both kinds of steps": [{ y0: [1, 0], t1: 1, rtol: 1e-3, stepSize: 0.1 }, 400, /steps of one size/],
    "an unknown option": [{ y0: [1, 0], t1: 1, rtoll: 1 }, 400, /rtoll/],
    "an unknown solver": [{ y0: [1, 0], t1: 1, solver: "rk5" }, 400, /solver/],
    "a solver that cannot choose steps": [
      { y0: [1, 0], t1: 1, solver: "euler", rtol: 1e-3 },
      400,
      /no error estimate/,
    ],
    "too many steps": [{ y0: [1, 0], t1: 1, maxSteps: 5 }, 422, /gave up.*maxSteps/],
    "more than JSON holds": [
      {
        y0: Array.from({ length: 2000 }, () => [1, 0]),
        saveAt: Array.from({ length: 100 }, (_, i) => i + 1),
      },
      413,
      /in parts/,
    ],
  };
  for (const [what, [body, status, says]] of Object.entries(wrong)) {
    it(`refuses ${what}, and says why`, async () => {
      const got = await solve(body);
      expect(got.status, got.bytes.toString()).to.equal(status);
      expect(got.json.error).to.match(says);
    });
  }

  it("says why a model cannot be solved", async () => {
    const got = await solve({ y0: [1, 0], t1: 1 }, "layer");
    expect(got.status).to.equal(400);
    expect(got.json.error).to.match(/"layer" cannot be solved/);
  });
});
