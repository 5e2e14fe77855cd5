import { type DType, scalar } from "../core/tensor.js";
import type { adaptiveProgram, launchProgram } from "../programs/adaptive.js";
import type { locateProgram } from "../programs/locate.js";
import type { CompiledOf } from "../runtime/compile-program.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";

/** What a solve that chooses its steps is carried out by. */
export interface StepperPrograms {
  /** from y0 on */
  readonly launch: CompiledOf<ReturnType<typeof launchProgram>["program"]>;
  /** from where another run has got to; compiled when it is first needed */
  readonly go: () => Promise<CompiledOf<ReturnType<typeof adaptiveProgram>>>;
  /** where there are events */
  readonly locate: CompiledOf<ReturnType<typeof locateProgram>["program"]> | null;
  readonly numbers: Numbers;
}

/** Numbers on a device that each solve takes anew, and mostly the same ones: the last for each input is kept. */
export class Numbers {
  readonly #runtime: Runtime;
  readonly #last = new Map<string, { readonly value: number; readonly tensor: DeviceTensor }>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  of(input: string, dtype: DType, value: number): DeviceTensor {
    const last = this.#last.get(input);
    if (last !== undefined && Object.is(last.value, value)) return last.tensor;
    const tensor = this.#runtime.upload(scalar(dtype, value));
    this.#last.set(input, { value, tensor });
    return tensor;
  }
}
