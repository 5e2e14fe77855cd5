import { expect } from "chai";
import { Random } from "../../../src/core/random.js";
import { type FloatDType, numbers, tensor } from "../../../src/core/tensor.js";
import { Builder } from "../../../src/graph/builder.js";
import { matmul, transpose } from "../../../src/ops.js";
import { jit } from "../../../src/runtimes/jit/jit.js";

describe("products of large matrices on the compiled runtime", () => {
  // columns are packed where rows are many and the matrix is large, or where it is transposed, but not beyond half a megabyte
  for (const [what, rows, inner, columns] of [
    ["columns that fill vectors, and more", 21, 300, 23],
    ["columns that fill none", 17, 1500, 3],
    ["sums that are taken in runs", 16, 1100, 9],
    ["two rows", 2, 300, 37],
    ["columns that no cache holds", 3, 40_000, 5],
  ] as const) {
    for (const isTransposed of [false, true]) {
      for (const dtype of ["float32", "float64"] as const satisfies FloatDType[]) {
        it(`with ${what}${isTransposed ? ", transposed" : ""}, in ${dtype}`, async () => {
          const random = Random.seeded(5);
          const draw = (count: number) =>
            tensor(
              dtype,
              [count],
              Array.from({ length: count }, () => random.uniform(-1, 1)),
            );
          const [x, y] = [draw(rows * inner), draw(inner * columns)];
          const b = new Builder();
          const left = b.input("x", dtype, [rows, inner]);
          const given = b.input("y", dtype, isTransposed ? [columns, inner] : [inner, columns]);
          const right = isTransposed ? transpose(b, given, [1, 0]) : given;
          const runtime = jit();
          const executable = await runtime.compile(b.graph({ product: matmul(b, left, right) }));
          const results = await executable.run({
            x: runtime.upload({ ...x, shape: left.shape as number[] }),
            y: runtime.upload({ ...y, shape: given.shape as number[] }),
          });
          const found = numbers(await runtime.download(results.product!));
          const [p, q] = [numbers(x), numbers(y)];
          found.forEach((value, at) => {
            const [i, j] = [Math.floor(at / columns), at % columns];
            let sum = 0;
            let size = 0;
            for (let k = 0; k < inner; k++) {
              const term = p[i * inner + k]! * q[isTransposed ? j * inner + k : k * columns + j]!;
              sum += term;
              size += Math.abs(term);
            }
            // some units in the last place of what is added up, beside the rounding of the longest run
            const unit = dtype === "float32" ? 2 ** -23 : 2 ** -52;
            expect(value, `element ${i}, ${j}`).to.be.closeTo(sum, 8 * unit * size);
          });
          await executable.release();
        });
      }
    }
  }
});
