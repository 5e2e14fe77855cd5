import { expect } from "chai";
import * as browser from "../../src/browser.js";
import {
  controllers,
  type Event,
  EventError,
  euler,
  jit,
  midpoint,
  mlp,
  neuralOde,
  numbers,
  OptionError,
  ParameterError,
  pid,
  RevortError,
  reversible,
  solve,
  solveEach,
  TimeError,
  tensor,
  tsit5,
  whiteDwarf,
} from "../../src/index.js";
import { UnknownSolverError } from "../../src/methods/named.js";
import { slice } from "../../src/ops/slice.js";
import { failure } from "../support/failure.js";
import { linear } from "./linear.js";

const rejection = (promise: Promise<unknown>) => failure(promise, RevortError);

// Calls as users type them, without a cast where types allow what runs. Exact solutions are those of y' = A y.

/** y' = (v, −y): a rotation. */
const rotation = linear([
  [0, 1],
  [-1, 0],
]);

describe("solve", () => {
  it("takes a bare field, a plain array and nothing else, and keeps the usual tolerance", async () => {
    const { ts, ys } = await solve(rotation, { y0: [1, 0], t0: 0, t1: 3 });
    expect(ts).to.deep.equal([3]);
    expect(ys.shape).to.deep.equal([1, 1, 2]);
    const [y, v] = numbers(ys) as [number, number];
    // the error per step is kept below 1e−6; over the 3 time units it adds up to less than ten times that
    expect(y).to.be.closeTo(Math.cos(3), 1e-5);
    expect(v).to.be.closeTo(-Math.sin(3), 1e-5);
  });

  it("does so from the browser's entry, on jit", async () => {
    const { ys } = await browser.solve(rotation, { y0: [1, 0], t0: 0, t1: 3 });
    expect(numbers(ys)[0]).to.be.closeTo(Math.cos(3), 1e-5);
  });

  it("takes what makes an equation beside a bare field", async () => {
    const options = { y0: [1, 0], t0: 0, t1: 1, method: "euler", stepSize: 0.5 };
    const { ys } = await solve(rotation, options);
    // two steps of Euler by hand: (1, 0) → (1, −½) → (¾, −1)
    expect(numbers(ys)).to.deep.equal([0.75, -1]);
  });

  it("takes states as a tensor, nested arrays, a typed array or a number", async () => {
    const runtime = jit();
    const ode = neuralOde({ field: rotation, method: "rk4", stepSize: 0.1 });
    const one = { runtime, t0: 0, t1: 1 };
    const given = tensor("float64", [1, 2], [1, 2]);
    const expected = numbers((await solve(ode, { ...one, y0: given })).ys);
    for (const y0 of [
      [1, 2],
      [[1, 2]],
      Float64Array.of(1, 2),
      Float32Array.of(1, 2),
      [Float64Array.of(1, 2)],
    ]) {
      expect(numbers((await solve(ode, { ...one, y0 })).ys)).to.deep.equal(expected);
    }
    const batch = await solve(ode, {
      ...one,
      y0: [
        [1, 2],
        [1, 2],
      ],
    });
    expect(numbers(batch.ys)).to.deep.equal([...expected, ...expected]);
    const decay = neuralOde({ field: linear([[-1]]), method: "rk4", stepSize: 0.1 });
    const [end] = numbers((await solve(decay, { ...one, y0: 1 })).ys);
    // RK4 at h = 0.1: global error about h⁴/120 · e⁻¹ = 3e−7
    expect(end).to.be.closeTo(Math.exp(-1), 1e-6);
  });

  it("takes parameters as arrays, and draws those that are not given from the seed", async () => {
    const field = mlp({ dim: 1, hidden: [], time: false });
    const ask = { y0: [1], t0: 0, t1: 1 };
    const { ys } = await solve(field, {
      ...ask,
      parameters: { "layers.0.weight": [[-1]], "layers.0.bias": [0] },
    });
    expect(numbers(ys)[0]).to.be.closeTo(Math.exp(-1), 1e-5);
    const drawn = await Promise.all([
      solve(field, ask),
      solve(field, { ...ask, seed: 0 }),
      solve(field, { ...ask, seed: 1 }),
    ]);
    const ends = drawn.map((solution) => numbers(solution.ys)[0]);
    expect(ends[0]).to.equal(ends[1]);
    expect(ends[0]).not.to.equal(ends[2]);
    const wrong = await rejection(solve(field, { ...ask, parameters: { weight: [[1]] } }));
    expect(wrong).to.be.instanceOf(ParameterError);
  });

  it("chooses its steps where the equation has no step size and its method estimates the error", async () => {
    const ode = neuralOde({ field: rotation, method: tsit5 });
    const { ys, stats } = await solve(ode, { y0: [1, 0], t0: 0, t1: 3 });
    expect(numbers(ys)[0]).to.be.closeTo(Math.cos(3), 1e-5);
    expect(stats.steps).to.be.above(3);
    const plain = neuralOde({ field: rotation, method: euler });
    const error = await rejection(solve(plain, { y0: [1, 0], t0: 0, t1: 3 }));
    expect(error).to.be.instanceOf(TimeError);
    expect(error.message).to.match(/no step size.*"euler" does not estimate its error.*stepSize/);
  });

  it("takes times as typed arrays, and a t1 that says what saveAt says", async () => {
    const { ts } = await solve(rotation, { y0: [1, 0], t0: 0, t1: 2, saveAt: Float64Array.of(1, 2) });
    expect(ts).to.deep.equal([1, 2]);
    const error = await rejection(solve(rotation, { y0: [1, 0], t0: 0, t1: 3, saveAt: [1, 2] }));
    expect(error).to.be.instanceOf(TimeError);
  });

  it("opens one runtime for an equation, and so compiles once", async () => {
    let opened = 0;
    const ode = neuralOde({ field: rotation, method: "rk4", stepSize: 0.1 });
    const open = () => {
      opened++;
      return jit();
    };
    expect(await ode.cache.runtime(open)).to.equal(await ode.cache.runtime(open));
    expect(opened).to.equal(1);
  });
});

describe("what solve refuses", () => {
  const ask = { y0: [1, 0], t0: 0, t1: 1 };
  // as JavaScript has it: what types would refuse is meant to be refused when it runs, too
  const asked = (options: object) => rejection(solve(rotation, { ...ask, ...options } as never));

  it("an option that there is not, with the one that was meant", async () => {
    for (const [options, expected] of [
      [{ saveat: [1] }, /solve has no option "saveat"; did you mean "saveAt"\? Its options are runtime,/],
      [{ save_at: [1] }, /did you mean "saveAt"\?/],
      [{ rtol: 1e-8 }, /"rtol": tolerances belong to a control, control: pid\({ rtol: 1e-8 }\)/],
      [{ ts: [1] }, /"ts": times to save at are saveAt/],
      [{ quux: 1 }, /has no option "quux"\. Its options/],
    ] as const) {
      const error = await asked(options);
      expect(error).to.be.instanceOf(OptionError);
      expect(error.message).to.match(expected);
    }
  });

  it("a method beside an equation, which has one", async () => {
    const ode = neuralOde({ field: rotation, method: "rk4", stepSize: 0.1 });
    const error = await rejection(solve(ode, { ...ask, method: "euler" } as never));
    expect(error).to.be.instanceOf(OptionError);
    expect(error.message).to.match(/"method": the method belongs to the equation, neuralOde/);
  });

  it("a runtime that was not called, or not waited for", async () => {
    expect((await asked({ runtime: jit })).message).to.match(/the function jit\. Call it: jit\(\)/);
    const promise = Promise.resolve(jit());
    expect((await asked({ runtime: promise })).message).to.match(/Wait for it: await ortNode\(\)/);
    expect((await asked({ runtime: "jit" })).message).to.match(/cannot be "jit"\. Give what jit\(\)/);
  });

  it("a way of saving that there is not", async () => {
    for (const save of ["all", "every_step", true, [0, 1], { each: 2 }]) {
      expect(await asked({ save }), JSON.stringify(save)).to.be.instanceOf(OptionError);
    }
    expect((await asked({ save: "every_step" })).message).to.match(/did you mean "every-step"\?/);
    expect((await asked({ save: [0, 1] })).message).to.match(/Times to save at are saveAt/);
  });

  it("a control by name, showing how it is made", async () => {
    const error = await asked({ control: "pi" });
    expect(error).to.be.instanceOf(OptionError);
    expect(error.message).to.contain("pid({ ...controllers.pi })");
    // what it says runs
    await solve(rotation, { ...ask, control: pid({ ...controllers.pi }) });
  });

  it("states, times and fields that are none, by name", async () => {
    expect((await asked({ y0: undefined })).message).to.match(/needs the initial state y0/);
    expect((await asked({ y0: "1,0" })).message).to.match(/^y0 takes a tensor or arrays.*"1,0" was given/);
    expect((await asked({ y0: [1, "0"] })).message).to.match(/^y0: Nested arrays must hold numbers/);
    expect((await asked({ t0: "0" })).message).to.match(/^t0 is a time, one number, but "0"/);
    expect((await asked({ t1: undefined, saveAt: 5 })).message).to.match(
      /saveAt takes an array of times, but 5/,
    );
    expect((await rejection(solve({} as never, ask))).message).to.match(/takes an equation, neuralOde/);
    expect((await rejection(solve(whiteDwarf as never, ask))).message).to.match(/the function whiteDwarf/);
  });

  it("events that are no list, have no signal, or go no way", async () => {
    const signal: Event["signal"] = (b, _t, y) => slice(b, y, 1, 0, 1);
    expect(await asked({ events: { signal } })).to.be.instanceOf(EventError);
    expect((await asked({ events: [{ g: signal }] })).message).to.match(/"g": the function is the signal/);
    expect((await asked({ events: [{ signal: 0 }] })).message).to.match(/a function \(b, t, y\)/);
    expect((await asked({ events: [{ signal, direction: -1 }] })).message).to.match(/"rising" or "falling"/);
  });

  it("an event of each trajectory where a batch shares its steps, naming solveEach, which takes it", async () => {
    const events: Event[] = [{ signal: (b, _t, y) => slice(b, y, 1, 0, 1), terminal: true }];
    const y0 = [
      [1, 0],
      [0.5, 0],
    ];
    const error = await rejection(solve(rotation, { y0, t0: 0, t1: 3, events }));
    expect(error.message).to.match(/must be one number, but an event has the shape \[2, 1\].*use solveEach/);
    const each = await solveEach(rotation, { y0, t0: 0, t1: 3, events });
    // y = a cos t is 0 at π/2 whatever a is; the root is found far below the error of the steps, some 1e−6
    for (const { ts } of each) expect(ts.at(-1)).to.be.closeTo(Math.PI / 2, 1e-5);
  });
});

describe("neuralOde", () => {
  it("takes a method by name, and says which was meant by another", () => {
    expect(neuralOde({ field: rotation, method: "tsit5" }).method.name).to.equal("tsit5");
    expect(() => neuralOde({ field: rotation, method: "tsit" })).to.throw(UnknownSolverError, /"tsit5"/);
  });

  it("refuses what is no field, method, dtype or option", () => {
    const make = (options: object) => () => neuralOde({ field: rotation, ...options } as never);
    expect(make({ field: mlp })).to.throw(OptionError, /the function mlp was given/);
    expect(make({ method: reversible })).to.throw(OptionError, /Call it: reversible\(…\)/);
    expect(make({ solver: "rk4" })).to.throw(OptionError, /"solver": the solver is the method/);
    expect(make({ stepsize: 0.1 })).to.throw(OptionError, /did you mean "stepSize"\?/);
    expect(make({ dtype: "float" })).to.throw(OptionError, /"float32" or "float64"/);
    expect(make({ stepSize: "0.1" })).to.throw(TimeError, /"0.1" was given/);
  });
});

describe("what fields, methods and controls refuse", () => {
  it("options by another name", () => {
    const js = (options: object) => options as never;
    expect(() => mlp(js({ dim: 2, width: 32 }))).to.throw(OptionError, /"width": widths are hidden/);
    expect(() => mlp(js({ dim: 2, hidden: 32 }))).to.throw(OptionError, /hidden: \[32, 32\], but 32/);
    expect(() => mlp(js({ dim: 2, hidden: [4], activation: "Tanh" }))).to.throw(OptionError, /"Tanh"/);
    expect(() => reversible(midpoint, js({ lambda: 0.9 }))).to.throw(OptionError, /λ is coupling/);
    expect(() => reversible(midpoint, 0.9 as never)).to.throw(OptionError, /a record of options, but 0.9/);
    expect(() => reversible("midpoint" as never)).to.throw(OptionError, /couples a tableau/);
    expect(() => pid(js({ rTol: 1e-8 }))).to.throw(OptionError, /did you mean "rtol"\?/);
  });
});
