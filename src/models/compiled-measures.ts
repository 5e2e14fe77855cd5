import { type FloatDType, numbers, type Tensor } from "../core/tensor.js";
import { mapLeaves } from "../core/tree.js";
import { sharesOf } from "../gradients/parts.js";
import { type CompiledOf, compileProgram, downloadTree } from "../runtime/compile-program.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { Measures } from "../train/checkpoint.js";
import type { AnyTask } from "./task.js";
import { measuresProgram } from "./task-measures.js";

/** Parameters, buffers and samples on a device. */
export interface OnDevice {
  readonly parameters: DeviceTensors;
  readonly buffers: DeviceTensors;
  readonly data: DeviceTensors;
}

/** What was measured of some samples, and what of the whole they are: their number, or what the task says. */
export interface MeasuredPart extends Measures {
  readonly weight: number;
}

/** Loss and metrics of a task, compiled once for each number of samples. */
export class CompiledMeasures {
  readonly #compile: (samples: number) => Promise<CompiledOf<ReturnType<typeof measuresProgram>>>;
  readonly #runtime: Runtime;
  readonly #programs = new Map<number, CompiledOf<ReturnType<typeof measuresProgram>>>();

  constructor(task: AnyTask, { runtime, dtype }: { readonly runtime: Runtime; readonly dtype: FloatDType }) {
    this.#compile = (samples) => compileProgram(runtime, measuresProgram(task, dtype, samples));
    this.#runtime = runtime;
  }

  /** Compiles those of so many samples. */
  async prepare(samples: number): Promise<void> {
    if (!this.#programs.has(samples)) this.#programs.set(samples, await this.#compile(samples));
  }

  async measure(samples: number, inputs: OnDevice): Promise<MeasuredPart> {
    await this.prepare(samples);
    const results = await this.#programs.get(samples)!.run(inputs);
    const { loss, metrics, weight } = mapLeaves(
      await downloadTree(this.#runtime, results),
      (leaf) => numbers(leaf as Tensor)[0]!,
    );
    return { loss, metrics, weight: weight ?? samples };
  }

  async release(): Promise<void> {
    for (const program of this.#programs.values()) await program.release();
    this.#programs.clear();
  }
}

/** Measures of all parts together: the mean of theirs, by their weights. */
export function meanOf(parts: readonly MeasuredPart[]): Measures {
  const shares = sharesOf(parts.map(({ weight }) => weight));
  // a part in which nothing was observed has no mean: 0 / 0
  const mean = (of: (part: MeasuredPart) => number) =>
    parts.reduce((sum, part, k) => (shares[k] === 0 ? sum : sum + shares[k]! * of(part)), 0);
  return {
    loss: mean(({ loss }) => loss),
    metrics: Object.fromEntries(
      Object.keys(parts[0]!.metrics).map((name) => [name, mean(({ metrics }) => metrics[name]!)]),
    ),
  };
}
