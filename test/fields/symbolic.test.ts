import { expect } from "chai";
import fc from "fast-check";
import { vjp } from "../../src/autodiff/vjp.js";
import { OptionError } from "../../src/core/options.js";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { initialParameters } from "../../src/fields/field.js";
import { type SymbolicFieldOptions, symbolicField } from "../../src/fields/symbolic/symbolic-field.js";
import { EquationError } from "../../src/fields/symbolic/syntax-error.js";
import { Builder } from "../../src/graph/builder.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { evaluate, rows } from "../support/evaluate.js";

/** f(t, y) of one state or several, by constants that the builder folds. */
function slopes(text: string, t: number, y: readonly number[], options: SymbolicFieldOptions = {}): number[] {
  const field = symbolicField(text, options);
  const b = new Builder();
  const theta = Object.fromEntries(
    Object.entries(initialParameters(field, Random.seeded(0), "float64")).map(([name, value]) => [
      name,
      b.constant(value),
    ]),
  );
  const state = b.constant(tensor("float64", [1, y.length], y));
  return numbers(field.apply(b, theta, b.scalar("float64", t), state).constant!);
}

function refusal(text: string, options: SymbolicFieldOptions = {}): EquationError {
  try {
    symbolicField(text, options);
  } catch (error) {
    expect(error).to.be.instanceOf(EquationError);
    return error as EquationError;
  }
  return expect.fail(`"${text}" was read`);
}

describe("symbolicField", () => {
  it("computes what JavaScript computes of the same expressions", () => {
    const { exp, log, sin, cos, tan, tanh, sqrt, abs, PI } = Math;
    const [t, x, y, a, b] = [0.7, 1.3, -0.4, 2.5, 0.3];
    const cases: readonly [string, number][] = [
      ["a*x - b*x*y", a * x - b * x * y],
      ["a - b - x", a - b - x],
      ["a / b / x * y", (a / b / x) * y],
      ["a + b * x ^ 2", a + b * x ** 2],
      ["-x^2", -(x ** 2)],
      ["(-x)^2", x ** 2],
      ["x^-2", x ** -2],
      ["x^2^b", x ** (2 ** b)],
      ["x**3", x ** 3],
      ["2*-x", -2 * x],
      ["--x", x],
      ["+x - -y", x + y],
      ["exp(-b*t)*sin(2*pi*t)", exp(-b * t) * sin(2 * PI * t)],
      ["log(x) + cos(y) + tan(b) + tanh(a)", log(x) + cos(y) + tan(b) + tanh(a)],
      ["sqrt(abs(y)) + pow(x, b)", sqrt(abs(y)) + x ** b],
      ["1e-3 + .5 + 2. + 1.5E2", 1e-3 + 0.5 + 2 + 150],
      ["x/(1 + x) · a − b", (x / (1 + x)) * a - b],
      ["7", 7],
      ["t", t],
    ];
    for (const [text, value] of cases) {
      const [found] = slopes(`dx = ${text}; dy = a*b*y`, t, [x, y], { parameters: { a, b } });
      // a few roundings of float64
      expect(found, text).to.be.closeTo(value, 1e-14 * Math.max(1, abs(value)));
    }
  });

  it("reads the left side in three ways, and line ends outside of brackets as ends of equations", () => {
    const field = symbolicField("dx/dt = (a +\n  x)\n\nprey' = -prey;;dz=x;");
    expect(field.components).to.deep.equal(["x", "prey", "z"]);
    expect(Object.keys(field.parameters)).to.deep.equal(["a"]);
    expect(field.state).to.deep.equal(["batch", 3]);
  });

  it("takes states in another order than that of the equations", () => {
    expect(slopes("dx = 1; dy = 2; dz = y", 0, [5, 6, 7], { order: ["z", "x", "y"] })).to.deep.equal([
      7, 1, 2,
    ]);
    expect(() => symbolicField("dx = 1; dy = 2", { order: ["x"] })).to.throw(OptionError, "x, y");
  });

  it("has derivatives that agree with central differences", async () => {
    const field = symbolicField(
      "dx = a*x*exp(-b*y) + sqrt(x)*sin(t) - x^a; dy = tanh(b*x)/(1 + y^2) + log(x + a) - abs(y - 3)*cos(x)",
    );
    const names = ["t", "a", "b", "y"] as const;
    const point = { t: rows(0.3), a: rows(1.7), b: rows(0.4), y: rows([1.2, 0.8], 2) };
    const w = rows([0.7, -1.1], 2);
    const runtime = jit();
    const found = await evaluate(runtime, point, (b, v) => {
      const { output, pullback } = vjp(
        b,
        (t, a, c, y) => field.apply(b, { a: a!, b: c! }, t!, y!),
        names.map((name) => v[name]!),
      );
      const [t, a, c, y] = pullback(b.constant(w));
      return { f: output, t: t!, a: a!, b: c!, y: y! };
    });
    const along = (at: typeof point) => {
      const b = new Builder();
      const value = field.apply(
        b,
        { a: b.constant(at.a), b: b.constant(at.b) },
        b.constant(at.t),
        b.constant(at.y),
      );
      return numbers(value.constant!).reduce((sum, one, i) => sum + one * numbers(w)[i]!, 0);
    };
    for (const name of names) {
      const { shape } = point[name];
      for (const [i, slope] of numbers(found[name]).entries()) {
        const moved = (by: number) =>
          along({
            ...point,
            [name]: tensor(
              "float64",
              shape,
              numbers(point[name]).map((x, j) => x + (i === j ? by : 0)),
            ),
          });
        // h² from the difference, 1e−16 / h from rounding
        expect(slope, name).to.be.closeTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 1e-9);
      }
    }
  });

  it("starts with networks that give 0, and with the mechanism alone", () => {
    const field = symbolicField("dx = -k*x + mlp:8; dy = mlp:4,4*y\n+ mlp:16", { parameters: { k: 2 } });
    expect(field.hasNetworks).to.equal(true);
    expect(
      Object.entries(field.parameters).map(([name, { shape }]) => [name, shape]),
    ).to.deep.include.members([
      ["k", []],
      ["mlp_x.layers.0.weight", [8, 2]],
      ["mlp_x.layers.1.weight", [1, 8]],
      ["mlp_y.layers.1.weight", [4, 4]],
      ["mlp.layers.1.weight", [2, 16]],
    ]);
    expect(
      slopes("dx = -k*x + mlp:8; dy = mlp:4,4*y + x\n+ mlp:16", 0, [3, 5], { parameters: { k: 2 } }),
    ).to.deep.equal([-6, 3]);
  });

  it("gives networks states of order one, and takes what they give in units of the data", () => {
    const scaling = { shift: [100, 0], scale: [10, 0.1], time: 4 };
    const field = symbolicField("dx = mlp:; dy = 0\n+ mlp:", { scaling });
    const b = new Builder();
    const value = (shape: number[], data: number[]) => b.constant(tensor("float64", shape, data));
    const theta = {
      "mlp_x.layers.0.weight": value([1, 2], [1, 2]),
      "mlp_x.layers.0.bias": value([1], [0]),
      "mlp.layers.0.weight": value([2, 2], [0, 0, 0, 1]),
      "mlp.layers.0.bias": value([2], [0, 0]),
    };
    const found = field.apply(b, theta, b.scalar("float64", 0), value([1, 2], [120, 0.3]));
    // inputs (120 − 100)/10 = 2 and 0.3/0.1 = 3; outputs times 10/4 and 0.1/4
    const expected = [((2 + 2 * 3) * 10) / 4, (3 * 0.1) / 4];
    numbers(found.constant!).forEach((one, i) => {
      expect(one).to.be.closeTo(expected[i]!, 1e-14 * expected[i]!);
    });
  });

  it("says what cannot be read, where, and what to write", () => {
    const cases: readonly [string, string, string][] = [
      ["dx = ln(x)", "     ^^", "did you mean log"],
      ["dx = 2x", "      ^", "product is written with *"],
      ["dx = a b", "       ^", "product is written with *"],
      ["dx = a*(x", "       ^", "not closed"],
      ["dx = a*x)", "        ^", "separated with ;"],
      ["dx = ", "     ^", "ends where"],
      ["dx = ;dy = 1", "     ^", "ends where"],
      ["dx = * a", "     ^", "cannot stand here"],
      ["x = 3", "^", "dx/dt = "],
      ["dt = 1", "^^", "t is time"],
      ["dpi = 1", "^^^", "meaning of its own"],
      ["dx = x; dx = 2", "        ^", "already"],
      ["dx = a $ x", "       ^", "means nothing"],
      ["dx = e^x", "     ^", "exp("],
      ["dx = y", "     ^", "no equation of y"],
      ["dx = exp", "     ^^^", "exp(…)"],
      ["dx = pow(x)", "     ^^^", "2 arguments, but 1 is given"],
      ["dx = a = b", "       ^", "second ="],
      ["dx = mlp", "     ^^^", "mlp:16"],
      ["dx = mlp:0", "     ^^^^^", "from 1 to"],
      ["dx = 1e999", "     ^^^^^", "beyond"],
      ["", "^", "no equation"],
      ["dx = 1\ndy = x +", "        ^", "line 2, character 9"],
    ];
    for (const [text, caret, words] of cases) {
      const error = refusal(text);
      expect(error.message, text).to.include(words);
      expect(error.excerpt.split("\n")[1], text).to.equal(caret);
    }
    // a long line is cut around the place
    const long = refusal(`dx = ${"a + ".repeat(200)}$`);
    const [line, caret] = long.excerpt.split("\n") as [string, string];
    expect(line.length).to.be.at.most(100);
    expect(line[caret.indexOf("^")]).to.equal("$");
  });

  it("ends with an error, and no other, whatever the text", () => {
    const piece = fc.constantFrom(
      ..."dx = ;dy = ;+;-;*;/;^;(;);,;';=;x;y;t;a;e;pi;exp;pow;mlp;mlp:3;1;2e3;.;\n;π; ;✓;\u0000".split(";"),
      ";",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        try {
          symbolicField(pieces.join(""));
        } catch (error) {
          expect(error).to.be.instanceOf(EquationError);
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
    for (const text of [
      "(".repeat(30_000),
      `dx = ${"-".repeat(1500)}1`,
      `dx = ${"x^".repeat(900)}x`,
      `dx = ${"(".repeat(500)}`,
    ]) {
      refusal(text);
    }
    // long, and no deeper than it must be
    expect(slopes(`dx = ${"x + ".repeat(900)}x`, 0, [1])).to.deep.equal([901]);
  });

  it("refuses parameters that there are not, and guesses beyond their bounds", () => {
    const of = (parameters: SymbolicFieldOptions["parameters"]) => () =>
      symbolicField("dx = -k*x", { parameters: parameters! });
    expect(of({ q: 1 })).to.throw(OptionError, "theirs are k");
    expect(of({ k: { guess: 3, high: 2 } })).to.throw(OptionError, "-Infinity and 2, but 3");
    expect(of({ k: { low: 2, high: 1 } })).to.throw(OptionError, "lower bound below");
    expect(of({ k: Number.NaN })).to.throw(OptionError, "NaN");
    expect(symbolicField("dx = -k*x", { parameters: { k: { low: 3, high: 5 } } }).named.k!.guess).to.equal(4);
    // Euler's number is no parameter unless it is said to be
    expect(symbolicField("dx = e*x", { parameters: { e: 2 } }).named.e!.guess).to.equal(2);
    expect(() => symbolicField("dx = x", { guess: {} } as never)).to.throw(OptionError, "say parameters");
  });
});
