import { type Runtime, RuntimeUnavailableError } from "../runtime/runtime.js";
import { type AutoOptions, auto } from "./auto.js";
import { jit } from "./jit/jit.js";
import { ortNode } from "./ort-node.js";

export interface AutoNodeOptions extends AutoOptions {
  /** told why, where everything runs on `jit` because there is nothing to choose */
  readonly onlyJit?: (why: string) => void;
}

/**
 * The runtime {@link auto} of Node: `jit()` and `ortNode()`; where onnxruntime-node is not installed, or has no binary
 * for the machine, `jit()` alone, which is slower on large fields and computes the same.
 */
export async function autoNode({ onlyJit = () => {}, ...options }: AutoNodeOptions = {}): Promise<Runtime> {
  return autoOf(ortNode, onlyJit, options);
}

/** The same with another way to ONNX Runtime. */
export async function autoOf(
  openOrt: () => Promise<Runtime>,
  onlyJit: (why: string) => void,
  options: AutoOptions = {},
): Promise<Runtime> {
  let ort: Runtime;
  try {
    ort = await openOrt();
  } catch (cause) {
    if (!(cause instanceof RuntimeUnavailableError)) throw cause;
    onlyJit(`everything runs on jit: ${cause.message}`);
    return jit();
  }
  return auto(jit(), ort, options);
}
