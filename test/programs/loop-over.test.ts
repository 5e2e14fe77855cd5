import { expect } from "chai";
import { scalar } from "../../src/core/tensor.js";
import { GraphError } from "../../src/graph/graph.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { loopOver } from "../../src/programs/loop-over.js";
import { inputType, programOf } from "../../src/programs/program.js";
import { compileProgram, downloadTree, uploadTree } from "../../src/runtime/compile-program.js";
import { jit } from "../../src/runtimes/jit/jit.js";

const number = inputType("float64", []);

describe("a loop over a tree", () => {
  it("carries and stacks up trees, whatever the order of their properties", async () => {
    const runtime = jit();
    const program = programOf("powers", { x: number, factor: number }, (b, { x, factor }) => {
      const carried = { power: x, sum: x, none: null };
      return loopOver(b, { trips: 3, carried, length: 3 }, (inner, before) => {
        const power = mul(inner, before.power, factor);
        return {
          carried: { sum: add(inner, before.sum, power), none: null, power },
          scans: { powers: power, none: null },
        };
      });
    });
    const compiled = await compileProgram(runtime, program);
    const of = (value: number) => scalar("float64", value);
    const outputs = await compiled.run(uploadTree(runtime, { x: of(1), factor: of(2) }));
    const { carried, scans } = await downloadTree(runtime, outputs);
    expect([carried.power.data[0], carried.sum.data[0], carried.none]).to.deep.equal([8, 15, null]);
    expect([...scans.powers.data]).to.deep.equal([2, 4, 8]);
    await compiled.release();
  });

  it("refuses to hand on a tree of another form", () => {
    const build = () =>
      programOf("other", { x: number }, (b, { x }) => ({
        end: loopOver(b, { trips: 1, carried: { x, y: x } as { x: typeof x; y?: typeof x } }, () => ({
          carried: { x },
        })).carried.x,
      }));
    expect(build).to.throw(GraphError, "x,y were carried in, but x came back");
  });
});
