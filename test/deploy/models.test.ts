import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, sizeOf, type Tensor, tensor } from "../../src/core/tensor.js";
import { decode } from "../../src/graph/decode.js";
import { missingModules, python } from "../support/python.js";
import { bareSession } from "./bare.js";

const root = "models";
const readme = readFileSync(join(root, "README.md"), "utf8");
/** The folders of trained models of experiments: those with a row in the table. */
const folders = [...readme.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name!);

describe("the trained models that come with the sources", () => {
  it("are in the table, or have a page of their own", () => {
    for (const { name } of readdirSync(root, { withFileTypes: true }).filter((one) => one.isDirectory())) {
      const hasPage = readdirSync(join(root, name)).includes("README.md");
      expect(hasPage || folders.includes(name), name).to.equal(true);
    }
  });

  for (const folder of folders) {
    it(`run by themselves, and are small: ${folder}`, async () => {
      for (const file of readdirSync(join(root, folder))) {
        const path = join(root, folder, file);
        expect(statSync(path).size).to.be.below(300_000);
        expect(readme).to.include(`\`${file}\``);
        const bytes = readFileSync(path);
        const random = Random.seeded(2);
        const inputs = decode(bytes, { source: path }).graph.inputs.map(({ name, dtype, shape }) => {
          const own = shape!.map((dim) => (typeof dim === "number" ? dim : 2));
          // times one after the other
          const values = Array.from({ length: sizeOf(own) }, (_, i) =>
            name === "t1" ? 1 : name === "t0" ? 0 : name === "ts" ? i / 2 : 0.5 * random.normal(),
          );
          const numbersOf = dtype === "int64" ? values.map((_, i) => BigInt(i)) : values;
          return [name, tensor(dtype!, own, numbersOf as never)] as const;
        });
        const outputs = await (await bareSession(bytes)).run(Object.fromEntries<Tensor>(inputs));
        for (const [name, value] of Object.entries(outputs)) {
          expect(numbers(value).every(Number.isFinite), `${path} ${name}`).to.equal(true);
        }
      }
    });
  }

  it("run in Python's onnxruntime alone, each of them", function () {
    const missing = missingModules("onnxruntime", "numpy");
    if (missing !== null) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    const files = folders.flatMap((folder) =>
      readdirSync(join(root, folder)).map((file) => `${root}/${folder}/${file}`),
    );
    const script = `
import json, numpy as np, onnxruntime as ort
kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
options = ort.SessionOptions()
options.log_severity_level = 3
for path in json.loads('${JSON.stringify(files)}'):
    session = ort.InferenceSession(path, options)
    given = {}
    for x in session.get_inputs():
        size = [n if isinstance(n, int) else 2 for n in x.shape]
        # what has an order, as times do, ascends
        given[x.name] = np.linspace(0, 1, int(np.prod(size))).reshape(size).astype(kinds[x.type])
    for name, value in zip([y.name for y in session.get_outputs()], session.run(None, given)):
        assert np.isfinite(value).all(), (path, name)
print(len(json.loads('${JSON.stringify(files)}')))
`;
    const { ok, stdout, stderr } = python(script);
    expect(ok, stderr).to.equal(true);
    expect(stdout.trim()).to.equal(String(files.length));
  });

  it("run as their page says, in Python", function () {
    const missing = missingModules("onnxruntime", "numpy");
    if (missing !== null) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    const [, script] = /```python\n([\s\S]*?)```/.exec(readme)!;
    // Kozachenko and Leonenko's estimate of the entropy from the distance of each point to its nearest:
    // it knows the points alone, not their density
    const nearest = `
squares = ((moons[:, None].astype(float) - moons[None]) ** 2).sum(-1)
np.fill_diagonal(squares, np.inf)
n, euler = len(moons), 0.5772156649
print("nearest", np.log(n) - 1 / (2 * n) + euler + np.log(np.pi) + np.log(squares.min(1)).mean())
`;
    const { ok, stdout, stderr } = python(`${script}${nearest}`);
    expect(ok, stderr).to.equal(true);
    const [, entropy, mean] = /moons (\S+) mean at t = 63 (\S+)/.exec(stdout)!.map(Number);
    expect(entropy).to.be.closeTo(Number(/nearest (\S+)/.exec(stdout)![1]), 0.15);
    // two half circles with noise of 0.05 have ln 2π + ½ ln 2πe·0.05² = 0.26, and no flow spreads them by much more
    expect(entropy).to.be.within(0.2, 0.6);
    // that of the process is 10.6
    expect(mean).to.be.within(9.5, 12);
  });
});
