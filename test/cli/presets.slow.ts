import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { rungeKutta } from "../support/systems.js";
import { json, scratch, written } from "./command.js";

type State = readonly number[];

/** Data of the kind that a preset is for: rows at irregular times with errors, a share of them eight times as large. */
interface Kind {
  readonly derivative: (t: number, y: State) => State;
  readonly y0: State;
  readonly end: number;
  readonly rows: number;
  readonly noise: number;
  readonly outliers: number;
}

const vanDerPol =
  (m: number) =>
  (_: number, [x, v]: State): State => [v!, m * (1 - x! ** 2) * v! - x!];

const kinds: Readonly<Record<string, Kind>> = {
  small: {
    derivative: (_, [x, v]) => [v!, -4 * x! - 0.4 * v!],
    ...{ y0: [1, 0], end: 5, rows: 16, noise: 0.05, outliers: 0 },
  },
  noisy: {
    derivative: (_, [q, v]) => [v!, -0.2 * v! - 2 * Math.sin(q!)],
    ...{ y0: [2, 0], end: 12, rows: 100, noise: 0.25, outliers: 0.06 },
  },
  stiff: { derivative: vanDerPol(5), ...{ y0: [2, 0], end: 16, rows: 160, noise: 0.02, outliers: 0 } },
  long: { derivative: vanDerPol(1), ...{ y0: [0.5, 0], end: 60, rows: 700, noise: 0.05, outliers: 0 } },
};

describe("revort train FILE --preset, on data of its kind", () => {
  const folder = scratch();

  for (const [name, kind] of Object.entries(kinds)) {
    it(`comes as near to the truth as without it, or nearer: ${name}`, async function () {
      this.timeout(900_000);
      const { derivative, y0, end, rows, noise, outliers } = kind;
      const random = Random.seeded(4);
      const inner = Array.from({ length: rows - 1 }, () => end * random.uniform());
      const times = [0, ...inner.sort((a, b) => a - b)];
      const at = (on: readonly number[], steps: number) =>
        rungeKutta(async (t, y) => derivative(t, y), y0, on, steps);
      const exact = await at(times, 40);
      const size = [0, 1].map((i) => Math.sqrt(exact.reduce((sum, y) => sum + y[i]! ** 2 / rows, 0)));
      const measured = (value: number, i: number) =>
        value + noise * size[i]! * random.normal() * (random.uniform() < outliers ? 8 : 1);
      const text = exact.map((y, k) => [times[k], ...y.map(measured)].join()).join("\n");
      const data = written(folder(`${name}.csv`), `t,a,b\n${text}\n`);
      const truth = await at(
        Array.from({ length: 201 }, (_, k) => (k * end) / 200),
        100,
      );
      const errorOf = async (...words: string[]) => {
        const out = folder(`${name}-run`);
        await json("train", data, ...words, "--out", out, "--overwrite");
        const { states } = await json("predict", out, "--to", String(end), "--every", String(end / 200));
        const squares = truth.flatMap((y, k) =>
          y.map((value, i) => ((states[i][k] - value) / size[i]!) ** 2),
        );
        return Math.sqrt(squares.reduce((sum, one) => sum + one / squares.length, 0));
      };
      const [own, usual] = [await errorOf("--preset", name), await errorOf()];
      console.log(`      ${own.toPrecision(3)}, ${usual.toPrecision(3)} without it`);
      expect(own).to.be.at.most(1.05 * usual);
    });
  }
});
