import type { DType } from "../../core/tensor.js";
import { cellType, pushNumber, unsigned } from "./cell.js";
import type { Unit } from "./unit.js";
import type { Code, Plain, Push } from "./wasm/index.js";

// Quotients, powers and remainders of integers, and remainders of floats.

/** x / y of integers, cut off. The smallest number over −1 wraps around; over 0 it traps. */
export function quotient(code: Code, dtype: DType, x: Push, y: Push): void {
  const cell = cellType(dtype, 1);
  const op = (name: string) => code.op(`${cell}.${name}` as Plain);
  if (unsigned.has(dtype)) {
    x();
    y();
    op("div_u");
    return;
  }
  // instructions trap where −1 divides the smallest number
  const divisor = code.local(cell);
  const result = code.local(cell);
  y();
  code.tee(divisor);
  pushNumber(code, dtype, -1);
  op("eq");
  code.if(
    () => {
      pushNumber(code, dtype, 0);
      x();
      op("sub");
      code.set(result);
    },
    () => {
      x();
      code.get(divisor);
      op("div_s");
      code.set(result);
    },
  );
  code.get(result);
  code.free(divisor);
  code.free(result);
}

/** xʸ of integers, modulo the size of their type; with a negative y that of 1 / x, cut off, which traps for 0. */
export function integerPower(unit: Unit, code: Code, dtype: DType, x: Push, y: Push): void {
  const cell = cellType(dtype, 1);
  const isSigned = !unsigned.has(dtype);
  const index = unit.function(`Pow/${dtype}`, [cell, cell], [cell], (target) => {
    const op = (name: string) => target.op(`${cell}.${name}` as Plain);
    const number = (value: number) => pushNumber(target, dtype, value);
    const [base, rest, power] = [0, 1, target.local(cell)];
    if (isSigned) {
      target.get(rest);
      number(0);
      op("lt_s");
      target.if(() => {
        quotient(
          target,
          dtype,
          () => number(1),
          () => target.get(base),
        );
        target.set(base);
        number(0);
        target.get(rest);
        op("sub");
        target.set(rest);
      });
    }
    number(1);
    target.set(power);
    target.while(
      () => {
        target.get(rest);
        number(0);
        op("ne");
      },
      () => {
        target.get(rest);
        number(1);
        op("and");
        number(0);
        op("ne");
        target.if(() => {
          target.get(power).get(base);
          op("mul");
          target.set(power);
        });
        target.get(base).get(base);
        op("mul");
        target.set(base);
        target.get(rest);
        number(1);
        op("shr_u");
        target.set(rest);
      },
    );
    target.get(power);
  });
  x();
  y();
  code.call(index);
}

/** The remainder of integers: the sign of the divisor, or with `fmod` that of the dividend. */
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
