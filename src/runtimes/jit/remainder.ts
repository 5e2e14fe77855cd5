import type { DType } from "../../core/tensor.js";
import { cellType, pushNumber, unsigned } from "./cell.js";
import type { Code, Plain, Push } from "./wasm/index.js";

/** Integers: the sign of the divisor, or with `fmod` that of the dividend. */
export function remainder(
  code: Code,
  dtype: DType,
  truncated: boolean,
  x: Push,
  y: Push,
  choose: (condition: Push, yes: Push, no: Push) => void,
): void {
  const cell = cellType(dtype, 1);
  if (cell === "f64" || cell === "f32") {
    floatRemainder(code, cell, x, y);
    return;
  }
  const op = (name: string) => code.op(`${cell}.${name}` as Plain);
  const r = code.local(cell);
  x();
  y();
  op(unsigned.has(dtype) ? "rem_u" : "rem_s");
  code.set(r);
  if (truncated || unsigned.has(dtype)) code.get(r);
  else {
    // r ≠ 0 and of another sign than y
    choose(
      () => {
        code.get(r);
        y();
        op("xor");
        pushNumber(code, dtype, 0);
        op("lt_s");
        code.get(r);
        pushNumber(code, dtype, 0);
        op("ne");
        code.op("i32.and");
      },
      () => {
        code.get(r);
        y();
        op("add");
      },
      () => code.get(r),
    );
  }
  code.free(r);
}

/**
 * The exact remainder of floats, with the sign of x: |y| doubled while it fits, then subtracted on the way back. Each
 * difference is exact, since neither operand is more than twice the other.
 */
function floatRemainder(code: Code, cell: "f64" | "f32", x: Push, y: Push): void {
  const op = (name: string) => code.op(`${cell}.${name}` as Plain);
  const number = (value: number) => (cell === "f64" ? code.f64(value) : code.f32(value));
  const [rest, step, size] = [code.local(cell), code.local(cell), code.local(cell)];
  x();
  op("abs");
  code.set(rest);
  y();
  op("abs");
  code.tee(size).set(step);
  // nothing to do for y = 0, infinities and NaN but to say so
  const isProper = () => {
    code.get(size);
    number(0);
    op("gt");
    code.get(rest);
    number(Infinity);
    op("lt");
    code.op("i32.and");
  };
  isProper();
  code.if(
    () => {
      code.while(
        () => {
          code.get(step).get(rest);
          number(0.5);
          op("mul");
          op("le");
        },
        () => {
          code.get(step).get(step);
          op("add");
          code.set(step);
        },
      );
      code.while(
        () => {
          code.get(step).get(size);
          op("ge");
          code.get(step);
          number(Infinity);
          op("lt");
          code.op("i32.and");
        },
        () => {
          code.get(rest).get(step);
          op("ge");
          code.if(() => {
            code.get(rest).get(step);
            op("sub");
            code.set(rest);
          });
          code.get(step);
          number(0.5);
          op("mul");
          code.set(step);
        },
      );
    },
    () => {
      number(Number.NaN);
      code.set(rest);
    },
  );
  code.get(rest);
  x();
  op("copysign");
  for (const local of [rest, step, size]) code.free(local);
}
