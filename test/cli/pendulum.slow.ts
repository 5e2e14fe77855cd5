import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { json, scratch, written } from "./command.js";

/** θ'' = −c θ' − (g/l) sin θ at given times, by the classical Runge–Kutta method with steps of at most 0.002. */
function pendulum(times: readonly number[]): number[][] {
  const f = ([angle, speed]: readonly number[]) => [speed!, -0.25 * speed! - 9.81 * Math.sin(angle!)];
  const moved = (y: readonly number[], k: readonly number[], h: number) => y.map((v, j) => v + h * k[j]!);
  let [t, y] = [times[0]!, [2, 0]];
  return times.map((to) => {
    const steps = Math.ceil((to - t) / 0.002);
    const h = (to - t) / Math.max(1, steps);
    for (let i = 0; i < steps; i++) {
      const k1 = f(y);
      const k2 = f(moved(y, k1, h / 2));
      const k3 = f(moved(y, k2, h / 2));
      const k4 = f(moved(y, k3, h));
      y = y.map((v, j) => v + (h / 6) * (k1[j]! + 2 * k2[j]! + 2 * k3[j]! + k4[j]!));
    }
    t = to;
    return [...y];
  });
}

describe("revort train FILE.csv, on a damped pendulum at 120 irregular times with noise", () => {
  const folder = scratch();
  const random = Random.seeded(7);
  const times = [0, ...Array.from({ length: 119 }, () => 10 * random.uniform()).sort((a, b) => a - b)];
  const truth = pendulum(times);
  const [noise, sizes] = [0.1, [1, 3]];
  const rows = truth.map((y, i) => [times[i], ...y.map((v, j) => v + noise * sizes[j]! * random.normal())]);
  const data = () =>
    written(folder("pendulum.csv"), `t,angle,speed\n${rows.map((row) => row.join()).join("\n")}\n`);

  for (const seed of [0, 1, 2]) {
    it(`finds the motion by default (seed ${seed})`, async () => {
      const report = await json(
        "train",
        data(),
        "--runtime",
        "jit",
        "--seed",
        String(seed),
        "--out",
        folder(`${seed}`),
      );
      // the noise is 0.0155 of the variance; a flat line is 1
      expect(report.check.loss).to.be.below(0.03);
      expect(report.check.warning).to.equal(null);
    });
  }
});
