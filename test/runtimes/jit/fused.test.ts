import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { numbers, tensor } from "../../../src/core/tensor.js";
import { Builder } from "../../../src/graph/builder.js";
import type { Value } from "../../../src/graph/graph.js";
import { mul, sub } from "../../../src/ops/arithmetic.js";
import { type Runtime, RuntimeUnavailableError } from "../../../src/runtime/runtime.js";
import { hasFusedMultiplyAdd } from "../../../src/runtimes/jit/engine.js";
import { jit } from "../../../src/runtimes/jit/jit.js";

const option = "--experimental-wasm-relaxed-simd";

describe("the fused multiply-add of the compiled runtime", () => {
  it("can be declined, for the same bits on every machine", async () => {
    // y − x² with x = 1 + 2⁻³⁰ and y = x² rounded: 0 after rounding the product, −2⁻⁶⁰ without
    const [x, y] = [1 + 2 ** -30, 1 + 2 ** -29];
    const b = new Builder();
    const given = ["x", "y"].map((name) => b.input(name, "float64", [8])) as [Value, Value];
    const graph = b.graph({ z: sub(b, given[1], mul(b, given[0], given[0])) });
    const rounded = async (runtime: Runtime) => {
      const executable = await runtime.compile(graph);
      const of = (value: number) => runtime.upload(tensor("float64", [8], Array(8).fill(value)));
      return numbers(await runtime.download((await executable.run({ x: of(x), y: of(y) })).z!));
    };
    expect(await rounded(jit({ fused: false }))).to.deep.equal(Array(8).fill(0));
    if (hasFusedMultiplyAdd()) {
      expect(await rounded(jit({ fused: true }))).to.deep.equal(Array(8).fill(-(2 ** -60)));
    }
  });

  it("is refused with a remedy where the engine has none", function () {
    if (hasFusedMultiplyAdd()) this.skip();
    expect(() => jit({ fused: true })).to.throw(RuntimeUnavailableError, "fused: false");
  });

  it("passes what the compiled runtime passes without it", function () {
    // where the engine has it anyway, the tests beside this one have run with it
    if (hasFusedMultiplyAdd()) this.skip();
    const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
    const mocha = fileURLToPath(new URL("../../../node_modules/mocha/bin/mocha.js", import.meta.url));
    const files = [
      ...["fused.test.ts", "functions.test.ts", "white-dwarf.test.ts", "opset.test.ts", "contract.test.ts"],
      ...["../long-sums.test.ts", "../../ops/agreement.test.ts", "../../ops/random.test.ts"],
      // what is to be the same bits in any number of threads, and on every runtime
      ...["../../models/parts.test.ts", "../../systems/brownian.test.ts"],
    ].map(here);
    const report = execFileSync(
      process.execPath,
      [option, "--import", "tsx", mocha, "--no-config", "--timeout", "60000", "--reporter", "json", ...files],
      { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 2 ** 28 },
    );
    const { stats } = JSON.parse(report.slice(report.indexOf("{"))) as {
      stats: { passes: number; failures: number };
    };
    expect(stats.failures).to.equal(0);
    expect(stats.passes).to.be.above(100);
  });
});
