import type { Tensor } from "../core/tensor.js";
import type { Graph } from "../graph/graph.js";
import {
  CompileError,
  type CompileOptions,
  type DeviceTensor,
  type DeviceTensors,
  type Executable,
  type HostMemory,
  RunError,
  type Runtime,
} from "../runtime/runtime.js";
import { prices, secondsOf, sizesOf, workOf } from "./cost.js";
import { needsUnforeseen } from "./jit/open.js";

/** Which runtime a graph went to, and why. */
export interface Choice {
  /** name of the graph */
  readonly graph: string;
  readonly runtime: string;
  /** a sentence without its end */
  readonly why: string;
}

export interface AutoOptions {
  /** told of each choice when it is made */
  readonly explain?: (choice: Choice) => void;
}

/** A compiled graph that says where it runs. */
export interface AutoExecutable extends Executable {
  /** The last choice; where sizes are known only when the graph runs, another one may follow. */
  readonly choice: Choice;
}

export interface AutoRuntime extends Runtime {
  compile(graph: Graph, options?: CompileOptions): Promise<AutoExecutable>;
}

/**
 * Runs each graph where it is faster by estimate: small ones compiled, where ONNX Runtime would spend its time between
 * operators; large ones on ONNX Runtime, whose products of matrices use all that the processor has. What the compiled
 * runtime cannot compile goes to ONNX Runtime too, and the choice says so.
 *
 * The estimate depends on the graph and its sizes alone, so a graph gives the same numbers in every run.
 *
 * @param compiled  `jit()`
 * @param ort  `await ortNode()`
 */
export function auto(compiled: Runtime, ort: Runtime, { explain = () => {} }: AutoOptions = {}): AutoRuntime {
  const { host: ownHost } = compiled;
  const host: HostMemory | undefined = ownHost &&
    ort.host && {
      read(value) {
        const [[runtime, own]] = [...(value as SharedTensor).images] as [[Runtime, DeviceTensor]];
        return runtime.host!.read(own);
      },
      wrap: (value) => ofRuntime(compiled, ownHost.wrap(value)),
    };
  return {
    name: "auto",
    version: `${compiled.name} ${compiled.version}, ${ort.name} ${ort.version}`,
    compile: (graph, options) => AutoGraph.compile(graph, options, compiled, ort, explain),
    upload: (value) => ofRuntime(compiled, compiled.upload(value)),
    download(value) {
      const [[runtime, own]] = [...(value as SharedTensor).images] as [[Runtime, DeviceTensor]];
      return runtime.download(own);
    },
    dispose(value) {
      const { images } = value as SharedTensor;
      for (const [runtime, own] of images) runtime.dispose(own);
    },
    ...(host && { host }),
  };
}

/** A tensor that several runtimes know, each in its own way. */
interface SharedTensor extends DeviceTensor {
  readonly images: Map<Runtime, DeviceTensor>;
}

function ofRuntime(runtime: Runtime, own: DeviceTensor): SharedTensor {
  return { dtype: own.dtype, shape: own.shape, images: new Map([[runtime, own]]) };
}

/** A tensor as a runtime knows it, which costs no copy where both keep theirs in host memory. */
async function imageFor(runtime: Runtime, value: DeviceTensor): Promise<DeviceTensor> {
  const { images } = value as SharedTensor;
  const known = images.get(runtime);
  if (known !== undefined) return known;
  const [[holder, own]] = [...images] as [[Runtime, DeviceTensor]];
  const onHost: Tensor = holder.host ? holder.host.read(own) : await holder.download(own);
  const image = runtime.host ? runtime.host.wrap(onHost) : runtime.upload(onHost);
  images.set(runtime, image);
  return image;
}

class AutoGraph implements AutoExecutable {
  readonly inputs: Executable["inputs"];
  readonly outputs: Executable["outputs"];
  readonly #executables = new Map<Runtime, Executable>();
  readonly #chosen = new Map<string, { runtime: Runtime; choice: Choice }>();
  /** why the compiled runtime is out of the question, if it is */
  #refusal: string | null = null;
  #choice: Choice | null = null;
  #released = false;

  private constructor(
    readonly graph: Graph,
    readonly options: CompileOptions | undefined,
    readonly compiled: Runtime,
    readonly ort: Runtime,
    readonly explain: (choice: Choice) => void,
  ) {
    this.inputs = typesOf(graph.inputs.map((value) => [value.name!, value]));
    this.outputs = typesOf(graph.outputs.map(({ name, value }) => [name, value]));
    this.#refusal = needsUnforeseen(graph)
      ? "an operator takes all that a Loop stacks until a condition ends it, so that each length would be compiled anew"
      : null;
  }

  static async compile(
    graph: Graph,
    options: CompileOptions | undefined,
    compiled: Runtime,
    ort: Runtime,
    explain: (choice: Choice) => void,
  ): Promise<AutoExecutable> {
    const made = new AutoGraph(graph, options, compiled, ort, explain);
    await made.#prepare(new Map());
    return made;
  }

  get choice(): Choice {
    return this.#choice!;
  }

  get runsOn(): string {
    return this.choice.runtime;
  }

  async run(given: DeviceTensors): Promise<DeviceTensors> {
    if (this.#released) {
      throw new RunError(
        `The graph "${this.graph.name}" was released and cannot run any more. Compile it again.`,
      );
    }
    const { runtime, executable } = await this.#prepare(sizesOf(this.graph, given));
    const feeds: Record<string, DeviceTensor> = {};
    for (const name in given) feeds[name] = await imageFor(runtime, given[name]!);
    let results: DeviceTensors;
    try {
      results = await executable.run(feeds);
    } catch (cause) {
      // with sizes known, the compiled runtime may find that it cannot
      if (!(cause instanceof CompileError) || runtime !== this.compiled) throw cause;
      this.#refuse(cause);
      return this.run(given);
    }
    const shared: Record<string, DeviceTensor> = {};
    for (const name in results) shared[name] = ofRuntime(runtime, results[name]!);
    return shared;
  }

  async release(): Promise<void> {
    this.#released = true;
    const executables = [...this.#executables.values()];
    this.#executables.clear();
    for (const executable of executables) await executable.release();
  }

  #refuse(cause: CompileError): void {
    this.#refusal = cause.message;
    this.#chosen.clear();
  }

  /** The executable for given sizes, compiled where need be. */
  async #prepare(sizes: ReadonlyMap<string, number>): Promise<{ runtime: Runtime; executable: Executable }> {
    const key = [...sizes].join();
    const known = this.#chosen.get(key);
    const { runtime, choice } = known ?? this.#choose(sizes);
    let executable = this.#executables.get(runtime);
    if (executable === undefined) {
      try {
        executable = await runtime.compile(this.graph, this.options);
      } catch (cause) {
        if (!(cause instanceof CompileError)) throw cause;
        if (runtime === this.compiled) {
          this.#refuse(cause);
          return this.#prepare(sizes);
        }
        throw new CompileError(
          `auto cannot run the graph "${this.graph.name}" anywhere: ${[this.#refusal, cause.message].filter((reason) => reason !== null).join(" ")}`,
          { cause },
        );
      }
      this.#executables.set(runtime, executable);
    }
    if (known === undefined) {
      this.#chosen.set(key, { runtime, choice });
      if (this.#choice?.why !== choice.why) this.explain(choice);
      this.#choice = choice;
    }
    return { runtime, executable };
  }

  #choose(sizes: ReadonlyMap<string, number>): { runtime: Runtime; choice: Choice } {
    const pick = (runtime: Runtime, why: string) => ({
      runtime,
      choice: { graph: this.graph.name, runtime: runtime.name, why },
    });
    if (this.#refusal !== null)
      return pick(this.ort, `${this.compiled.name} cannot take it: ${this.#refusal}`);
    const work = workOf(this.graph, sizes);
    const [compiled, ort] = [secondsOf(work, prices.jit), secondsOf(work, prices["ort-cpu"])];
    const [chosen, other] = compiled <= ort ? [this.compiled, this.ort] : [this.ort, this.compiled];
    const ratio = Math.max(compiled, ort) / Math.min(compiled, ort);
    return pick(
      chosen,
      `estimated to be ${ratio < 1.15 ? "about as fast as" : `${showRatio(ratio)} times as fast as`} ${other.name}`,
    );
  }
}

/** Two digits: 1.3, 7, 240. */
function showRatio(ratio: number): string {
  return String(Number(ratio.toPrecision(2)));
}

function typesOf(
  entries: readonly (readonly [string, Executable["inputs"][string]])[],
): Executable["inputs"] {
  return Object.fromEntries(entries.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}
