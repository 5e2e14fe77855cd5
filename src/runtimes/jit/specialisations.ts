import { sizeOf } from "../../core/tensor.js";
import type { Graph } from "../../graph/graph.js";
import { CompileError, type DeviceTensors, RunError } from "../../runtime/runtime.js";
import { execute, fits, type HostTensor, type Loaded, load, type Surprise } from "./loaded.js";
import { capacityFor, inputSource, OpenDimensionError, symbolsOf } from "./open.js";
import { type Program, programOf } from "./program.js";
import { bytesOf } from "./view.js";

/** How many specialisations of a graph are kept; one is made for each combination of sizes that are not open. */
const keptSpecialisations = 64;

/**
 * The modules that a graph has been compiled to: one for each combination of sizes, where open dimensions count as the
 * room that there is for them. That only ever grows.
 */
export class Specialisations {
  readonly #graph: Graph;
  readonly #loaded = new Map<string, { readonly room: string; readonly loaded: Promise<Loaded> }>();
  readonly #symbols: ReturnType<typeof symbolsOf>;
  /** sources of dimensions that cannot stay open, by what has been seen of the graph and its inputs */
  readonly #closed = new Set<string>();
  /** whether all are closed */
  #allClosed = false;
  readonly #capacities = new Map<string, number>();
  /** trips that loops with scans of a closed length were found to make, by the shapes of the inputs */
  readonly #trips = new Map<string, Map<number, number>>();
  /** what ran last */
  #current: Loaded | null = null;

  /** @param fused  whether the engine has a fused multiply-add */
  constructor(
    graph: Graph,
    readonly fused: boolean,
  ) {
    this.#graph = graph;
    this.#symbols = symbolsOf(graph);
    this.#symbols.forEach(({ leads }, i) => {
      if (!leads) this.#closed.add(inputSource(i));
    });
  }

  /** Compiles for the shapes that the graph says, if it says all. @throws {CompileError} */
  async prepare(): Promise<void> {
    if (this.#symbols.length > 0) return;
    await this.#specialised(this.#graph.inputs.map(({ shape }) => shape as number[]));
  }

  /** @throws {CompileError | RunError} */
  async run(feeds: readonly HostTensor[]): Promise<DeviceTensors> {
    let current = this.#current;
    if (current === null || !fits(current.program, feeds)) current = await this.#find(feeds);
    // each repetition settles a loop at least
    const attempts = 4 + 2 * current.program.reports.length;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const outcome = execute(this.#graph, current, feeds);
      if (!Array.isArray(outcome)) {
        this.#current = current;
        return outcome as DeviceTensors;
      }
      this.#learn(outcome, feeds);
      current = await this.#find(feeds);
    }
    throw new RunError(
      `A Loop of "${this.#graph.name}" stacks scans of a length that changes within one run, where jit has to know ` +
        "the length beforehand. Use ort-cpu.",
    );
  }

  clear(): void {
    this.#loaded.clear();
    this.#current = null;
  }

  /** Remembers how often loops run. */
  #learn(surprises: readonly Surprise[], feeds: readonly HostTensor[]): void {
    const key = JSON.stringify(this.#shapesFor(feeds));
    for (const { report, trips } of surprises) {
      if (report.source === null) {
        const known = this.#trips.get(key) ?? new Map<number, number>();
        this.#trips.set(key, known.set(report.loop, trips));
      } else {
        this.#capacities.set(report.source, capacityFor(trips >>> 0, report.rowBytes));
      }
    }
  }

  #find(feeds: readonly HostTensor[]): Promise<Loaded> {
    this.#symbols.forEach(({ name }, i) => {
      const source = inputSource(i);
      if (this.#isClosed(source)) return;
      let rowBytes = 0;
      const counts = new Set<number>();
      this.#graph.inputs.forEach(({ shape: [dim], dtype }, k) => {
        if (dim !== name) return;
        const [count, ...row] = feeds[k]!.shape as [number, ...number[]];
        counts.add(count);
        rowBytes += sizeOf(row) * bytesOf(dtype);
      });
      // one name for several sizes: each input is taken as it is
      if (counts.size > 1) this.#closed.add(source);
      const [count] = [...counts] as [number];
      if (count > (this.#capacities.get(source) ?? -1)) {
        this.#capacities.set(source, capacityFor(count, rowBytes));
      }
    });
    return this.#specialised(this.#shapesFor(feeds), feeds);
  }

  /** The shapes of inputs, with the room for rows where their number is open. */
  #shapesFor(feeds: readonly HostTensor[]): (readonly number[])[] {
    return this.#graph.inputs.map(({ shape }, i) => {
      const given = feeds[i]!.shape;
      const symbol = this.#symbols.findIndex(({ name }) => name === shape[0]);
      if (symbol < 0 || this.#isClosed(inputSource(symbol))) return given;
      return [this.#capacities.get(inputSource(symbol))!, ...given.slice(1)];
    });
  }

  async #specialised(
    shapes: readonly (readonly number[])[],
    feeds: readonly HostTensor[] = [],
  ): Promise<Loaded> {
    const shapesKey = JSON.stringify(shapes);
    const trips = this.#trips.get(shapesKey) ?? new Map<number, number>();
    const key = JSON.stringify([this.#closedShapes(shapes), [...trips]]);
    const room = JSON.stringify([shapes, [...this.#capacities]]);
    const ready = this.#loaded.get(key);
    if (ready !== undefined && ready.room === room) return ready.loaded;
    let program: Program;
    try {
      program = this.#write(shapes, trips);
    } catch (cause) {
      if (this.#allClosed) throw cause;
      // whatever else it is, it may be because of what is open
      if (cause instanceof OpenDimensionError) for (const source of cause.sources) this.#closed.add(source);
      else this.#allClosed = true;
      return this.#specialised(feeds.length > 0 ? this.#shapesFor(feeds) : shapes, feeds);
    }
    // rooms that a program has chosen itself
    for (const [source, capacity] of program.capacities) this.#capacities.set(source, capacity);
    const loaded = load(this.#graph, program);
    this.#loaded.delete(key);
    this.#loaded.set(key, { room: JSON.stringify([shapes, [...this.#capacities]]), loaded });
    if (this.#loaded.size > keptSpecialisations) this.#loaded.delete(this.#loaded.keys().next().value!);
    return loaded;
  }

  /** The shapes without open dimensions: what has to be the same for a module to be replaced by another. */
  #closedShapes(shapes: readonly (readonly number[])[]): unknown[] {
    return this.#graph.inputs.map(({ shape }, i) => {
      const symbol = this.#symbols.findIndex(({ name }) => name === shape[0]);
      return symbol < 0 || this.#isClosed(inputSource(symbol)) ? shapes[i] : ["open", ...shapes[i]!.slice(1)];
    });
  }

  #isClosed(source: string): boolean {
    return this.#allClosed || this.#closed.has(source);
  }

  #write(shapes: readonly (readonly number[])[], trips: ReadonlyMap<number, number>): Program {
    try {
      const closed = { has: (source: string) => this.#isClosed(source) };
      return programOf(this.#graph, { shapes, closed, trips }, this.#capacities, this.fused);
    } catch (cause) {
      if (cause instanceof CompileError || cause instanceof OpenDimensionError) throw cause;
      throw new CompileError(
        `jit cannot compile the graph "${this.#graph.name}": ${(cause as Error).message}`,
        {
          cause,
        },
      );
    }
  }
}
