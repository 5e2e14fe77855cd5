import { setFlagsFromString } from "node:v8";
import { hasFusedMultiplyAdd } from "./jit/engine.js";

/**
 * Lets the compiled runtime have the fused multiply-add on Node 20 as well, where V8 keeps it behind an option that is on
 * from Node 22. It is an option of the whole process, so that programs call this, not libraries. Node only.
 */
export function allowFusedMultiplyAdd(): void {
  if (!hasFusedMultiplyAdd()) setFlagsFromString("--experimental-wasm-relaxed-simd");
}
