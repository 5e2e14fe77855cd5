import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { json, readJson, refusal, run, scratch, sentence } from "./command.js";

const checker = `
import json, sys, onnx
m = onnx.load(sys.argv[1])
onnx.checker.check_model(m, full_check=True)
dims = lambda v: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
print(json.dumps({
  "inputs": {v.name: dims(v) for v in m.graph.input},
  "outputs": {v.name: dims(v) for v in m.graph.output},
  "metadata": {p.key: p.value for p in m.metadata_props},
}))
`;

describe("revort export", () => {
  const folder = scratch();
  let place: string;
  before(async () => {
    place = folder("run");
    await json("train", "white-dwarf", "--steps", "3", "--learning-rate", "0.5", "--out", place);
  });

  it("writes a model that ONNX's own checker accepts, with an open batch, units and how it was trained", function () {
    try {
      execFileSync("python3", ["-c", "import onnx"], { stdio: "ignore" });
    } catch {
      console.log("      skipped: Python has no module onnx");
      this.skip();
    }
    const found = JSON.parse(
      execFileSync("python3", ["-c", checker, `${place}/field.onnx`], { encoding: "utf8" }),
    );
    expect(found.inputs).to.deep.equal({ t: [], y: ["batch", 2] });
    expect(found.outputs).to.deep.equal({ dydt: ["batch", 2] });
    expect(found.metadata).to.include({
      "revort.solver": "midpoint",
      "revort.coupling": "0.999",
      "revort.stepSize": "0.005",
      "revort.dtype": "float64",
      "revort.trainedOn": "white-dwarf",
      "revort.unit.time": "dimensionless",
      "revort.components": `["φ","φ'"]`,
    });
  });

  it("writes what the run has already, or its best parameters", async () => {
    const [last, best] = [folder("last.onnx"), folder("best.onnx")];
    const printed = await json("export", place, "--out", last);
    expect(printed).to.deep.equal({ run: place, out: last, bytes: readFileSync(last).length });
    expect(readFileSync(last).equals(readFileSync(`${place}/field.onnx`))).to.equal(true);
    await json("export", place, "--best", "--out", best);
    const { losses } = readJson(`${place}/result.json`);
    expect(losses[0], "the large rate makes things worse").to.be.lessThan(losses[2]);
    // the best are those before the first update
    await json("train", "white-dwarf", "--steps", "0", "--out", folder("initial"));
    const solved = async (file: string) =>
      (await json("solve", file, ..."--y0 1,0 --t0 0 --t1 5".split(" "))).ys;
    expect(await solved(best)).to.deep.equal(await solved(folder("initial", "field.onnx")));
    expect(await solved(best)).not.to.deep.equal(await solved(last));
  });

  it("solves to the trajectory that the loss was taken on", async () => {
    // the loss before an update at rate 0 of the loss is that of the exported parameters
    const report = await json("train", "--resume", place, "--steps", "4", "--out", folder("further"));
    const { ys } = await json(
      ...[
        "solve",
        `${place}/field.onnx`,
        "--y0",
        "1,0",
        "--t0",
        "0",
        "--t1",
        "5",
        "--save-at",
        "0.005:5:0.005",
      ],
    );
    const data = await json("train", "white-dwarf", "--steps", "0", "--out", folder("data"));
    expect(data.losses).to.deep.equal([]);
    const observed = whiteDwarf(0.005, 1000);
    const loss =
      ys.flat().reduce((sum: number, y: number, i: number) => sum + (y - observed[i]!) ** 2, 0) / 2000;
    // the data are made by coupled midpoint with h = 0.005, here by RK4: midpoint's error is h² ≈ 2e-5
    expect(report.losses[3]).to.be.closeTo(loss, 1e-4 * loss);
  });

  it("refuses what is no run, and fails where it cannot write", async () => {
    await refusal(2, "export", folder("no"), "--out", folder("x.onnx"));
    expect(await refusal(2, "export", place)).to.include("required option '--out <file>'");
    const { code, stderr } = await run(["export", place, "--out", "/proc/revort/x.onnx"]);
    expect(code).to.equal(1);
    expect(sentence(stderr)).to.include("Cannot write");
    const { code: onFolder } = await run(["export", place, "--out", folder()]);
    expect(onFolder).to.equal(1);
  });
});

/** Chandrasekhar's equation by classical RK4: φ and φ' after each of n steps of h, flat. */
function whiteDwarf(h: number, n: number): number[] {
  const f = (t: number, [y, v]: [number, number]): [number, number] => [
    v,
    -((y * y - 0.001) ** 1.5) - (2 * v) / (t + 0.5),
  ];
  const shifted = ([y, v]: [number, number], [a, b]: [number, number], by: number): [number, number] => [
    y + by * a,
    v + by * b,
  ];
  let state: [number, number] = [1, 0];
  return Array.from({ length: n }, (_, i) => {
    const t = i * h;
    const k1 = f(t, state);
    const k2 = f(t + h / 2, shifted(state, k1, h / 2));
    const k3 = f(t + h / 2, shifted(state, k2, h / 2));
    const k4 = f(t + h, shifted(state, k3, h));
    state = [0, 1].map((j) => state[j]! + (h / 6) * (k1[j]! + 2 * k2[j]! + 2 * k3[j]! + k4[j]!)) as [
      number,
      number,
    ];
    return state;
  }).flat();
}
