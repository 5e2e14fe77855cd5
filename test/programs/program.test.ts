import { expect } from "chai";
import { scalar, tensor } from "../../src/core/tensor.js";
import { leavesOf, pathsOf, withLeaves } from "../../src/core/tree.js";
import { GraphError } from "../../src/graph/graph.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { inputType, programOf } from "../../src/programs/program.js";
import { compileProgram, downloadTree, uploadTree } from "../../src/runtime/compile-program.js";
import { InputError } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";

const number = inputType("float64", []);

describe("a program", () => {
  it("takes and gives trees of tensors, whatever is nested in them", async () => {
    const program = programOf(
      "affine",
      { x: number, parameters: { "layers/0.weight": number }, state: [number, number], unused: null },
      (_b, { x, parameters, state: [y, z] }) => ({
        sums: { y: add(_b, mul(_b, parameters["layers/0.weight"], x), y!), z: add(_b, x, z!) },
        none: null,
      }),
    );
    expect(Object.keys((await compileProgram(jit(), program)).executable.inputs)).to.have.members([
      "x",
      "parameters/layers/0.weight",
      "state/0",
      "state/1",
    ]);
    const runtime = jit();
    const compiled = await compileProgram(runtime, program);
    const of = (value: number) => scalar("float64", value);
    const inputs = {
      x: of(3),
      parameters: { "layers/0.weight": of(2) },
      state: [of(1), of(5)],
      unused: null,
    };
    const outputs = await compiled.run(uploadTree(runtime, inputs));
    const { sums, none } = await downloadTree(runtime, outputs);
    expect([sums.y.data[0], sums.z.data[0], none]).to.deep.equal([7, 8, null]);
    await compiled.release();
  });

  it("leaves out what its graph has no use for", async () => {
    const runtime = jit();
    const program = programOf("autonomous", { t: number, y: number }, (b, { y }) => ({
      slope: mul(b, y, 2),
    }));
    const compiled = await compileProgram(runtime, program);
    const of = (value: number) => runtime.upload(scalar("float64", value));
    const { slope } = await compiled.run({ t: of(0), y: of(4) });
    expect((await runtime.download(slope)).data[0]).to.equal(8);
    await compiled.release();
  });

  it("refuses an input and an output of one path, which no file can have", () => {
    expect(() => programOf("same", { y: number }, (_b, { y }) => ({ y }))).to.throw(GraphError, '"y"');
  });

  it("says which input is missing", async () => {
    const runtime = jit();
    const program = programOf("sum", { state: [number, number] }, (b, { state: [y, z] }) => ({
      sum: add(b, y!, z!),
    }));
    const compiled = await compileProgram(runtime, program);
    const error = await compiled.run({ state: [runtime.upload(scalar("float64", 1))] }).catch((e) => e);
    expect(error).to.be.instanceOf(InputError).with.property("message").that.contains('"state/1"');
    await compiled.release();
  });

  it("refuses two inputs of one path", () => {
    const twice = { parameters: { weight: number }, "parameters/weight": number };
    expect(() => programOf("twice", twice, () => ({ nothing: null }))).to.throw(
      GraphError,
      "parameters/weight",
    );
  });
});

describe("a tree", () => {
  it("comes back from its leaves, parameters called like properties of tensors included", () => {
    const [a, b, c] = [1, 2, 3].map((value) => tensor("float32", [1], [value]));
    const tree = { parameters: { dtype: a!, shape: b! }, none: null, list: [c!] };
    expect(pathsOf(tree).map(([path]) => path)).to.deep.equal([
      "parameters/dtype",
      "parameters/shape",
      "list/0",
    ]);
    expect(withLeaves(tree, leavesOf(tree))).to.deep.equal(tree);
  });
});
