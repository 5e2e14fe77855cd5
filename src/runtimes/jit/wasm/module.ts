import { Bytes } from "./bytes.js";
import { Code } from "./code.js";
import { type ValType, valueTypes } from "./opcodes.js";

/** A function of the module under construction. */
export interface WasmFunction {
  readonly index: number;
  readonly code: Code;
}

/**
 * A WebAssembly module with one imported memory and any number of functions, which may call each other in any order.
 */
export class WasmModule {
  readonly #functions: { type: number; code: Code; name: string | null }[] = [];
  readonly #types: string[] = [];
  readonly #signatures: { params: readonly ValType[]; results: readonly ValType[] }[] = [];

  /** @param name  under which it is exported, if it is */
  define(params: readonly ValType[], results: readonly ValType[], name: string | null = null): WasmFunction {
    const key = `${params}:${results}`;
    let type = this.#types.indexOf(key);
    if (type < 0) {
      type = this.#types.push(key) - 1;
      this.#signatures.push({ params, results });
    }
    const code = new Code(params);
    const index = this.#functions.push({ type, code, name }) - 1;
    return { index, code };
  }

  encode(): Uint8Array<ArrayBuffer> {
    const out = new Bytes().bytes([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const section = (id: number, fill: (bytes: Bytes) => void) => {
      const content = new Bytes();
      fill(content);
      out.byte(id).unsigned(content.length).bytes(content.finish());
    };
    section(1, (s) => {
      s.unsigned(this.#signatures.length);
      for (const { params, results } of this.#signatures) {
        s.byte(0x60).unsigned(params.length);
        for (const type of params) s.byte(valueTypes[type]);
        s.unsigned(results.length);
        for (const type of results) s.byte(valueTypes[type]);
      }
    });
    section(2, (s) => {
      s.unsigned(1).name("jit").name("memory").byte(2).byte(0).unsigned(1);
    });
    section(3, (s) => {
      s.unsigned(this.#functions.length);
      for (const { type } of this.#functions) s.unsigned(type);
    });
    const exported = [...this.#functions.entries()].filter(([, { name }]) => name !== null);
    section(7, (s) => {
      s.unsigned(exported.length);
      for (const [index, { name }] of exported) s.name(name!).byte(0).unsigned(index);
    });
    section(10, (s) => {
      s.unsigned(this.#functions.length);
      for (const { code } of this.#functions) {
        const body = code.finish();
        s.unsigned(body.length).bytes(body);
      }
    });
    return out.finish();
  }
}
