import { expect } from "chai";
import { measuredHere, widestVectors } from "../../src/cli/bench/machine.js";

describe("where benchmarks are measured", () => {
  it("is told with the widest vectors of the processor, where it says them", () => {
    expect(widestVectors(["sse2", "avx", "avx2", "avx512f"])).to.equal("AVX-512");
    expect(widestVectors(["sse2", "avx", "avx2"])).to.equal("AVX2");
    expect(widestVectors(["fp", "asimd"])).to.equal(null);
    const { cpu, cores } = measuredHere().machine;
    expect(cpu).to.match(/^\S.*?( with AVX(2|-512))?$/);
    expect(cores).to.be.above(0);
  });
});
