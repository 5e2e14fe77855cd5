import { expect } from "chai";
import { OptionError } from "../../src/core/options.js";
import { Random } from "../../src/core/random.js";
import { numbers, ShapeError, type Tensor, tensor } from "../../src/core/tensor.js";
import { encodePrediction } from "../../src/deploy/model-file.js";
import { initialParameters } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { cdeSolve } from "../../src/models/cde-solve.js";
import { type CausalInterpolation, type CdeStreamOptions, cdeStream } from "../../src/models/cde-stream.js";
import { DatasetError } from "../../src/models/dataset.js";
import { openStream } from "../../src/models/open-stream.js";
import { partOf } from "../../src/nn/layer.js";
import { linear } from "../../src/nn/linear.js";
import { squeeze } from "../../src/ops/reshape.js";
import { slice } from "../../src/ops/slice.js";
import { TimeError } from "../../src/programs/grid.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import type { ControlledField } from "../../src/systems/cde.js";
import { controlPath } from "../../src/systems/control-path.js";
import { PathError } from "../../src/systems/interpolation.js";
import { scratch, written } from "../cli/command.js";
import { distance } from "../support/distance.js";
import { evaluate } from "../support/evaluate.js";
import { failure } from "../support/failure.js";
import { missingModules, python } from "../support/python.js";

const [hidden, channels, length] = [3, 2, 6];
const inner = mlp({ dim: hidden, hidden: [5], time: false });
const widened = linear(hidden, hidden * channels);
/** F(z) = W tanh-perceptron(z), of two channels */
const field: ControlledField = {
  ...{ name: "small", hidden, channels },
  parameters: {
    ...inner.parameters,
    ...Object.fromEntries(Object.entries(widened.parameters).map(([k, p]) => [`out.${k}`, p])),
  },
  apply: (b, theta, z) =>
    widened.apply(b, partOf(theta, "out"), inner.apply(b, theta, b.scalar(z.dtype, 0), z)),
};
const optionsOf = (more: Partial<CdeStreamOptions> & { readonly method?: string } = {}): CdeStreamOptions => {
  const { method = "midpoint", ...rest } = more;
  return {
    ...{ name: "stream", initial: linear(channels, hidden), readout: linear(hidden, 2) },
    cde: { field, stepSize: 0.25, ...(method === "midpoint" ? {} : { method }) },
    ...rest,
  };
};
const parameters = initialParameters(cdeStream(optionsOf()), Random.seeded(4), "float64");

/** Two series of six points, time first. */
const series = [0, 1].map((s) =>
  Array.from({ length }, (_, k) => [0.5 * k + 0.1 * s * k * k, Math.sin(1 + 2 * k + s)]),
);
const point = (k: number, of = series) => of.map((one) => one[k]!);

/** z after each point by one solve along the whole path, [points][batch · hidden]. */
async function whole(options: CdeStreamOptions, of = series): Promise<number[][]> {
  const { interpolation = "hermite", interval = 1, cde } = options;
  const x = tensor("float64", [of.length, length, channels], of.flat(2));
  const times = Array.from({ length }, (_, k) => k * interval);
  const path = controlPath(times, x, { interpolation });
  const arrived = interpolation === "rectilinear" ? path.knots.filter((knot) => knot % 2 === 0) : path.knots;
  const { zs } = await evaluate(jit(), { x }, (b, given) => {
    const theta = Object.fromEntries(
      Object.entries(parameters).map(([name, value]) => [name, b.constant(value)]),
    );
    const first = squeeze(b, slice(b, given.x!, 1, 0, 1), [1]);
    const z0 = options.initial.apply(b, partOf(theta, "initial"), first);
    // steps that end at knots, as those of a stream do
    const solved = cdeSolve(b, cde, {
      ...{ theta: partOf(theta, "field"), z0, knots: path.knots, times: path.knots },
      coefficients: b.constant(path.coefficients),
    });
    return { zs: solved };
  });
  const all = numbers(zs);
  const size = of.length * hidden;
  return arrived.map((knot) => {
    const row = path.knots.indexOf(knot);
    return all.slice(row * size, (row + 1) * size);
  });
}

/** z after each point as they arrive. */
async function arriving(options: CdeStreamOptions, of = series): Promise<number[][]> {
  const stream = await openStream(cdeStream(options), { runtime: jit(), parameters, batch: of.length });
  const found: number[][] = [];
  for (let k = 0; k < length; k++) {
    await stream.next(point(k, of));
    found.push(numbers((await stream.state()).z!));
  }
  await stream.release();
  return found;
}

describe("a stream of points along a controlled differential equation", () => {
  const folder = scratch();

  for (const interpolation of ["hermite", "linear", "rectilinear"] as const) {
    for (const method of ["midpoint", "rk4", "reversible-heun", "alf"]) {
      it(`is the solve along the whole path, point by point: ${interpolation}, ${method}`, async () => {
        const options = optionsOf({ interpolation, method });
        const [one, other] = [await whole(options), await arriving(options)];
        // a few dozen steps, each rounded otherwise, since times count from the last point on
        for (const [k, z] of one.entries()) expect(distance(other[k]!, z), `point ${k}`).to.be.below(1e-13);
      });
    }
  }

  it("takes knots at other distances than 1", async () => {
    const options = optionsOf({ interval: 0.4 });
    const [one, other] = [await whole(options), await arriving(options)];
    for (const [k, z] of one.entries()) expect(distance(other[k]!, z)).to.be.below(1e-13);
  });

  it("goes on with the last value where a rectilinear path misses one, as the whole path does", async () => {
    const holes = series.map((one, s) => one.map(([t, x], k) => [t!, (k + s) % 3 === 2 ? Number.NaN : x!]));
    const options = optionsOf({ interpolation: "rectilinear" });
    const [one, other] = [await whole(options, holes), await arriving(options, holes)];
    for (const [k, z] of one.entries()) expect(distance(other[k]!, z)).to.be.below(1e-13);
  });

  it("keeps series apart that have come to different points, and begins anew where its state is 0", async () => {
    const stream = cdeStream(optionsOf());
    const open = (state?: Readonly<Record<string, Tensor>>) =>
      openStream(stream, { runtime: jit(), parameters, batch: 2, ...(state && { state }) });
    const begun = await open();
    for (const k of [0, 1, 2]) await begun.next(point(k));
    // the second series begins anew
    const state = Object.fromEntries(
      Object.entries(await begun.state()).map(([name, value]) => {
        const data = value.data.slice();
        data.fill((name === "points" ? 0n : 0) as never, data.length / 2);
        return [name, { ...value, data } as Tensor];
      }),
    );
    const later = await open(state);
    const alone = await whole(optionsOf());
    const predictions: number[][] = [];
    for (const k of [0, 1, 2]) {
      const mixed = await later.next([series[0]![k + 3]!, series[1]![k]!]);
      predictions.push(numbers(mixed!));
      const z = numbers((await later.state()).z!);
      expect(distance(z.slice(0, hidden), alone[k + 3]!.slice(0, hidden))).to.be.below(1e-13);
      expect(distance(z.slice(hidden), alone[k]!.slice(hidden))).to.be.below(1e-13);
    }
    expect(numbers((await later.state()).points!)).to.deep.equal([6, 3]);
    expect(predictions.every((row) => row.length === 4 && row.every(Number.isFinite))).to.equal(true);
  });

  it("takes points in the order in which they are given, waited for or not", async () => {
    const one = await openStream(cdeStream(optionsOf()), { runtime: jit(), parameters });
    await Promise.all(series[0]!.map((x) => one.next(x)));
    const z = (await whole(optionsOf())).at(-1)!.slice(0, hidden);
    expect(distance(numbers((await one.state()).z!), z)).to.be.below(1e-13);
  });

  it("is one file, state in and state out, that Python's onnxruntime runs", async function () {
    const missing = missingModules("onnxruntime", "numpy");
    if (missing !== null) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    const model = cdeStream(optionsOf({ interpolation: "rectilinear" }));
    const path = written(folder("step.onnx"), encodePrediction(model, { parameters }));
    const script = `
import sys, json, numpy as np, onnxruntime as ort
step = ort.InferenceSession(sys.argv[1])
types = {"tensor(double)": np.float64, "tensor(int64)": np.int64}
state = {i.name: np.zeros([1] + i.shape[1:], types[i.type]) for i in step.get_inputs() if i.name != "x"}
for x in json.loads(sys.argv[2]):
    found = dict(zip([o.name for o in step.get_outputs()], step.run(None, {**state, "x": np.array([x], np.float64)})))
    state = {name: found["next/" + name] for name in state}
print(json.dumps([found["prediction"][0].tolist(), state["z"][0].tolist()]))`;
    const { ok, stdout, stderr } = python(script, path, JSON.stringify(series[0]));
    expect(ok, stderr).to.equal(true);
    const [prediction, z] = JSON.parse(stdout);
    const ours = await openStream(model, { runtime: jit(), parameters });
    let last: Tensor | null = null;
    for (const x of series[0]!) last = await ours.next(x);
    // the same operations in another runtime
    expect(distance(prediction, numbers(last!))).to.be.below(1e-12);
    expect(distance(z, numbers((await ours.state()).z!))).to.be.below(1e-12);
  });

  it("refuses what depends on later points, and points that do not fit", async () => {
    const natural = "natural" as unknown as CausalInterpolation;
    expect(() => cdeStream(optionsOf({ interpolation: natural }))).to.throw(PathError, "changes everywhere");
    expect(() => cdeStream(optionsOf({ interpolation: "cubic" as never }))).to.throw(PathError, '"cubic"');
    expect(() => cdeStream(optionsOf({ interval: 0 }))).to.throw(PathError, "interval 0");
    expect(() => cdeStream(optionsOf({ interpolation: "rectilinear", interval: 2 }))).to.throw(
      PathError,
      "Leave it out",
    );
    const stream = await openStream(cdeStream(optionsOf()), { runtime: jit(), parameters });
    expect((await failure(stream.next([1, 2, 3]), ShapeError)).message)
      .to.include("[1, 2]")
      .and.include("[1, 3]");
    expect(
      (
        await failure(
          stream.next([
            [1, 2],
            [3, 4],
          ]),
          ShapeError,
        )
      ).message,
    ).to.include("[2, 2]");
    expect((await failure(stream.next([1, Number.NaN]), PathError)).message).to.include("rectilinear");
    // what was refused was not taken
    expect(numbers((await stream.state()).points!)).to.deep.equal([0]);
    const waits = await openStream(cdeStream(optionsOf({ interpolation: "rectilinear" })), {
      runtime: jit(),
      parameters,
    });
    expect((await failure(waits.next([0, Number.NaN]), PathError)).message).to.include("first point");
    const other = { ...optionsOf(), interpolate: "linear" } as CdeStreamOptions;
    expect(() => cdeStream(other)).to.throw(OptionError, "interpolate");
    expect(() => cdeStream(optionsOf({ cde: { field } as never }))).to.throw(TimeError, "positive stepSize");
    const open = openStream(cdeStream(optionsOf()), { runtime: jit() } as never);
    expect((await failure(open, OptionError)).message).to.include("needs the parameters");
    const state = { z: tensor("float64", [1, hidden], [0, 0, 0]) };
    await failure(openStream(cdeStream(optionsOf()), { runtime: jit(), parameters, state }), DatasetError);
  });
});
