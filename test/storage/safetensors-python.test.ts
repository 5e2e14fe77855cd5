import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/storage/safetensors.js";
import { missingModules, python } from "../support/python.js";

const numpyTensors = `
import sys, numpy as np
from safetensors.numpy import save_file, load_file
x = np.array([[0, 1, 100], [127, 2, 3]])
tensors = {n: x.astype(n) for n in
  "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()}
tensors["scalar"] = np.array(-0.0, dtype=np.float64)
tensors["empty"] = np.zeros((2, 0, 3), dtype=np.float32)
tensors["layers.0.weight é 😀 \\uffee"] = np.array([np.nan, np.inf], dtype=np.float32)
`;

describe("safetensors beside Python's implementation", () => {
  let folder = "";

  before(function () {
    const why = missingModules("safetensors.numpy", "numpy");
    if (why !== null) {
      console.log(`      skipped: ${why}`);
      this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), "revort-safetensors-"));
  });

  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  it("reads what Python wrote", () => {
    const path = join(folder, "python.safetensors");
    const { ok, stderr } = python(`${numpyTensors}\nsave_file(tensors, sys.argv[1], {"format": "np"})`, path);
    expect(ok, stderr).to.equal(true);
    const { tensors, metadata } = decodeSafetensors(readFileSync(path));
    expect(metadata).to.deep.equal({ format: "np" });
    expect(Object.keys(tensors)).to.have.length(15);
    for (const [name, t] of Object.entries(tensors)) {
      if (t.shape.length !== 2) continue;
      expect(t.dtype).to.equal(name === "float16" ? "float32" : name);
      expect(t.shape).to.deep.equal([2, 3]);
      expect(numbers(t)).to.deep.equal(name === "bool" ? [0, 1, 1, 1, 1, 1] : [0, 1, 100, 127, 2, 3]);
    }
    expect(numbers(tensors.scalar!)).to.deep.equal([-0]);
    expect(tensors.empty!.shape).to.deep.equal([2, 0, 3]);
    expect(numbers(tensors["layers.0.weight é 😀 \uffee"]!)).to.deep.equal([NaN, Infinity]);
  });

  it("writes the very bytes that Python writes", () => {
    const path = join(folder, "same.safetensors");
    const script = `${numpyTensors}\ndel tensors["float16"]\nsave_file(tensors, sys.argv[1], {"format": "np"})`;
    expect(python(script, path).ok).to.equal(true);
    const theirs = readFileSync(path);
    const { tensors, metadata } = decodeSafetensors(theirs);
    expect(Buffer.from(encodeSafetensors(tensors, metadata)).equals(theirs)).to.equal(true);
  });

  it("writes what Python reads", () => {
    const path = join(folder, "revort.safetensors");
    const tensors: Record<string, Tensor> = {
      b: tensor("bool", [2], [true, false]),
      i: tensor("int64", [2, 1], [-(2n ** 63n), 7n]),
      f: tensor("float32", [], [1.5]),
      "\u0007 name": tensor("float64", [0], []),
    };
    writeFileSync(path, encodeSafetensors(tensors, { "a b": "é\n", z: "" }));
    const { ok, stderr } = python(
      `
import sys
from safetensors import safe_open
with safe_open(sys.argv[1], "np") as f:
  assert f.metadata() == {"a b": "é\\n", "z": ""}, f.metadata()
  t = {k: f.get_tensor(k) for k in f.keys()}
assert set(t) == {"b", "i", "f", "\\x07 name"}, t
assert t["b"].tolist() == [True, False] and t["i"].tolist() == [[-2**63], [7]]
assert t["f"].shape == () and t["f"] == 1.5 and t["\\x07 name"].shape == (0,)
`,
      path,
    );
    expect(ok, stderr).to.equal(true);
  });
});
