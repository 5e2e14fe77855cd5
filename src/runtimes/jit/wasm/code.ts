import { Bytes } from "./bytes.js";
import {
  type Access,
  access,
  type Lane,
  type LaneAccess,
  lane,
  laneAccess,
  type Plain,
  plain,
  type Saturating,
  saturating,
  type ValType,
  type Vector,
  type VectorAccess,
  valueTypes,
  vector,
  vectorAccess,
} from "./opcodes.js";

/** The index of a local variable. */
export type Local = number;

/** Something that pushes one value onto the operand stack. */
export type Push = () => void;

/** The body of one function: its instructions, and its locals, which are used again once they are freed. */
export class Code {
  readonly #bytes = new Bytes();
  readonly #types: ValType[];
  readonly #parameters: number;
  readonly #free = new Map<ValType, Local[]>();

  constructor(parameters: readonly ValType[]) {
    this.#types = [...parameters];
    this.#parameters = parameters.length;
  }

  /** bytes so far: what the size of unrolled code is judged by */
  get length(): number {
    return this.#bytes.length;
  }

  local(type: ValType): Local {
    return this.#free.get(type)?.pop() ?? this.#types.push(type) - 1;
  }

  free(local: Local): void {
    const type = this.#types[local]!;
    const list = this.#free.get(type);
    if (list === undefined) this.#free.set(type, [local]);
    else list.push(local);
  }

  /** A local of its own for the value on the stack. */
  keep(type: ValType): Local {
    const local = this.local(type);
    this.set(local);
    return local;
  }

  typeOf(local: Local): ValType {
    return this.#types[local]!;
  }

  get(local: Local): this {
    this.#bytes.byte(0x20).unsigned(local);
    return this;
  }

  set(local: Local): this {
    this.#bytes.byte(0x21).unsigned(local);
    return this;
  }

  tee(local: Local): this {
    this.#bytes.byte(0x22).unsigned(local);
    return this;
  }

  op(name: Plain): this {
    this.#bytes.byte(plain[name]);
    return this;
  }

  saturate(name: Saturating): this {
    this.#bytes.byte(0xfc).unsigned(saturating[name]);
    return this;
  }

  vector(name: Vector): this {
    this.#bytes.byte(0xfd).unsigned(vector[name]);
    return this;
  }

  lane(name: Lane, index: number): this {
    this.#bytes.byte(0xfd).unsigned(lane[name]).byte(index);
    return this;
  }

  /** 16 bytes of two vectors, by number: 0 … 15 of the first, 16 … 31 of the second */
  shuffle(bytes: readonly number[]): this {
    this.#bytes.byte(0xfd).unsigned(13).bytes(bytes);
    return this;
  }

  i32(value: number): this {
    this.#bytes.byte(0x41).signed(value | 0);
    return this;
  }

  i64(value: number | bigint): this {
    this.#bytes.byte(0x42).signed(BigInt.asIntN(64, BigInt(value)));
    return this;
  }

  f32(value: number): this {
    this.#bytes.byte(0x43).float32(value);
    return this;
  }

  f64(value: number): this {
    this.#bytes.byte(0x44).float64(value);
    return this;
  }

  /** a load takes the address from the stack, a store the address and the value */
  access(name: Access, offset: number): this {
    const [opcode, alignment] = access[name];
    this.#bytes.byte(opcode).unsigned(alignment).unsigned(offset);
    return this;
  }

  vectorAccess(name: VectorAccess, offset: number): this {
    const [opcode, alignment] = vectorAccess[name];
    // unaligned is allowed and, on the machines of today, free
    this.#bytes.byte(0xfd).unsigned(opcode).unsigned(Math.min(alignment, 3)).unsigned(offset);
    return this;
  }

  laneAccess(name: LaneAccess, offset: number, index: number): this {
    const [opcode, alignment] = laneAccess[name];
    this.#bytes.byte(0xfd).unsigned(opcode).unsigned(alignment).unsigned(offset).byte(index);
    return this;
  }

  call(index: number): this {
    this.#bytes.byte(0x10).unsigned(index);
    return this;
  }

  /** destination, source and length are on the stack */
  copyMemory(): this {
    this.#bytes.bytes([0xfc, 10, 0, 0]);
    return this;
  }

  /** destination, byte and length are on the stack */
  fillMemory(): this {
    this.#bytes.bytes([0xfc, 11, 0]);
    return this;
  }

  /** The condition is on the stack. */
  if(then: () => void, otherwise: (() => void) | null = null): this {
    this.#bytes.byte(0x04).byte(0x40);
    then();
    if (otherwise !== null) {
      this.#bytes.byte(0x05);
      otherwise();
    }
    this.#bytes.byte(0x0b);
    return this;
  }

  /** Repeats its body while `condition` pushes a nonzero i32. */
  while(condition: () => void, body: () => void): this {
    this.#bytes.bytes([0x02, 0x40, 0x03, 0x40]);
    condition();
    this.#bytes.byte(plain["i32.eqz"]).bytes([0x0d, 1]);
    body();
    this.#bytes.bytes([0x0c, 0, 0x0b, 0x0b]);
    return this;
  }

  /** Repeats its body, at least once, for as long as it leaves a nonzero i32 on the stack. */
  repeat(body: () => void): this {
    this.#bytes.bytes([0x03, 0x40]);
    body();
    this.#bytes.bytes([0x0d, 0, 0x0b]);
    return this;
  }

  finish(): Uint8Array {
    const locals = this.#types.slice(this.#parameters);
    const runs: [number, ValType][] = [];
    for (const type of locals) {
      const last = runs.at(-1);
      if (last !== undefined && last[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    const out = new Bytes().unsigned(runs.length);
    for (const [count, type] of runs) out.unsigned(count).byte(valueTypes[type]);
    return out.bytes(this.#bytes.finish()).byte(0x0b).finish();
  }
}
