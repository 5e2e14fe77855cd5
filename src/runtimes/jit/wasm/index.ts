export { Code, type Local, type Push } from "./code.js";
export { type WasmFunction, WasmModule } from "./module.js";
export type { Access, Plain, ValType, Vector } from "./opcodes.js";
