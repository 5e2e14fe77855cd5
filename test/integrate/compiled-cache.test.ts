import { expect } from "chai";
import { pid } from "../../src/control/control.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { lotkaVolterra } from "../../src/fields/physical.js";
import type { Graph } from "../../src/graph/graph.js";
import { CompiledCache } from "../../src/integrate/compiled-cache.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { type SolveOptions, solve } from "../../src/integrate/solve.js";
import { rk4, tsit5 } from "../../src/methods/tableaux.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";

const parameters = {
  alpha: tensor("float64", [], [0.5]),
  beta: tensor("float64", [], [0.025]),
  delta: tensor("float64", [], [0.025]),
  gamma: tensor("float64", [], [0.8]),
};
const y0 = tensor("float64", [1, 2], [30, 4]);

/** The compiled runtime, with a list of what is compiled and how much of it is still there. */
function watched(): { runtime: Runtime; compiled: string[]; alive: () => number } {
  const inner = jit();
  const compiled: string[] = [];
  let alive = 0;
  return {
    compiled,
    alive: () => alive,
    runtime: {
      ...inner,
      async compile(graph: Graph) {
        compiled.push(graph.name);
        alive++;
        const executable = await inner.compile(graph);
        return {
          ...executable,
          async release() {
            alive--;
            await executable.release();
          },
        };
      },
    },
  };
}

describe("what an equation has compiled", () => {
  it("serves the next solve like it, with other numbers, times and tolerances", async () => {
    const { runtime, compiled } = watched();
    const ode = neuralOde({ field: lotkaVolterra(), method: tsit5 });
    const request = (t1: number, tolerance = 1e-8): SolveOptions => ({
      ...{ runtime, parameters, y0, t0: 0, t1 },
      control: pid({ rtol: tolerance, atol: tolerance }),
    });
    const first = await solve(ode, request(20));
    for (const t1 of [1, 7, 20]) await solve(ode, request(t1));
    expect(compiled).to.deep.equal(["launch"]);
    expect(numbers((await solve(ode, request(20))).ys)).to.deep.equal(numbers(first.ys));
    const rough = await solve(ode, request(20, 1e-6));
    expect(compiled).to.deep.equal(["launch"]);
    const fresh = neuralOde({ field: lotkaVolterra(), method: tsit5 });
    expect(numbers(rough.ys)).to.deep.equal(numbers((await solve(fresh, request(20, 1e-6))).ys));
    expect(rough.stats.steps).to.be.below(first.stats.steps);
    expect(compiled).to.have.length(2);
    await solve(ode, { ...request(20), save: "dense" });
    expect(compiled).to.have.length(3);
  });

  it("serves solves with fixed steps too", async () => {
    const { runtime, compiled } = watched();
    const ode = neuralOde({ field: lotkaVolterra(), method: rk4, stepSize: 0.1 });
    for (const t1 of [1, 5, 3]) await solve(ode, { runtime, parameters, y0, t0: 0, t1 });
    expect(compiled).to.deep.equal(["solve"]);
  });

  it("is freed when others have been used since, and when asked", async () => {
    const { runtime, alive } = watched();
    const ode = neuralOde({ field: lotkaVolterra(), method: tsit5 });
    for (let k = 1; k <= 9; k++) {
      await solve(ode, { runtime, parameters, y0, t0: 0, t1: 1, control: pid({ safety: k / 10 }) });
    }
    expect(alive()).to.equal(4);
    await ode.cache.release();
    expect(alive()).to.equal(0);
    await solve(ode, { runtime, parameters, y0, t0: 0, t1: 1, control: pid() });
    expect(alive()).to.equal(1);
  });

  it("stays for those that are using it, and goes where it could not be made", async () => {
    const kept = new CompiledCache();
    const freed: number[] = [];
    const use = (key: number, work: () => Promise<void> = async () => {}) =>
      kept.use([key], async () => ({ release: async () => void freed.push(key) }), work);
    let finish = () => {};
    const busy = use(0, () => new Promise((resolve) => (finish = resolve)));
    for (let key = 1; key <= 6; key++) await use(key);
    expect(freed).to.deep.equal([1, 2, 3]);
    finish();
    await busy;
    let made = 0;
    const failing = () =>
      kept.use(
        ["bad"],
        async () => {
          made++;
          throw new Error("cannot be made");
        },
        async () => {},
      );
    for (let k = 0; k < 2; k++) {
      let message = "";
      await failing().catch((cause) => {
        message = cause.message;
      });
      expect(message).to.equal("cannot be made");
    }
    expect(made).to.equal(2);
  });
});
