import { readFileSync } from "node:fs";
import { expect } from "chai";
import { type FloatDType, numbers, tensor } from "../../../src/core/tensor.js";
import { Builder } from "../../../src/graph/builder.js";
import { opset } from "../../../src/ops/opset.js";
import { pow } from "../../../src/ops/power.js";
import { jit } from "../../../src/runtimes/jit/jit.js";

/** By function: operands, the nearest float64 to the value, and what is missing to the true one. */
const table = JSON.parse(readFileSync(new URL("functions.json", import.meta.url), "utf8")) as Record<
  string,
  readonly (readonly number[])[]
>;

/** f of numbers, element by element, in tensors too large to stay in locals or small enough for it. */
async function evaluate(
  type: string,
  operands: readonly (readonly number[])[],
  dtype: FloatDType,
): Promise<number[]> {
  const runtime = jit();
  const b = new Builder();
  const length = operands[0]!.length;
  const inputs = operands.map((_, i) => b.input(`x${i}`, dtype, [length]));
  const executable = await runtime.compile(b.graph({ y: b.apply(opset.get(type)!, inputs) }));
  const feeds = operands.map((values, i) => [`x${i}`, runtime.upload(tensor(dtype, [length], values))]);
  const { y } = await executable.run(Object.fromEntries(feeds));
  return numbers(await runtime.download(y!));
}

/** One unit in the last place of a number. */
function unit(value: number, dtype: FloatDType): number {
  const [digits, lowest] = dtype === "float64" ? [52, -1022] : [23, -126];
  const exponent = Math.max(lowest, Math.floor(Math.log2(Math.abs(value))));
  return 2 ** exponent / 2 ** digits;
}

const columns = (rows: readonly (readonly number[])[], count: number) =>
  Array.from({ length: count }, (_, i) => rows.map((row) => row[i]!));

describe("elementary functions of the compiled runtime", () => {
  for (const [type, rows] of Object.entries(table)) {
    const arity = rows[0]!.length - 2;
    for (const part of ["at once", "a few at a time"] as const) {
      it(`${type} is within 2 units in the last place in float64, ${part}`, async () => {
        const size = part === "at once" ? rows.length : 7;
        for (let at = 0; at < rows.length; at += size) {
          const some = rows.slice(at, at + size);
          const results = await evaluate(type, columns(some, arity), "float64");
          some.forEach((row, i) => {
            const [nearest, missing] = row.slice(arity) as [number, number];
            const error = Math.abs(results[i]! - nearest - missing) / unit(nearest, "float64");
            expect(error, `${type}(${row.slice(0, arity)}) = ${results[i]}`).to.be.below(2);
          });
        }
      });
    }

    it(`${type} is within 2 units in the last place in float32`, async () => {
      // where the operands are float32 themselves, the float64 result of the function tells the truth
      const single = rows
        .map((row) => row.slice(0, arity).map(Math.fround))
        .filter((row) => row.every((value) => value !== 0 && Number.isFinite(value)));
      const wide = await evaluate(type, columns(single, arity), "float64");
      const results = await evaluate(type, columns(single, arity), "float32");
      results.forEach((result, i) => {
        const expected = wide[i]!;
        if (Number.isFinite(Math.fround(expected))) {
          const error = Math.abs(result - expected) / unit(expected, "float32");
          expect(error, `${type}(${single[i]}) = ${result}, not ${expected}`).to.be.below(2);
        } else expect(result).to.equal(Math.fround(expected));
      });
    });
  }

  it("Pow by halves, which are roots, is within 2 units in the last place, edges included", async () => {
    const bases = [0, -0, 1, 2, 1e-300, 5e-324, 1e200, 0.3, 7, -1, Infinity, -Infinity, Number.NaN];
    for (const exponent of [0.5, 1.5]) {
      const b = new Builder();
      const x = b.input("x", "float64", [bases.length]);
      const runtime = jit();
      const executable = await runtime.compile(b.graph({ y: pow(b, x, exponent) }));
      const { y } = await executable.run({ x: runtime.upload(tensor("float64", [bases.length], bases)) });
      numbers(await runtime.download(y!)).forEach((found, i) => {
        const expected = bases[i]! ** exponent;
        const about = `${bases[i]} ** ${exponent} = ${found}, not ${expected}`;
        if (!Number.isFinite(expected) || expected === 0) expect(found, about).to.deep.equal(expected);
        else expect(Math.abs(found - expected) / unit(expected, "float64"), about).to.be.below(2);
      });
    }
  });

  it("Tanh is within 2 units in the last place in float32, over all exponents", async () => {
    // a float32 every 3000 or so from 2^-40 to 16, where float64 arithmetic tells the truth
    const words = Uint32Array.from({ length: 120_000 }, (_, i) => 0x2b800000 + i * 3053);
    const floats = new Float32Array(words.buffer);
    const single = [...floats].filter((x) => x < 16);
    expect(single.length).to.be.above(100_000);
    const results = await evaluate("Tanh", [single], "float32");
    const errors = results.map((y, i) => Math.abs(y - Math.tanh(single[i]!)) / unit(y, "float32"));
    const worst = errors.reduce((most, error, i) => (error > errors[most]! ? i : most), 0);
    expect(errors[worst]!, `tanh ${single[worst]} = ${results[worst]}`).to.be.below(2);
  });

  for (const type of ["Exp", "Tanh", "Sigmoid"]) {
    it(`${type} of an array of any length is that of its elements, to the bit`, async () => {
      // in an array vectors go through it in stages, a few elements at a time they do not
      for (const dtype of ["float64", "float32"] as const) {
        const values = Array.from({ length: 72 }, (_, i) => Math.sin(i) * i);
        const single: number[] = [];
        for (let i = 0; i < values.length; i += 8) {
          single.push(...(await evaluate(type, [values.slice(i, i + 8)], dtype)));
        }
        for (let length = 65; length <= values.length; length++) {
          const results = await evaluate(type, [values.slice(0, length)], dtype);
          // what does not fill a vector is computed by itself, and may be rounded otherwise
          const full = length - (length % (dtype === "float64" ? 2 : 4));
          expect(results.slice(0, full)).to.deep.equal(single.slice(0, full));
          results.slice(full).forEach((y, i) => {
            const error = Math.abs(y - single[full + i]!) / unit(y, dtype);
            expect(error, `${type} of element ${full + i}`).to.be.below(4);
          });
        }
      }
    });
  }

  const edges: Readonly<Record<string, readonly (readonly number[])[]>> = {
    Exp: [
      [-Infinity, 0],
      [Infinity, Infinity],
      [710, Infinity],
      [-746, 0],
      [-0, 1],
    ],
    Log: [
      [0, -Infinity],
      [-0, -Infinity],
      [-1, NaN],
      [Infinity, Infinity],
      [1, 0],
    ],
    Tanh: [
      [-Infinity, -1],
      [Infinity, 1],
      [-0, -0],
      [1e300, 1],
    ],
    Sigmoid: [
      [-Infinity, 0],
      [Infinity, 1],
      [0, 0.5],
    ],
    Sin: [
      [Infinity, NaN],
      [-Infinity, NaN],
      [-0, -0],
    ],
    Cos: [
      [Infinity, NaN],
      [0, 1],
    ],
    Atan: [
      [-Infinity, -Math.PI / 2],
      [-0, -0],
    ],
    Erf: [
      [Infinity, 1],
      [-Infinity, -1],
    ],
    Pow: [
      [0, 0, 1],
      [NaN, 0, 1],
      [1, NaN, 1],
      [-8, 1 / 3, NaN],
      [-2, 3, -8],
      [-2, 2, 4],
      [0, -1, Infinity],
      [-0, -1, -Infinity],
      [-0, 3, -0],
      [Infinity, -1, 0],
      [-Infinity, 3, -Infinity],
      [-Infinity, 0.5, Infinity],
      [-1, Infinity, 1],
      [0.5, Infinity, 0],
      [2, -Infinity, 0],
      [2, 1e300, Infinity],
    ],
  };
  for (const [type, rows] of Object.entries(edges)) {
    it(`${type} is what IEEE 754 says at its edges, and NaN of NaN`, async () => {
      const arity = rows[0]!.length - 1;
      const all = [...rows, new Array(arity + 1).fill(Number.NaN)];
      for (const dtype of ["float64", "float32"] as const) {
        const results = await evaluate(type, columns(all, arity), dtype);
        all.forEach((row, i) => {
          const expected = dtype === "float32" ? Math.fround(row[arity]!) : row[arity]!;
          expect(results[i], `${type}(${row.slice(0, arity)}) in ${dtype}`).to.deep.equal(expected);
        });
      }
    });
  }
});
