import type { Code, Local, Push } from "./wasm/index.js";

// Long sums of float32: terms are added up in float32 for a while, and such partial sums in float64, so that the error of a
// sum of any length is that of a short one.

/** Where a total is kept between partial sums. */
interface Place {
  readonly read: Push;
  readonly write: (value: Push) => void;
}

/** The float64 total of partial sums that are one float32, or four. */
export class WideTotal {
  readonly #locals: Local[] = [];

  private constructor(
    readonly code: Code,
    readonly width: 1 | 4,
    readonly places: readonly Place[],
  ) {}

  /** A total in locals. */
  static local(code: Code, width: 1 | 4): WideTotal {
    const locals = Array.from({ length: width === 1 ? 1 : 2 }, () =>
      code.local(width === 1 ? "f64" : "v128"),
    );
    const places = locals.map((local) => ({
      read: () => code.get(local),
      write: (value: Push) => {
        value();
        code.set(local);
      },
    }));
    const total = new WideTotal(code, width, places);
    total.#locals.push(...locals);
    return total;
  }

  /** A total in 32 bytes of memory. */
  static memory(code: Code, width: 1 | 4, address: number): WideTotal {
    const places = Array.from({ length: width === 1 ? 1 : 2 }, (_, half) => ({
      read() {
        code.i32(0);
        if (width === 1) code.access("f64.load", address);
        else code.vectorAccess("v128.load", address + 16 * half);
      },
      write(value: Push) {
        code.i32(0);
        value();
        if (width === 1) code.access("f64.store", address);
        else code.vectorAccess("v128.store", address + 16 * half);
      },
    }));
    return new WideTotal(code, width, places);
  }

  clear(): void {
    const { code, width } = this;
    for (const { write } of this.places) {
      write(() => {
        code.f64(0);
        if (width > 1) code.vector("f64x2.splat");
      });
    }
  }

  /** Adds a partial sum, and starts the next one at 0. */
  add(partial: Local): void {
    const { code, width } = this;
    this.places.forEach(({ read, write }, half) => {
      write(() => {
        read();
        code.get(partial);
        if (width === 1) code.op("f64.promote_f32").op("f64.add");
        else {
          if (half === 1) code.get(partial).shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
          code.vector("f64x2.promote_low_f32x4").vector("f64x2.add");
        }
      });
    });
    code.f32(0);
    if (width > 1) code.vector("f32x4.splat");
    code.set(partial);
  }

  /** Pushes the total as one float32, or four. */
  push(): void {
    const { code, width } = this;
    for (const { read } of this.places) {
      read();
      if (width === 1) code.op("f32.demote_f64");
      else code.vector("f32x4.demote_f64x2_zero");
    }
    if (width > 1) code.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  }

  /** Adds the lanes of a total of four to a total of one. */
  addLanesTo(one: WideTotal): void {
    const { code } = this;
    for (const { read } of this.places) {
      for (const lane of [0, 1]) {
        one.places[0]!.write(() => {
          one.places[0]!.read();
          read();
          code.lane("f64x2.extract_lane", lane).op("f64.add");
        });
      }
    }
  }

  free(): void {
    for (const local of this.#locals) this.code.free(local);
  }
}
