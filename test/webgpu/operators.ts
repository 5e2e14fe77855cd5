import { expect } from "chai";
import { numbers, type Tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { isDraw, operandsOf } from "../ops/cases.js";
import { cases } from "../ops/opset-cases.js";
import { type OwnChecks, run } from "./checks.js";

/** What WGSL lets a GPU round more coarsely than to 1e-5: sines and cosines to 2⁻¹¹. */
const coarse: ReadonlySet<string> = new Set(["Sin", "Cos", "Tan", "Asin", "Atan"]);

/** Every operator with a derivative, in all that its gradient is tried with; but for Cast, which is tried with float64. */
export const operatorChecks: OwnChecks = Object.fromEntries(
  [...cases]
    .filter(([op]) => op.type !== "Cast")
    .map(([op, list]) => [
      `computes ${op.type} as another runtime does`,
      async ({ open, reference }) => {
        const [own, other] = [await open(), await reference()];
        for (const test of list) {
          const b = new Builder();
          const feeds: Record<string, Tensor> = {};
          const operands = operandsOf(test, "float32").map((value, i) => {
            if (value === null || !isDraw(test.operands[i]!)) return value && b.constant(value);
            feeds[`x${i}`] = value;
            return b.input(`x${i}`, value.dtype, value.shape);
          });
          const outputs = b.emit(op, operands, test.attributes ?? {});
          const graph = b.graph(Object.fromEntries(outputs.map((output, i) => [`y${i}`, output])));
          const [found, expected] = [await run(own, graph, feeds), await run(other, graph, feeds)];
          for (const [name, value] of Object.entries(expected)) {
            expect([...found[name]!.shape], test.label).to.deep.equal([...value.shape]);
            const ys = numbers(found[name]!);
            numbers(value).forEach((y, i) => {
              const allowed = (coarse.has(op.type) ? 1e-3 : 1e-5) * (1 + Math.abs(y));
              expect(ys[i], `${test.label}, ${name}[${i}]`).to.be.closeTo(y, allowed);
            });
          }
        }
      },
    ]),
);
