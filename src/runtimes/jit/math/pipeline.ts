import type { Unit } from "../unit.js";
import type { Code, Local, Push } from "../wasm/index.js";
import { type Format, HeldConstants, Vectors } from "./vectors.js";

/** How many constants the loops keep in registers; with more, V8 spills. */
const heldConstants = 8;

/** A part of a function: from its operands to those of the next part. What it gives may be used any number of times. */
export type Stage = (p: Vectors, ...operands: Push[]) => readonly Push[];

/** A function in stages. */
export type Staged = readonly Stage[];

/** The value of a function whose stages follow each other. */
export function throughStages(p: Vectors, stages: Staged, operands: readonly Push[]): Push {
  let values = operands;
  for (const stage of stages) values = stage(p, ...values);
  return values[0]!;
}

/**
 * Writes y = f(x) for `count` vectors from one pointer to another, both of which move: while vector i is in the last stage,
 * i + 1 is in the one before, and so on. Within a vector each instruction waits for the one before it, and a processor
 * looks only a few vectors ahead; stages have shorter chains. With constants in registers they take a quarter of the time
 * less.
 *
 * @returns how far behind the end the pointers stand, in bytes
 */
export function emitPipeline(
  unit: Unit,
  code: Code,
  format: Format,
  stages: Staged,
  count: number,
  { from, to }: { readonly from: Local; readonly to: Local },
): number {
  const bytes = 16;
  const behind = stages.length - 1;
  /** the operands of each stage but the first */
  const waiting: Local[][] = stages.slice(1).map(() => []);
  let constants = new HeldConstants(code, heldConstants);
  let moved = 0;

  const write = (s: number, vector: number): void => {
    const p = new Vectors(code, unit, format, constants);
    const offset = (vector - moved) * bytes;
    if (s === behind) code.get(to);
    if (s === 0) code.get(from).vectorAccess("v128.load", offset);
    const operands = s === 0 ? [p.argument()] : waiting[s - 1]!.map((local) => () => code.get(local));
    const results = stages[s]!(p, ...operands);
    if (s === behind) {
      results[0]!();
      code.vectorAccess("v128.store", offset);
    } else {
      results.forEach((push, i) => {
        push();
        waiting[s]![i] ??= code.local("v128");
        code.set(waiting[s]![i]!);
      });
    }
    p.end();
  };
  /** Every stage that has a vector after so many steps; the last first, so that operands are read before they change. */
  const step = (t: number): void => {
    for (let s = behind; s >= 0; s--) if (t - s >= 0 && t - s < count) write(s, t - s);
  };

  for (let t = 0; t < behind; t++) step(t);
  // a constant that a loop is the first to use would be loaded in every round all the same
  constants = constants.close();
  const rounds = Math.max(0, count - behind);
  if (rounds > 0) {
    code.i32(rounds);
    const counter = code.keep("i32");
    code.repeat(() => {
      step(behind);
      for (const pointer of [from, to]) code.get(pointer).i32(bytes).op("i32.add").set(pointer);
      code.get(counter).i32(1).op("i32.sub").tee(counter);
    });
    code.free(counter);
    moved = rounds;
  }
  for (let t = behind + rounds; t < count + behind; t++) step(t);
  for (const locals of waiting) for (const local of locals) code.free(local);
  constants.end();
  return (count - moved) * bytes;
}
