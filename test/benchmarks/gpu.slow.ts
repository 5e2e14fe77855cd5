import { spawnSync } from "node:child_process";
import { expect } from "chai";
import { resultSchema } from "../../benchmarks/result.js";

describe("benchmarks/gpu.ts", () => {
  it("would run on a machine with a GPU: in small, on a runtime that there is and one that there is not", () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        ...["--import", "tsx", "benchmarks/gpu.ts", "--dry", "--json", "--runtimes", "jit,ort-cuda"],
        ...["--python", "/nowhere/python", "--minutes", "5"],
      ],
      { encoding: "utf8" },
    );
    expect(status, stderr).to.equal(0);
    const { rows, failures } = resultSchema.parse(JSON.parse(stdout));
    const done = rows.filter(({ runtime }) => runtime === "jit").map(({ part }) => part);
    expect(done).to.include.members(["white-dwarf", "512x64", "4096x256", "two-moons"]);
    for (const row of rows) if (row.normError !== undefined) expect(row.normError).to.be.below(1e-3);
    // each once, or there is a GPU
    for (const name of ["JAX", "ort-cuda"])
      expect(failures.filter((text) => text.startsWith(name)).length, name).to.be.at.most(1);
    expect(failures.some((text) => text.startsWith("JAX: "))).to.equal(true);
  }).timeout(320_000);
});
