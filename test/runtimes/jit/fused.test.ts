import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { RuntimeUnavailableError } from "../../../src/runtime/runtime.js";
import { hasFusedMultiplyAdd } from "../../../src/runtimes/jit/engine.js";
import { jit } from "../../../src/runtimes/jit/jit.js";

const option = "--experimental-wasm-relaxed-simd";

describe("the fused multiply-add of the compiled runtime", () => {
  it("can be declined, for the same bits on every machine", () => {
    expect(jit({ fused: false }).name).to.equal("jit");
  });

  it("is refused with a remedy where the engine has none", function () {
    if (hasFusedMultiplyAdd()) this.skip();
    expect(() => jit({ fused: true })).to.throw(RuntimeUnavailableError, "fused: false");
  });

  it("passes what the compiled runtime passes without it", function () {
    // where the engine has it anyway, the tests beside this one have run with it
    if (hasFusedMultiplyAdd()) this.skip();
    this.timeout(120_000);
    const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
    const mocha = fileURLToPath(new URL("../../../node_modules/mocha/bin/mocha.js", import.meta.url));
    const files = [
      ...["functions.test.ts", "white-dwarf.test.ts", "opset.test.ts", "contract.test.ts"],
      ...["../long-sums.test.ts", "../../ops/agreement.test.ts"],
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
