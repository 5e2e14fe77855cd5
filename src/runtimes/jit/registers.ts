import type { DType } from "../../core/tensor.js";
import { cellType, type Width } from "./cell.js";
import type { Code, Local } from "./wasm/index.js";

/** Where one element of a small tensor is: a scalar local, or a lane of a vector. */
export interface Place {
  readonly local: Local;
  /** −1 for a scalar */
  readonly lane: number;
  /** of the vector */
  readonly width: Width;
}

/** A small tensor in locals, row-major: one element each, or as many as a vector holds. */
export interface Lanes {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly width: Width;
  readonly locals: readonly Local[];
  /** rearrangements made so far, by their key */
  readonly arranged: Map<string, readonly Local[]>;
}

/** Where element i is. */
export function placeOf({ locals, width }: Lanes, i: number): Place {
  if (width === 1) return { local: locals[i]!, lane: -1, width };
  return { local: locals[Math.floor(i / width)]!, lane: i % width, width };
}

/** The locals of one function that hold tensors, counted, so that reshapes can share them. */
export class Registers {
  readonly #uses = new Map<Local, number>();

  constructor(readonly code: Code) {}

  /** A counted local for the value on the stack. */
  keep(dtype: DType, width: Width): Local {
    const local = this.code.keep(cellType(dtype, width));
    this.#uses.set(local, 1);
    return local;
  }

  retain(local: Local): Local {
    this.#uses.set(local, (this.#uses.get(local) ?? 0) + 1);
    return local;
  }

  release(local: Local): void {
    const uses = this.#uses.get(local);
    if (uses === undefined) return;
    if (uses > 1) this.#uses.set(local, uses - 1);
    else {
      this.#uses.delete(local);
      this.code.free(local);
    }
  }

  /** New cells that hold the given elements, in order. */
  assemble(dtype: DType, width: Width, places: readonly Place[]): Local[] {
    if (width === 1) return places.map((place) => this.#scalar(dtype, place));
    const vectors: Local[] = [];
    for (let at = 0; at < places.length; at += width) {
      vectors.push(this.#vector(dtype, width, places.slice(at, at + width)));
    }
    return vectors;
  }

  #scalar(dtype: DType, place: Place): Local {
    if (place.lane < 0) return this.retain(place.local);
    this.pushElement(dtype, place);
    return this.keep(dtype, 1);
  }

  /** Pushes one element as a scalar. */
  pushElement(dtype: DType, { local, lane, width }: Place): void {
    this.code.get(local);
    if (lane < 0) return;
    if (dtype === "float64") this.code.lane("f64x2.extract_lane", lane);
    else if (dtype === "float32") this.code.lane("f32x4.extract_lane", lane);
    else if (width === 2) this.code.lane("i64x2.extract_lane", lane).op("i32.wrap_i64").i32(1).op("i32.and");
    else this.code.lane("i32x4.extract_lane", lane).i32(1).op("i32.and");
  }

  /** One vector; a short one is filled up with what is at hand. */
  #vector(dtype: DType, width: Width, given: readonly Place[]): Local {
    const { code } = this;
    const first = given[0]!;
    // in place already
    if (first.lane === 0 && given.every(({ local, lane }, i) => local === first.local && lane === i)) {
      return this.retain(first.local);
    }
    const size = 16 / width;
    const places = Array.from({ length: width }, (_, i) => given[i] ?? given.at(-1)!);
    const scalars = places.filter(({ lane }) => lane < 0);
    if (scalars.length === width && places.every(({ local }) => local === first.local)) {
      this.#splat(dtype, width, first.local);
      return this.keep(dtype, width);
    }
    // lanes of vectors first: each further source is one shuffle
    const sources = [...new Set(places.filter(({ lane }) => lane >= 0).map(({ local }) => local))];
    const settled = new Map<number, number>();
    if (sources.length === 0) this.#splat(dtype, width, first.local);
    else {
      code.get(sources[0]!);
      const rest = sources.slice(1);
      const settle = (second: Local | null) => {
        const bytes = places.flatMap(({ local, lane }, i) => {
          const from =
            lane >= 0 && local === second
              ? width + lane
              : settled.has(i)
                ? settled.get(i)!
                : lane >= 0 && local === sources[0]
                  ? lane
                  : 0;
          return Array.from({ length: size }, (_, byte) => from * size + byte);
        });
        if (second === null) {
          if (bytes.every((byte, i) => byte === i)) return;
          code.get(sources[0]!);
        } else code.get(second);
        code.shuffle(bytes);
        for (const [i, { local, lane }] of places.entries()) {
          if (lane >= 0 && (local === second || local === sources[0] || settled.has(i))) settled.set(i, i);
        }
      };
      if (rest.length === 0) settle(null);
      for (const source of rest) settle(source);
    }
    for (const [i, { local, lane }] of places.entries()) {
      if (lane >= 0 || (sources.length === 0 && local === first.local)) continue;
      if (dtype === "float64") code.get(local).lane("f64x2.replace_lane", i);
      else if (dtype === "float32") code.get(local).lane("f32x4.replace_lane", i);
      else {
        this.#splat(dtype, width, local);
        code.shuffle(
          Array.from({ length: width }, (_, j) =>
            Array.from({ length: size }, (_, byte) => (j === i ? width + j : j) * size + byte),
          ).flat(),
        );
      }
    }
    return this.keep(dtype, width);
  }

  /** Pushes a scalar in all lanes. */
  #splat(dtype: DType, width: Width, local: Local): void {
    const { code } = this;
    if (dtype === "bool") {
      code.i32(0).get(local).op("i32.sub");
      if (width === 2) code.op("i64.extend_i32_s").vector("i64x2.splat");
      else code.vector("i32x4.splat");
    } else code.get(local).vector(width === 2 ? "f64x2.splat" : "f32x4.splat");
  }
}
