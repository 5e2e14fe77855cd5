import { expect } from "chai";
import { scalar, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { type Graph, nodesOf } from "../../src/graph/graph.js";
import { type Room, steering, straight } from "../../src/graph-model/straight.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { If, loop, Scan } from "../../src/ops/control.js";
import { less } from "../../src/ops/logic.js";
import { cast } from "../../src/ops/reshape.js";
import { gather } from "../../src/ops/slicing.js";
import { CompileError } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { runGraph } from "../support/evaluate.js";

const room: Room = { name: "tfjs-cpu", operators: 1000 };

const types = (graph: Graph) => nodesOf(graph).map(({ op }) => op.type);

/** y ← 2 y + i, as often as is said, with the sum of what has been. */
function doubling(trips: (b: Builder) => Parameters<typeof loop>[1]["trips"]): Graph {
  const b = new Builder();
  const x = b.input("x", "float32", [2]);
  const { carried, scans } = loop(b, { trips: trips(b), carried: [x] }, (inner, i, [y]) => {
    const next = add(inner, mul(inner, y!, 2), cast(inner, i, "float32"));
    return { carried: [next], scans: [next] };
  });
  return b.graph({ last: carried[0]!, all: scans[0]! }, "doubling");
}

const x = tensor("float32", [2], [1, -3]);

describe("graphs without loops", () => {
  it("compute what they computed with them", async () => {
    const graph = doubling(() => 5);
    const line = straight(graph, {}, room);
    expect(types(line)).to.not.include("Loop");
    expect(await runGraph(jit(), line, { x })).to.deep.equal(await runGraph(jit(), graph, { x }));
  });

  it("run as often as an input says that is known", async () => {
    const graph = doubling((b) => b.input("trips", "int64", []));
    expect([...steering(graph)]).to.deep.equal(["trips"]);
    for (const trips of [0, 1, 4]) {
      const given = scalar("int64", trips);
      const line = straight(graph, { values: new Map([["trips", given]]) }, room);
      expect(line.inputs.map(({ name }) => name)).to.deep.equal(["x"]);
      expect(await runGraph(jit(), line, { x })).to.deep.equal(
        await runGraph(jit(), graph, { x, trips: given }),
      );
    }
  });

  it("have inner loops as often as the outer ones say", async () => {
    const b = new Builder();
    const counts = b.input("counts", "int64", [3]);
    const { carried } = loop(b, { trips: 3, carried: [b.input("x", "float32", [2])] }, (outer, i, [y]) => ({
      carried: loop(outer, { trips: gather(outer, counts, i), carried: [y!] }, (inner, _j, [z]) => ({
        carried: [mul(inner, z!, 3)],
      })).carried,
    }));
    const graph = b.graph({ y: carried[0]! }, "nested");
    expect([...steering(graph)]).to.deep.equal(["counts"]);
    const values = new Map([["counts", tensor("int64", [3], [2, 0, 1])]]);
    const { y } = await runGraph(jit(), straight(graph, { values }, room), { x });
    expect([...y!.data]).to.deep.equal([27, -81]);
  });

  it("walk along the axes of a Scan, backwards where it does", async () => {
    const b = new Builder();
    const inner = b.child();
    const [sum, row] = [inner.input("sum", "float32", []), inner.input("row", "float32", [])];
    const next = add(inner, mul(inner, sum, 10), row);
    const body = inner.graph({ next, seen: next }, "body");
    const start = b.input("start", "float32", []);
    const rows = b.input("rows", "float32", [3]);
    const attributes = { body, num_scan_inputs: 1, scan_input_directions: [1], scan_output_directions: [1] };
    const [last, all] = b.emit(Scan, [start, rows], attributes);
    const line = straight(b.graph({ last: last!, all: all! }, "scan"), {}, room);
    expect(types(line)).to.not.include("Scan");
    const found = await runGraph(jit(), line, {
      start: scalar("float32", 0),
      rows: tensor("float32", [3], [1, 2, 3]),
    });
    expect([...found.last!.data]).to.deep.equal([321]);
    expect([...found.all!.data]).to.deep.equal([321, 32, 3]);
  });

  it("choose between both branches of an If", async () => {
    const b = new Builder();
    const value = b.input("x", "float32", [2]);
    const branch = (by: number) => {
      const inner = b.child();
      return inner.graph({ y: mul(inner, value, by) }, "branch");
    };
    const isSmall = b.input("isSmall", "bool", []);
    const [y] = b.emit(If, [isSmall], { then_branch: branch(2), else_branch: branch(5) });
    const line = straight(b.graph({ y: y! }, "branches"), {}, room);
    expect(types(line)).to.not.include("If");
    for (const [given, by] of [
      [true, 2],
      [false, 5],
    ] as const) {
      const found = await runGraph(jit(), line, { x, isSmall: scalar("bool", given) });
      expect([...found.y!.data]).to.deep.equal([by, -3 * by]);
    }
  });

  it("are refused where nobody knows how often a loop runs, with what to do", () => {
    const b = new Builder();
    const limit = b.input("limit", "float32", []);
    const { carried } = loop(b, { trips: 100, carried: [b.scalar("float32", 1)] }, (inner, _i, [y]) => {
      const next = mul(inner, y!, 2);
      return { carried: [next], proceed: less(inner, next, limit) };
    });
    const graph = b.graph({ y: carried[0]! }, "until");
    expect(() => straight(graph, {}, room))
      .to.throw(CompileError, 'tfjs-cpu cannot run the graph "until"')
      .with.property("message")
      .that.matches(/known only when it has run.*steps of one size.*jit/);
  });

  it("are refused where they become too long, with what to do", () => {
    const graph = doubling(() => 400);
    expect(() => straight(graph, {}, room))
      .to.throw(CompileError, "more than 1000 operators")
      .with.property("message")
      .that.contains("larger step size");
    expect(types(straight(graph, {}, { ...room, operators: 10_000 })).length).to.be.above(1000);
  });
});
