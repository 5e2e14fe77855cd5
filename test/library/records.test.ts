import { expect } from "chai";
import {
  adam,
  Builder,
  defineField,
  type Each,
  FieldArgumentError,
  fromNested,
  type GradientSpec,
  gradientOf,
  jit,
  midpoint,
  mse,
  neuralOde,
  numbers,
  OptionError,
  odeSolve,
  pid,
  pullback,
  reversible,
  rk4,
  ShapeError,
  solve,
  solveEach,
  type Tensor,
  train,
  type Value,
  type VectorField,
  withoutRegions,
} from "../../src/index.js";
import { add, mul, neg, sub } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { matmul } from "../../src/ops/linalg.js";
import { squeeze, unsqueeze } from "../../src/ops/reshape.js";
import { concat, split } from "../../src/ops/slicing.js";
import { sin, tanh } from "../../src/ops/trigonometry.js";
import { runGraph } from "../support/evaluate.js";
import { failure } from "../support/failure.js";

// States that are records of arrays, and data of each sample.

const stiffness = { shape: [], initial: () => [1.5] };

/** A driven oscillator: x' = v, v' = −k x + sin(t) F. */
const driven = defineField({
  name: "driven",
  state: { position: [2], velocity: [2] },
  args: { force: [2] },
  parameters: { stiffness },
  apply(b, { stiffness: k }, t, { position, velocity }, { force }) {
    const pull = neg(b, mul(b, k, position));
    return { position: velocity, velocity: add(b, pull, mul(b, sin(b, t), force)) };
  },
});

/** A number, a vector and a matrix that act on each other, with a matrix and a number of each sample. */
const mixed = defineField({
  name: "mixed",
  state: { phase: [], mean: [2], covariance: [2, 2] },
  args: { drift: [2, 2], rate: [] },
  parameters: { stiffness },
  apply(b, { stiffness: k }, _t, { phase, mean, covariance }, { drift, rate }) {
    const moved = squeeze(b, matmul(b, drift, unsqueeze(b, mean, [2])), [2]);
    const wave = unsqueeze(b, mul(b, sin(b, phase), k), [1]);
    const spread = tanh(b, matmul(b, drift, covariance));
    return {
      phase: add(b, rate, reduceSum(b, mul(b, mean, mean), [1])),
      mean: add(b, moved, wave),
      covariance: sub(b, spread, mul(b, unsqueeze(b, unsqueeze(b, rate, [1]), [2]), covariance)),
    };
  },
});

const start = {
  position: [
    [1, 0],
    [0, 2],
    [0.5, -1],
  ],
  velocity: [
    [0, 1],
    [-1, 0],
    [0.3, 0.2],
  ],
};
const force = [
  [1, 0.5],
  [-2, 0],
  [0, 3],
];
const mixedStart = {
  phase: [0.3, -1],
  mean: [
    [1, 0.2],
    [-0.4, 0.6],
  ],
  covariance: [
    [
      [1, 0.1],
      [0.1, 2],
    ],
    [
      [0.5, 0],
      [0.3, 0.7],
    ],
  ],
};
const mixedArgs = {
  drift: [
    [
      [0, 1],
      [-1, -0.2],
    ],
    [
      [0.1, 0],
      [0.4, -0.5],
    ],
  ],
  rate: [0.4, 1.1],
};
const times = [0.3, 0.6, 1];
const runtime = jit();

describe("a field on a record of arrays", () => {
  it("has the solution of the same equations written side by side, to the bit", async () => {
    const flat: VectorField = {
      name: "flat",
      state: ["batch", 4],
      parameters: { stiffness, force: { shape: [3, 2], initial: () => force.flat() } },
      apply(b, theta, t, y) {
        const [x, v] = split(b, y, 1, [2, 2]) as [Value, Value];
        const pull = neg(b, mul(b, theta.stiffness!, x));
        return concat(b, [v, add(b, pull, mul(b, sin(b, t), theta.force!))], 1);
      },
    };
    const y0 = start.position.map((x, i) => [...x, ...start.velocity[i]!]);
    for (const save of ["hit", "interpolated", "every-step"] as const) {
      const known = await solve(flat, { y0, t0: 0, saveAt: times, save, runtime });
      const found = await solve(driven, { y0: start, args: { force }, t0: 0, saveAt: times, save, runtime });
      const { position, velocity } = found.ys;
      expect(position.shape).to.deep.equal([known.ts.length, 3, 2]);
      const rows = numbers(position).flatMap((x, i) => (i % 2 ? [] : [i, i + 1].map((k) => [k, x] as const)));
      const sideBySide = Array.from({ length: rows.length / 2 }, (_, row) =>
        [position, velocity].flatMap((array) => numbers(array).slice(2 * row, 2 * row + 2)),
      );
      expect(sideBySide.flat()).to.deep.equal(numbers(known.ys));
    }
  });

  it("takes one trajectory without its axis, and numbers and matrices as arrays", async () => {
    const [phase, mean, covariance] = [mixedStart.phase[1]!, mixedStart.mean[1]!, mixedStart.covariance[1]!];
    const args = { drift: mixedArgs.drift[1]!, rate: mixedArgs.rate[1]! };
    const one = await solve(mixed, { y0: { phase, mean, covariance }, args, t0: 0, t1: 1, runtime });
    const { ys } = await solve(neuralOde({ field: mixed, method: rk4, stepSize: 0.01 }), {
      ...{ y0: mixedStart, args: mixedArgs, t0: 0, t1: 1, runtime },
    });
    expect([one.ys.phase.shape, one.ys.covariance.shape]).to.deep.equal([
      [1, 1],
      [1, 1, 2, 2],
    ]);
    expect([ys.phase.shape, ys.mean.shape]).to.deep.equal([
      [1, 2],
      [1, 2, 2],
    ]);
    // tolerances of 1e−6, and steps of rk4 whose error is below 1e−9
    expect(numbers(one.ys.phase)[0]).to.be.closeTo(numbers(ys.phase)[1]!, 1e-5);
    for (const i of [0, 1, 2, 3]) {
      expect(numbers(one.ys.covariance)[i]).to.be.closeTo(numbers(ys.covariance)[4 + i]!, 1e-5);
    }
  });

  for (const [name, field, y0, args] of [
    ["vectors, told a time each", driven, start, { force }],
    ["arrays of several ranks, one after the other", mixed, mixedStart, mixedArgs],
  ] as const) {
    it(`is solved for each sample as if it were alone: ${name}`, async () => {
      const options = { t0: 0, saveAt: times, runtime, control: pid({ rtol: 1e-5 }) };
      const each = await solveEach(field as typeof driven, { ...options, y0, args } as never);
      const row = (i: number) => (given: object) =>
        Object.fromEntries(Object.entries(given).map(([key, rows]) => [key, [rows[i]]]));
      for (const [i, { ys, stats }] of each.entries()) {
        const own = { y0: row(i)(y0), args: row(i)(args) };
        const alone = await solve(field as typeof driven, { ...options, ...own } as never);
        expect(stats.accepted).to.equal(alone.stats.accepted);
        for (const [key, value] of Object.entries(alone.ys)) {
          // the same steps, of sums in another order
          for (const [k, x] of numbers(value).entries()) {
            expect(numbers(ys[key as "position"])[k], key).to.be.closeTo(x, 1e-12);
          }
        }
      }
    });
  }

  it("has records inside steps and at events", async () => {
    const { dense, events } = await solve(driven, {
      ...{ y0: { position: [1, 0], velocity: [0, 1] }, args: { force: [0, 0] }, t0: 0, t1: 2, runtime },
      save: "dense",
      events: [
        {
          signal: (b, _t, y) => reduceSum(b, split(b, driven.arraysOf(b, y).position, 1, [1, 1])[0]!),
        },
      ],
    });
    const omega = Math.sqrt(1.5);
    // x = (cos ωt, sin ωt / ω), within tolerances of 1e−6
    const { position } = dense!.at(1);
    expect(numbers(position)[0]).to.be.closeTo(Math.cos(omega), 1e-4);
    expect(numbers(position)[1]).to.be.closeTo(Math.sin(omega) / omega, 1e-4);
    expect(events[0]!.time).to.be.closeTo(Math.PI / 2 / omega, 1e-4);
    expect(numbers(events[0]!.y.velocity)[0]).to.be.closeTo(-omega, 1e-4);
  });

  it("may be trained on records, as on arrays", async () => {
    const pendulum = defineField({
      ...{ name: "pendulum", state: { angle: [1], speed: [1] }, parameters: { stiffness } },
      apply: (b, { stiffness: k }, _t, { angle, speed }) => ({
        angle: speed,
        speed: neg(b, mul(b, k, sin(b, angle))),
      }),
    });
    const truth = await solve(pendulum, {
      ...{ y0: { angle: [1], speed: [0] }, t0: 0, saveAt: times, runtime },
      parameters: { stiffness: 2 },
    });
    const data = { t0: 0, times, y0: { angle: [1], speed: [0] }, observations: truth.ys };
    const { losses } = await train(neuralOde({ field: pendulum, method: rk4, stepSize: 0.1 }), data, {
      ...{ steps: 200, runtime, check: false, optimiser: adam({ learningRate: 0.05 }) },
    });
    expect(losses.at(-1)).to.be.below(1e-3 * losses[0]!);
  });
});

/** All numbers of a record, array after array. */
function fromRecord(record: object): number[] {
  return Object.values(record).flatMap((value) =>
    numbers(Array.isArray(value) ? fromNested("float64", value) : (value as Tensor)),
  );
}

/** A record with one number moved. */
function moved(given: Readonly<Record<string, unknown>>, name: string, index: number, by: number) {
  const flat = fromNested("float64", given[name] as never);
  const data = Float64Array.from(flat.data as Float64Array, (x, i) => (i === index ? x + by : x));
  return { ...given, [name]: { ...flat, data } as Tensor };
}

describe("gradients of a field on a record of arrays", () => {
  const observations = {
    phase: [
      [0.1, 0.2],
      [0.3, 0],
      [1, 1],
    ],
    mean: times.map(() => [
      [0.5, 0],
      [0.1, 0.1],
    ]),
    covariance: times.map(() => [
      [
        [1, 0],
        [0, 1],
      ],
      [
        [0, 0.2],
        [0.2, 0],
      ],
    ]),
  };
  const coupled = reversible(midpoint, { coupling: 0.99 });

  for (const [gradient, method, tolerance] of [
    // exact for the steps: what is left is the error of central differences, 1e−10, and its rounding
    ...(["direct", "checkpoint:3"] as const).map((g) => [g, rk4, 1e-8] as const),
    ...(["direct", "reversible", "reversible:2", "checkpoint:2"] as const).map(
      (g) => [g, coupled, 1e-8] as const,
    ),
    // exact for the equation: off by the error of rk4 in steps of 1/80, 1e−7
    ["continuous", rk4, 1e-6] as const,
  ] as const) {
    const named = method === rk4 ? "rk4" : "coupled midpoint";
    it(`are those of finite differences, in each array of y0 and each of the args: ${gradient}, ${named}`, async () => {
      const stepSize = gradient === "continuous" ? 1 / 80 : 0.1;
      const ode = neuralOde({ field: mixed, method, stepSize });
      const found = await gradientOf(ode, {
        ...{ runtime, loss: mse(), gradient: gradient as GradientSpec },
        fit: { t0: 0, times, observations, y0: mixedStart, args: mixedArgs },
      });
      expect(Object.keys(found.parameters)).to.deep.equal(["stiffness"]);
      const target = fromRecord(observations);
      const lossAt = async (y0: object, args: object, k = 1.5) => {
        const given = { y0: y0 as typeof mixedStart, args: args as typeof mixedArgs };
        const options = { ...given, parameters: { stiffness: k }, t0: 0, saveAt: times, runtime };
        const states = fromRecord((await solve(ode, options)).ys);
        return states.reduce((sum, y, i) => sum + (y - target[i]!) ** 2, 0) / states.length;
      };
      const h = 2 ** -14;
      const slope = async (loss: (by: number) => Promise<number>) =>
        ((await loss(h)) - (await loss(-h))) / (2 * h);
      for (const [gradients, given, loss] of [
        [found.y0, mixedStart, (y0: object) => lossAt(y0, mixedArgs)],
        [found.args, mixedArgs, (args: object) => lossAt(mixedStart, args)],
      ] as const) {
        for (const [key, value] of Object.entries(gradients)) {
          expect(value.shape, key).to.deep.equal(fromNested("float64", given[key as never]).shape);
          for (const [index, derivative] of numbers(value).entries()) {
            const known = await slope((by) => loss(moved(given, key, index, by)));
            expect(derivative, `${key}[${index}]`).to.be.closeTo(known, tolerance);
          }
        }
      }
      const known = await slope((by) => lossAt(mixedStart, mixedArgs, 1.5 + by));
      expect(numbers(found.parameters.stiffness!)[0]).to.be.closeTo(known, tolerance);
    });
  }

  it("are the same through a solve inside a model", async () => {
    const ode = neuralOde({ field: mixed, method: coupled, stepSize: 0.1 });
    const fit = { t0: 0, times, observations, y0: mixedStart, args: mixedArgs };
    const known = await gradientOf(ode, { runtime, gradient: "reversible", fit });
    const tensors = (of: object) =>
      Object.fromEntries(
        Object.entries(of).map(([key, rows]) => [key, fromNested("float64", rows as never)]),
      );
    const given = { ...tensors(mixedStart), ...tensors(mixedArgs), stiffness: fromNested("float64", 1.5) };
    const b = new Builder();
    const v = Object.fromEntries(
      Object.entries(given).map(([key, { dtype, shape }]) => [key, b.input(key, dtype, shape)]),
    ) as Each<typeof given, Value> & Record<string, Value>;
    const { phase, mean, covariance, drift, rate } = v as Record<string, Value>;
    const ys = odeSolve(b, ode, {
      ...{ theta: { stiffness: v.stiffness! }, t0: 0, times, gradient: "reversible" },
      y0: { phase: phase!, mean: mean!, covariance: covariance! },
      args: { drift: drift!, rate: rate! },
    });
    expect(ys.covariance.shape).to.deep.equal([3, 2, 2, 2]);
    // the mean over all 3 · 2 · 7 numbers, as one array has it
    const squares = Object.entries(ys).map(([key, value]) => {
      const apart = sub(b, value, b.constant(fromNested("float64", observations[key as "mean"])));
      return reduceSum(b, mul(b, apart, apart));
    });
    const loss = mul(
      b,
      squares.reduce((sum, each) => add(b, sum, each)),
      1 / 42,
    );
    const names = Object.keys(given);
    const pulled = pullback(
      b,
      [loss],
      [b.scalar("float64", 1)],
      names.map((key) => v[key]!),
    );
    const outputs = Object.fromEntries(names.map((key, i) => [`d${key}`, pulled[i]!]));
    const found = await runGraph(runtime, withoutRegions(b.graph({ loss, ...outputs })), given);
    const all = { ...known.y0, ...known.args, ...known.parameters } as Record<string, Tensor>;
    for (const key of names) {
      for (const [i, x] of numbers(all[key]!).entries()) {
        // the same operations: to rounding, which the order of sums may change
        expect(numbers(found[`d${key}`]!)[i], key).to.be.closeTo(x, 1e-13);
      }
    }
  });
});

describe("a field on a record of arrays refuses", () => {
  const rest = { t0: 0, t1: 1, runtime };
  const { position, velocity } = start;

  it("arrays that are missing, unknown, or of another shape, by name, in types too", async () => {
    const args = { force };
    // @ts-expect-error a record is wanted
    const list = await failure(solve(driven, { ...rest, args, y0: [1, 2, 3, 4] }), OptionError);
    expect(list.message).to.contain("{ position, velocity }");
    // @ts-expect-error velocity is missing
    const missing = await failure(solve(driven, { ...rest, args, y0: { position } }), OptionError);
    expect(missing.message).to.contain('"velocity" is missing');
    const unknown = { position, velocity, mass: [1] };
    expect((await failure(solve(driven, { ...rest, args, y0: unknown }), OptionError)).message).to.contain(
      '"mass"',
    );
    const short = solve(driven, { ...rest, args, y0: { position, velocity: [[1], [2], [3]] } });
    expect((await failure(short, ShapeError)).message)
      .to.contain("y0.velocity")
      .and.contain("[2]");
    const uneven = solve(driven, { ...rest, args, y0: { position, velocity: velocity.slice(1) } });
    expect((await failure(uneven, ShapeError)).message).to.contain("a row of each array for each sample");
  });

  it("data of samples that are missing, not wanted, or of another number of samples", async () => {
    // @ts-expect-error args are missing
    const missing = await failure(solve(driven, { ...rest, y0: start }), OptionError);
    expect(missing.message).to.contain("args: { force }");
    const fewer = solve(driven, { ...rest, y0: start, args: { force: force.slice(1) } });
    expect((await failure(fewer, ShapeError)).message).to.contain("3 samples, but args for 2");
    const plain = defineField({
      name: "plain",
      state: { x: [1] },
      apply: (_b, _theta, _t, { x }) => ({ x }),
    });
    const one = { ...rest, y0: { x: [1] } };
    // @ts-expect-error there are no args
    const unwanted = await failure(solve(plain, { ...one, args: { x: [1] } }), OptionError);
    expect(unwanted.message).to.contain("reads no data of samples");
    const data = {
      t0: 0,
      times: [1],
      y0: start,
      observations: { position: [position], velocity: [velocity] },
    };
    const training = train(driven, data, { steps: 1, runtime });
    expect((await failure(training, FieldArgumentError)).message).to.contain("by fit");
  });

  it("to be made without arrays, or to give back others than it was given", async () => {
    const apply = () => ({}) as never;
    expect(() => defineField({ name: "none", state: {}, apply })).to.throw(
      OptionError,
      "no array in its state",
    );
    expect(() => defineField({ name: "half", state: { x: [0.5] }, apply })).to.throw(OptionError, "[0.5]");
    const forgets = defineField({ name: "forgets", state: { x: [1], v: [1] }, apply });
    const error = await failure(solve(forgets, { ...rest, y0: { x: [1], v: [1] } }), FieldArgumentError);
    expect(error.message).to.contain('the array "x" [batch, 1]').and.contain("Return { x, v }");
    // as many numbers in all, but each array of the other's
    const exchanges = defineField({
      ...{ name: "exchanges", state: { x: [2], v: [3] } },
      apply: (_b, _theta, _t, { x, v }) => ({ x: v, v: x }),
    });
    const given = { ...rest, y0: { x: [1, 2], v: [3, 4, 5] } };
    expect((await failure(solve(exchanges, given), FieldArgumentError)).message).to.contain(
      'the array "x" [batch, 2] in its state, but it has [1, 3]',
    );
    const adds = defineField({
      ...{ name: "adds", state: { x: [2] } },
      apply: (_b, _theta, _t, { x }) => ({ x, a: x }) as never,
    });
    expect(
      (await failure(solve(adds, { ...rest, y0: { x: [1, 2] } }), FieldArgumentError)).message,
    ).to.contain('no array "a"');
  });
});
