import { expect } from "chai";
import { SizeError } from "../../src/core/size.js";
import { type DType, fromNested, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { decode } from "../../src/graph/decode.js";
import type { Graph } from "../../src/graph/graph.js";
import { ModelError, UnsupportedOperatorError } from "../../src/graph/model.js";
import { type Signature, opset as writtenOpset } from "../../src/graph/signature.js";
import { adapters } from "../../src/import/adapters.js";
import { formOf } from "../../src/import/forms.js";
import { toGraph } from "../../src/import/to-graph.js";
import { operators } from "../../src/ops/opset.js";
import { file, type GraphInit, type Held, node, stored, value } from "./onnx-file.js";

/** Everything that a node of ONNX's own domain may be. */
const signatures: readonly Signature[] = [
  ...new Set([...operators.map(({ type }) => type), ...adapters.keys()]),
].map((type) => formOf(type)!);

const build = (graph: GraphInit, version = 21, more: Parameters<typeof file>[2] = {}): Graph =>
  toGraph(decode(file(graph, version, more), { source: "m.onnx" }));

interface Mistake {
  readonly operands?: readonly string[];
  readonly types?: readonly DType[];
  readonly attributes?: Readonly<Record<string, Held>>;
  readonly results?: readonly string[];
  readonly version?: number;
}

/** The opset that is written, or a newer one that has all of a signature. */
function newestForm({ since = 0, inputs }: Signature): number {
  return Math.max(writtenOpset, since, ...inputs.map((parameter) => parameter.since ?? 0));
}

/** A file of one node "n1" with operands of the first types that its operator takes, but for a mistake. */
function attempt(signature: Signature, mistake: Mistake): () => Graph {
  const version = mistake.version ?? newestForm(signature);
  const parameters = signature.inputs.filter(({ since = 0 }) => since <= version);
  const types = mistake.types ?? parameters.map((p) => p.types.of[0]!);
  const names = mistake.operands ?? types.map((_, i) => `x${i}`);
  return () =>
    build(
      {
        input: types.map((dtype, i) => value(`x${i}`, dtype, ...(parameters[i]?.list ? [2] : [2, 2]))),
        output: [{ name: "y" }],
        node: [
          node(signature.type, names, mistake.results ?? ["y"], mistake.attributes ?? {}, { name: "n1" }),
        ],
      },
      version,
    );
}

/** Each message names the file, the node and its operator. */
const located = (type: string, rest: RegExp) =>
  new RegExp(`^m\\.onnx: the node "n1" \\(${type}\\): .*${rest.source}`);

describe("a node of a file is refused, for every operator and every form that is adapted,", () => {
  const each = (what: string, body: (signature: Signature) => void) =>
    it(what, () => {
      for (const signature of signatures) body(signature);
    });

  each("with an attribute that it does not have", (signature) => {
    // a Constant says what it may have
    const message = signature.type === "Constant" ? /"surprise"/ : /has no attribute "surprise"/;
    expect(attempt(signature, { attributes: { surprise: 1 } }), signature.type).to.throw(
      ModelError,
      located(signature.type, message),
    );
  });

  each("with an attribute of another kind: a float for an integer, an integer for a float", (signature) => {
    for (const [name, rule] of Object.entries(signature.attributes ?? {})) {
      const version = Math.max(
        rule.since ?? 0,
        Math.min(writtenOpset, (rule.until ?? 99) - 1),
        signature.since ?? 0,
      );
      const wrong: Held = rule.kind === "int" ? { float: 1 } : 1;
      const message =
        signature.type === "Constant"
          ? new RegExp(`"${name}"`)
          : new RegExp(`"${name}" of ${signature.type} must be `);
      expect(
        attempt(signature, { attributes: { [name]: wrong }, version }),
        `${signature.type} ${name}`,
      ).to.throw(ModelError, located(signature.type, message));
    }
  });

  each("with an attribute that came later, or is gone", (signature) => {
    for (const [name, { since, until }] of Object.entries(signature.attributes ?? {})) {
      for (const [version, message] of [
        [(since ?? 0) - 1, `it came with opset ${since}`],
        [until ?? 0, `it is gone since opset ${until}`],
      ] as const) {
        if (version < Math.max(7, signature.since ?? 0) || signature.type === "Constant") continue;
        const held: Held = 1;
        expect(
          attempt(signature, { attributes: { [name]: held }, version }),
          `${signature.type} ${name}`,
        ).to.throw(ModelError, located(signature.type, new RegExp(message)));
      }
    }
  });

  each("with one operand too many", (signature) => {
    if (signature.inputs.at(-1)?.presence === "repeated") return;
    const operands = [...signature.inputs.map((_, i) => `x${i}`), "x0"];
    const types = [...signature.inputs.map(({ types }) => types.of[0]!), "float32" as const];
    expect(attempt(signature, { operands: types.map((_, i) => `x${i}`), types }), `${operands}`).to.throw(
      ModelError,
      located(signature.type, /takes .*, but \d were given/),
    );
  });

  each("without an operand that it needs", (signature) => {
    signature.inputs.forEach(({ name, presence, least }, i) => {
      if (presence === "optional" || least === 0) return;
      const operands = signature.inputs.map((_, at) => (at === i ? "" : `x${at}`));
      expect(attempt(signature, { operands }), signature.type).to.throw(
        ModelError,
        located(signature.type, new RegExp(`operand "${name}" is missing`)),
      );
    });
  });

  each("with element types that it does not take", (signature) => {
    signature.inputs.forEach(({ name, types: { of, words } }, i) => {
      if (of.includes("bool") && of.length > 1) return;
      const types = signature.inputs.map((parameter, at) =>
        at === i ? (of[0] === "bool" ? "float32" : "bool") : parameter.types.of[0]!,
      );
      expect(attempt(signature, { types }), signature.type).to.throw(
        ModelError,
        located(signature.type, new RegExp(`operand "${name}" must be ${words}, but is `)),
      );
    });
  });

  each("with more results than it has", (signature) => {
    if (signature.outputs === Number.POSITIVE_INFINITY) return;
    const results = Array.from({ length: (signature.outputs ?? 1) + 1 }, (_, i) => (i === 0 ? "y" : `y${i}`));
    expect(attempt(signature, { results }), signature.type).to.throw(
      ModelError,
      located(signature.type, /has \d results?, but the node names \d/),
    );
  });

  each("in a file older than the operator", (signature) => {
    if (signature.since === undefined || signature.since <= 7) return;
    const version = signature.since - 1;
    expect(attempt(signature, { version }), signature.type).to.throw(
      ModelError,
      located(
        signature.type,
        new RegExp(
          `came with opset ${signature.since}, but the model uses opset ${version}|had another form`,
        ),
      ),
    );
  });
});

describe("what a file says is neither dropped nor guessed", () => {
  const refuses = (
    what: string,
    graph: GraphInit,
    message: RegExp,
    version = 21,
    kind: typeof ModelError | typeof UnsupportedOperatorError = ModelError,
  ) =>
    it(what, () => {
      expect(() => build(graph, version)).to.throw(kind as typeof ModelError, message);
    });
  const y = { output: [{ name: "y" }] };
  const heads = ["q", "k", "v"].map((name) => value(name, "float32", 1, 1, 5, 1));
  const cube = value("x", "float32", 2, 2, 2);
  const constants = (tensors: Readonly<Record<string, Tensor>>) =>
    Object.entries(tensors).map(([name, t]) => stored(name, t));

  for (const [side, means] of [
    ["left", [2, 2, 2.5, 3, 3.5]],
    ["right", [0.5, 1, 1.5, 2, 2]],
  ] as const) {
    it(`attention within a ${side} window is not attention to everything`, () => {
      // with scores of 0 it is the mean of the values that a query may see: 0, 1, 2, 3, 4, up to one place behind or ahead
      const constant = (name: string, values: number[]) =>
        stored(name, tensor("float32", [1, 1, 5, 1], values));
      const graph = build(
        {
          ...y,
          input: [],
          initializer: [constant("q", [0, 0, 0, 0, 0]), constant("v", [0, 1, 2, 3, 4])],
          node: [node("Attention", ["q", "q", "v"], ["y"], { [`${side}_window_size`]: 1 })],
        },
        25,
      );
      numbers(graph.outputs[0]!.value.constant!).forEach((mean, i) => {
        // one rounding of the weights, one of each sum
        expect(mean).to.be.closeTo(means[i]!, 1e-6);
      });
    });
  }
  it("a window without bounds is", () => {
    const attributes = { left_window_size: -1, right_window_size: -1, scale: { float: 1 } };
    const graph = build(
      { ...y, input: heads, node: [node("Attention", ["q", "k", "v"], ["y"], attributes)] },
      25,
    );
    expect(graph.outputs[0]!.value.shape).to.deep.equal([1, 1, 5, 1]);
  });
  refuses(
    "attention in less precision is not attention in more",
    { ...y, input: heads, node: [node("Attention", ["q", "k", "v"], ["y"], { softmax_precision: 10 })] },
    /"softmax_precision" of Attention is 10/,
    23,
    UnsupportedOperatorError,
  );
  refuses(
    "attention with other numbers of heads than its operands have",
    { ...y, input: heads, node: [node("Attention", ["q", "k", "v"], ["y"], { q_num_heads: 5 })] },
    /ask for 5 heads, but float32\[1, 1, 5, 1\] has 1/,
    23,
  );
  refuses(
    "a Tanh of two operands",
    { ...y, input: [cube], node: [node("Tanh", ["x", "x"], ["y"])] },
    /Tanh takes the operands "X", but 2 were given/,
  );
  refuses(
    "indices that are no integers",
    {
      ...y,
      input: [cube],
      initializer: constants({ i: tensor("float64", [2], [0, 1]) }),
      node: [node("Gather", ["x", "i"], ["y"])],
    },
    /Gather: the operand "indices" must be int32 or int64, but is float64\[2\]/,
  );
  refuses(
    "batches of a GatherND that do not agree",
    {
      ...y,
      input: [cube],
      initializer: constants({ i: tensor("int64", [1, 2, 1], [0, 1]) }),
      node: [node("GatherND", ["x", "i"], ["y"], { batch_dims: 1 })],
    },
    /batch_dims 1, float32\[2, 2, 2\] and int64\[1, 2, 1\] must agree/,
    13,
  );
  for (const count of [-3, 2, 3]) {
    refuses(
      `${count} batch dimensions of a GatherND with an index list of rank 2`,
      {
        ...y,
        input: [cube],
        initializer: constants({ i: tensor("int64", [2, 1], [0, 1]) }),
        node: [node("GatherND", ["x", "i"], ["y"], { batch_dims: count })],
      },
      new RegExp(`batch_dims is ${count}, but .* have 0 to 1 leading axes in common`),
      13,
    );
  }
  refuses(
    "a Tile by less than nothing",
    {
      ...y,
      input: [cube],
      initializer: constants({ n: tensor("int64", [3], [1, -16, 1]) }),
      node: [node("Tile", ["x", "n"], ["y"])],
    },
    /float32\[2, 2, 2\] cannot be repeated -16 times/,
  );
  refuses(
    "indices of a GatherElements beyond the data",
    {
      ...y,
      input: [value("x", "float32", 2, 2)],
      initializer: constants({ i: tensor("int64", [3, 2], [0, 0, 0, 0, 0, 0]) }),
      node: [node("GatherElements", ["x", "i"], ["y"], { axis: 1 })],
    },
    /GatherElements: along an axis other than 1 .*int64\[3, 2\] are longer/,
  );
  refuses(
    "a Split with sizes and a number of parts",
    {
      ...y,
      input: [cube],
      initializer: constants({ n: tensor("int64", [2], [1, 1]) }),
      node: [node("Split", ["x", "n"], ["y", "z"], { num_outputs: 2 })],
    },
    /sizes of its parts or num_outputs, but both/,
  );
  refuses(
    "a Split of other parts than it names",
    {
      ...y,
      input: [cube],
      initializer: constants({ n: tensor("int64", [2], [1, 1]) }),
      node: [node("Split", ["x", "n"], ["y", "z", "w"])],
    },
    /Split has 2 results here, but the node names 3/,
  );
  refuses(
    "unequal parts before opset 18",
    { ...y, input: [value("x", "float32", 5)], node: [node("Split", ["x"], ["y", "z"])] },
    /length 5 has no 2 equal parts/,
    13,
  );
  refuses(
    "a Constant with operands",
    { ...y, input: [cube], node: [node("Constant", ["x"], ["y"], { value_int: 1 })] },
    /Constant takes no operands, but 1 were given/,
  );
  const branch = (name: string, type: string): GraphInit => ({
    name,
    output: [{ name }],
    node: [node(type, ["x"], [name])],
  });
  refuses(
    "an If whose condition is two",
    {
      ...y,
      input: [cube],
      initializer: constants({ c: tensor("bool", [2], [true, false]) }),
      node: [
        node("If", ["c"], ["y"], {
          then_branch: { graph: branch("a", "Neg") },
          else_branch: { graph: branch("b", "Tanh") },
        }),
      ],
    },
    /If: the condition must be one number/,
  );
  refuses(
    "an If with one branch, whatever its condition",
    {
      ...y,
      input: [cube],
      initializer: constants({ c: tensor("bool", [], [true]) }),
      node: [node("If", ["c"], ["y"], { then_branch: { graph: branch("a", "Neg") } })],
    },
    /If needs the attribute "else_branch"/,
  );
  const body: GraphInit = {
    name: "body",
    input: [value("s", "float32", 2), value("e", "float32")],
    output: [value("s1", "float32", 2)],
    node: [node("Add", ["s", "e"], ["s1"])],
  };
  for (const [attributes, message] of [
    [{ num_scan_inputs: 5 }, /num_scan_inputs is 5, but must be 1 to 2/],
    [{ num_scan_inputs: 1, scan_input_axes: [0, 0] }, /scan_input_axes has 2 entries, but needs 1/],
    [
      { num_scan_inputs: 1, scan_input_directions: [3] },
      /"scan_input_directions" of Scan must be 0 or 1, but is 3/,
    ],
  ] as const) {
    refuses(
      `a Scan with ${JSON.stringify(attributes)}`,
      {
        ...y,
        input: [value("s0", "float32", 2), value("x", "float32", 3)],
        node: [node("Scan", ["s0", "x"], ["y"], { body: { graph: body }, ...attributes })],
      },
      message,
    );
  }

  const local = (call: ReturnType<typeof node>) => () =>
    build({ ...y, input: [cube], node: [call] }, 21, {
      functions: [
        {
          name: "F",
          domain: "local",
          input: ["a"],
          output: ["b"],
          attribute: ["alpha"],
          opsetImport: [{ domain: "", version: 21n }],
          node: [node("Tanh", ["a"], ["b"])],
        },
      ],
      opsetImport: [
        { domain: "", version: 21n },
        { domain: "local", version: 1n },
      ],
    });
  it("a call of a function of the file says nothing that the function does not take", () => {
    const own = { domain: "local", name: "n1" };
    expect(local(node("F", ["x"], ["y"], { alpha: 1 }, own))).not.to.throw();
    expect(local(node("F", ["x"], ["y"], { beta: 1 }, own))).to.throw(
      ModelError,
      /"n1".*"F" has no attribute "beta"/,
    );
    expect(local(node("F", ["x", "x"], ["y"], {}, own))).to.throw(
      ModelError,
      /"F" has 1 operands, but the call names 2/,
    );
    expect(local(node("F", ["x"], ["y", "z"], {}, own))).to.throw(
      ModelError,
      /"F" has 1 results, but the call names 2/,
    );
  });

  const named = (name: string, callee: string) => ({
    name,
    domain: "",
    input: ["a"],
    output: ["b"],
    opsetImport: [{ domain: "", version: 21n }],
    node: [node(callee, ["a"], ["b"])],
  });
  refuses(
    "an output of another type than is computed",
    { output: [value("y", "int64", 2, 2, 2)], input: [cube], node: [node("Tanh", ["x"], ["y"])] },
    /the output "y" is said to be int64, but its node computes float32\[2, 2, 2\]/,
  );

  it("operators of a function that imports no version of them are refused", () => {
    const f = { ...named("F", "Tanh"), domain: "local", opsetImport: [{ domain: "local", version: 1n }] };
    const call = { ...y, input: [cube], node: [node("F", ["x"], ["y"], {}, { domain: "local" })] };
    expect(() => build(call, 21, { functions: [f] })).to.throw(ModelError, /does not say which version/);
  });

  it("a function of the file is not passed over for an operator of its name", () => {
    const call = { ...y, input: [cube], node: [node("Relu", ["x"], ["y"])] };
    expect(() => build(call, 21, { functions: [named("Relu", "Tanh")] })).to.throw(
      ModelError,
      /defines a function "Relu", but Relu is an operator of ONNX itself/,
    );
  });

  it("functions in a circle are refused when the file is read, also where nothing calls them", () => {
    const functions = [named("A", "B"), named("B", "A")];
    expect(() =>
      decode(file({ ...y, input: [cube], node: [node("Relu", ["x"], ["y"])] }, 21, { functions })),
    ).to.throw(ModelError, /cycle at "A"/);
  });

  it("a function of the file stands for an operator that is newer than the file", () => {
    const graph = build({ ...y, input: [cube], node: [node("Swish", ["x"], ["y"])] }, 21, {
      functions: [
        {
          name: "Swish",
          domain: "",
          input: ["a"],
          output: ["b"],
          opsetImport: [{ domain: "", version: 21n }],
          node: [node("Tanh", ["a"], ["b"])],
        },
      ],
    });
    expect(graph.outputs[0]!.value.node!.op.type).to.equal("Tanh");
  });

  it("an attribute that holds more than its type says is refused", () => {
    const both = node("Softmax", ["x"], ["y"], { axis: 1 });
    both.attribute![0]!.ints = [0n];
    expect(() => build({ ...y, input: [cube], node: [both] })).to.throw(
      ModelError,
      /"axis".* is of type int, but holds ints data, too/,
    );
  });

  describe("a Loop", () => {
    const turn = (...nodes: ReturnType<typeof node>[]): GraphInit => ({
      name: "turn",
      input: [value("i", "int64"), value("go", "bool"), value("z", "float32", 2)],
      output: [{ name: "go" }, { name: "next" }],
      node: nodes,
    });
    const looped = (count: bigint | null, body: GraphInit) => () =>
      build({
        ...y,
        input: [value("x", "float32", 2)],
        initializer: count === null ? [] : constants({ n: tensor("int64", [], [count]) }),
        node: [node("Loop", [count === null ? "" : "n", "", "x"], ["y"], { body: { graph: body } })],
      });
    const step = node("Tanh", ["z"], ["next"]);

    it("that runs as often as is of use is taken", () => {
      expect(looped(1000n, turn(step))().outputs[0]!.value.shape).to.deep.equal([2]);
      expect(looped(-5n, turn(step))().outputs[0]!.value.shape).to.deep.equal([2]);
    });
    it("that never ends is refused", () => {
      expect(looped(null, turn(step))).to.throw(SizeError, /it would go on for ever/);
    });
    it("that runs longer than anyone waits is refused, and so are loops in loops", () => {
      expect(looped(2_000_000_000n, turn(step))).to.throw(SizeError, /would apply 4\.0e\+9 operators/);
      expect(looped(2n ** 63n - 1n, turn(step))).to.throw(SizeError, /operators in each run/);
      const inner: GraphInit = {
        ...turn(node("Tanh", ["z2"], ["next2"])),
        input: [value("i2", "int64"), value("go2", "bool"), value("z2", "float32", 2)],
        output: [{ name: "go2" }, { name: "next2" }],
      };
      const outer = turn(node("Loop", ["n", "", "z"], ["next"], { body: { graph: inner } }));
      expect(looped(30_000n, outer)).to.throw(SizeError, /those of the loops in it/);
    });
  });

  it("an attribute that stands for one of a call is refused where there is no call", () => {
    const alone = node("ReduceSum", ["x"], ["y"], { keepdims: { ref: "kept", type: 2 } });
    expect(() => build({ ...y, input: [cube], node: [alone] })).to.throw(
      ModelError,
      /"keepdims" stands for the attribute "kept" of a call, but the node is in no function/,
    );
    const within = {
      ...named("F", "ReduceSum"),
      domain: "local",
      node: [node("ReduceSum", ["a"], ["b"], { keepdims: { ref: "kept", type: 2 } })],
    };
    const call = { ...y, input: [cube], node: [node("F", ["x"], ["y"], {}, { domain: "local" })] };
    expect(() => build(call, 21, { functions: [within] })).to.throw(
      ModelError,
      /the function has none of that name/,
    );
    // an attribute that the call leaves out is left out inside, too: keepdims is 1 then
    const shape = build(call, 21, { functions: [{ ...within, attribute: ["kept"] }] }).outputs[0]!.value
      .shape;
    expect(shape).to.deep.equal([1, 1, 1]);
  });

  it("integers that no number holds are kept, and as bounds mean the end", () => {
    const most = 2n ** 63n - 1n;
    const list = node("Constant", [], ["y"], { value_ints: [0] });
    list.attribute![0]!.ints = [most, -most - 1n, 2n ** 53n + 1n];
    const graph = build({ ...y, node: [list] });
    expect(graph.outputs[0]!.value.constant!.data).to.deep.equal(
      BigInt64Array.of(most, -most - 1n, 2n ** 53n + 1n),
    );
    const end = node("Constant", [], ["end"], { value_ints: [0] });
    end.attribute![0]!.ints = [most];
    const sliced = build({
      ...y,
      initializer: constants({ x: fromNested("float32", [1, 2, 3]), start: tensor("int64", [1], [1]) }),
      node: [end, node("Slice", ["x", "start", "end"], ["y"])],
    });
    expect(numbers(sliced.outputs[0]!.value.constant!)).to.deep.equal([2, 3]);
    const old = node("Slice", ["x"], ["y"], { starts: [1], ends: [0] });
    old.attribute![1]!.ints = [most];
    const before = build(
      { ...y, initializer: constants({ x: fromNested("float32", [1, 2, 3]) }), node: [old] },
      9,
    );
    expect(numbers(before.outputs[0]!.value.constant!)).to.deep.equal([2, 3]);
  });
});
