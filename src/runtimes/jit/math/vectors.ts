import type { Table, Unit } from "../unit.js";
import type { Code, Local, Push, Vector } from "../wasm/index.js";

/** What vectors are made of: two float64 or four float32. */
export interface Format {
  readonly float: "f64x2" | "f32x4";
  readonly int: "i64x2" | "i32x4";
  /** bits of the fraction, and of a number in all */
  readonly fraction: number;
  readonly bits: 64 | 32;
  /** exponent of 1 */
  readonly bias: number;
}

export const pairs: Format = { float: "f64x2", int: "i64x2", fraction: 52, bits: 64, bias: 1023 };
export const quads: Format = { float: "f32x4", int: "i32x4", fraction: 23, bits: 32, bias: 127 };

/** Constants that stay in locals from their first use on: as many as there is room for. */
export class HeldConstants {
  readonly #locals = new Map<number, Local>();

  constructor(
    readonly code: Code,
    readonly room: number,
  ) {}

  push(address: number): void {
    const known = this.#locals.get(address);
    if (known !== undefined) {
      this.code.get(known);
      return;
    }
    this.code.i32(0).vectorAccess("v128.load", address);
    if (this.#locals.size === this.room) return;
    const local = this.code.local("v128");
    this.code.tee(local);
    this.#locals.set(address, local);
  }

  /** From here on only what is held already is taken from locals. */
  close(): HeldConstants {
    const closed = new HeldConstants(this.code, this.#locals.size);
    for (const [address, local] of this.#locals) closed.#locals.set(address, local);
    return closed;
  }

  end(): void {
    for (const local of this.#locals.values()) this.code.free(local);
  }
}

/** Arithmetic on vectors, as expressions that push their value when they are called. */
export class Vectors {
  readonly #locals: Local[] = [];

  constructor(
    readonly code: Code,
    readonly unit: Unit,
    readonly format: Format = pairs,
    readonly constants = new HeldConstants(code, 0),
  ) {}

  /** whether lanes are float64 */
  get isDouble(): boolean {
    return this.format.bits === 64;
  }

  /** Evaluates an expression now; what comes back may be used any number of times. */
  let(x: Push): Push {
    x();
    const local = this.code.keep("v128");
    this.#locals.push(local);
    return () => this.code.get(local);
  }

  /** The vector on the stack, as `let`. */
  argument(): Push {
    return this.let(() => {});
  }

  /** Takes over a local, as `let` does with one of its own. */
  own(local: Local): Push {
    this.#locals.push(local);
    return () => this.code.get(local);
  }

  /** Frees the locals of all `let`s. */
  end(): void {
    for (const local of this.#locals.splice(0)) this.code.free(local);
  }

  /** All lanes the same number. */
  number(value: number): Push {
    const lanes = this.isDouble ? new Float64Array(2).fill(value) : new Float32Array(4).fill(value);
    return this.#constant(new Uint8Array(lanes.buffer));
  }

  /** All lanes the same bits. */
  bits(value: bigint): Push {
    const word = BigInt.asUintN(this.format.bits, value);
    const lanes = this.isDouble ? new BigUint64Array(2).fill(word) : new Uint32Array(4).fill(Number(word));
    return this.#constant(new Uint8Array(lanes.buffer));
  }

  /** The sign bit in all lanes. */
  signBit(): Push {
    return this.bits(1n << BigInt(this.format.bits - 1));
  }

  #constant(bytes: Uint8Array): Push {
    const address = this.unit.vectorConstant(bytes);
    return () => this.constants.push(address);
  }

  apply(name: Vector, ...operands: Push[]): Push {
    return () => {
      for (const operand of operands) operand();
      this.code.vector(name);
    };
  }

  /** An instruction on floats of the format. */
  float(name: string, ...operands: Push[]): Push {
    return this.apply(`${this.format.float}.${name}` as Vector, ...operands);
  }

  /** An instruction on integers as wide as the floats. */
  int(name: "add" | "sub", ...operands: Push[]): Push {
    return this.apply(`${this.format.int}.${name}`, ...operands);
  }

  add(x: Push, y: Push): Push {
    return this.float("add", x, y);
  }

  sub(x: Push, y: Push): Push {
    return this.float("sub", x, y);
  }

  mul(x: Push, y: Push): Push {
    return this.float("mul", x, y);
  }

  div(x: Push, y: Push): Push {
    return this.float("div", x, y);
  }

  /** x y + z, rounded once where the engine can */
  madd(x: Push, y: Push, z: Push): Push {
    return this.unit.fused ? this.float("relaxed_madd", x, y, z) : this.add(this.mul(x, y), z);
  }

  /** z − x y, rounded once where the engine can */
  nmadd(x: Push, y: Push, z: Push): Push {
    return this.unit.fused ? this.float("relaxed_nmadd", x, y, z) : this.sub(z, this.mul(x, y));
  }

  abs(x: Push): Push {
    return this.float("abs", x);
  }

  /** x where the mask is set, else y */
  select(mask: Push, x: Push, y: Push): Push {
    return this.apply("v128.bitselect", x, y, mask);
  }

  /** each lane shifted */
  shiftLeft(x: Push, bits: number): Push {
    return () => {
      x();
      this.code.i32(bits).vector(`${this.format.int}.shl`);
    };
  }

  shiftRight(x: Push, bits: number): Push {
    return () => {
      x();
      this.code.i32(bits).vector(`${this.format.int}.shr_u`);
    };
  }

  /**
   * The numbers of a table at the places that stand in the low bits of two float64. Where a number was NaN, whatever it is
   * taken for stays within the table.
   */
  lookUp({ address, size }: Table, places: Push): Push {
    return () => {
      const { code } = this;
      const offsets = this.let(
        this.shiftLeft(this.apply("v128.and", places, this.bits(BigInt(size - 1))), 3),
      );
      offsets();
      code.lane("i32x4.extract_lane", 2);
      offsets();
      code.lane("i32x4.extract_lane", 0).vectorAccess("v128.load64_zero", address);
      code.laneAccess("v128.load64_lane", address, 1);
    };
  }

  /** the sign of x alone */
  signOf(x: Push): Push {
    return this.apply("v128.and", x, this.signBit());
  }

  /** |x| with the sign of y */
  withSign(x: Push, y: Push): Push {
    return this.apply("v128.or", x, this.signOf(y));
  }

  /**
   * Σ cᵢ xⁱ by Estrin's scheme, which is a tree and so has the shortest chain of dependent operations.
   */
  polynomial(coefficients: readonly number[], x: Push): Push {
    let terms: Push[] = coefficients.map((c) => this.number(c));
    let power = x;
    while (terms.length > 1) {
      const pairs: Push[] = [];
      for (let i = 0; i < terms.length; i += 2) {
        const [low, high] = [terms[i]!, terms[i + 1]];
        pairs.push(high === undefined ? low : this.let(this.madd(high, power, low)));
      }
      terms = pairs;
      if (terms.length > 1) power = this.let(this.mul(power, power));
    }
    return terms[0]!;
  }
}
