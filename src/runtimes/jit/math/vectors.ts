import type { Unit } from "../unit.js";
import type { Code, Local, Push, Vector } from "../wasm/index.js";

/** Arithmetic on pairs of float64, as expressions that push their value when they are called. */
export class Pairs {
  readonly #locals: Local[] = [];

  constructor(
    readonly code: Code,
    readonly unit: Unit,
  ) {}

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

  /** Both lanes the same number. */
  number(value: number): Push {
    return this.#constant(new Uint8Array(new Float64Array([value, value]).buffer));
  }

  /** Both lanes the same 64 bits. */
  bits(value: bigint): Push {
    const word = BigInt.asUintN(64, value);
    return this.#constant(new Uint8Array(new BigUint64Array([word, word]).buffer));
  }

  #constant(bytes: Uint8Array): Push {
    const address = this.unit.vectorConstant(bytes);
    return () => this.code.i32(0).vectorAccess("v128.load", address);
  }

  apply(name: Vector, ...operands: Push[]): Push {
    return () => {
      for (const operand of operands) operand();
      this.code.vector(name);
    };
  }

  add(x: Push, y: Push): Push {
    return this.apply("f64x2.add", x, y);
  }

  sub(x: Push, y: Push): Push {
    return this.apply("f64x2.sub", x, y);
  }

  mul(x: Push, y: Push): Push {
    return this.apply("f64x2.mul", x, y);
  }

  div(x: Push, y: Push): Push {
    return this.apply("f64x2.div", x, y);
  }

  abs(x: Push): Push {
    return this.apply("f64x2.abs", x);
  }

  /** x where the mask is set, else y */
  select(mask: Push, x: Push, y: Push): Push {
    return this.apply("v128.bitselect", x, y, mask);
  }

  /** each 64-bit lane shifted */
  shiftLeft(x: Push, bits: number): Push {
    return () => {
      x();
      this.code.i32(bits).vector("i64x2.shl");
    };
  }

  shiftRight(x: Push, bits: number): Push {
    return () => {
      x();
      this.code.i32(bits).vector("i64x2.shr_u");
    };
  }

  /** |x| with the sign of y */
  withSign(x: Push, y: Push): Push {
    return this.apply("v128.or", x, this.apply("v128.and", y, this.bits(1n << 63n)));
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
        pairs.push(high === undefined ? low : this.let(this.add(low, this.mul(high, power))));
      }
      terms = pairs;
      if (terms.length > 1) power = this.let(this.mul(power, power));
    }
    return terms[0]!;
  }
}
