import { ortHere } from "../../core/place.js";
import { sizeOf } from "../../core/tensor.js";
import type { Graph } from "../../graph/graph.js";
import { CompileError, type DeviceTensors, RunError } from "../../runtime/runtime.js";
import { execute, fits, type HostTensor, type Loaded, load, type Surprise } from "./loaded.js";
import { capacityFor, inputSource, OpenDimensionError, symbolsOf } from "./open.js";
import { type Program, programOf } from "./program.js";
import { bytesOf } from "./view.js";

/** How many specialisations of a graph are kept; one is made for each combination of sizes that are not open. */
const keptSpecialisations = 64;

type Shapes = readonly (readonly number[])[];

/** What is known of runs with certain sizes, but for those that are open. */
interface Variant {
  /** the sizes */
  readonly key: string;
  /** how many rows there is to be room for, by the source of an open dimension */
  readonly capacities: Map<string, number>;
  /** how often loops whose scans have a closed length were found to run */
  readonly trips: Map<number, number>;
}

/**
 * The modules that a graph has been compiled to: one for each combination of sizes, where open dimensions count as the
 * room that there is for them. That only ever grows, and a module with more takes the place of the one before.
 */
export class Specialisations {
  readonly #graph: Graph;
  readonly #symbols: ReturnType<typeof symbolsOf>;
  readonly #variants = new Map<string, Variant>();
  readonly #loaded = new Map<string, { readonly room: string; readonly loaded: Promise<Loaded> }>();
  /** sources of dimensions that cannot stay open, by what has been seen of the graph and its inputs */
  readonly #closed = new Set<string>();
  #allClosed = false;
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
    await this.#find(this.#graph.inputs.map(({ shape }) => shape as number[]));
  }

  /** @throws {CompileError | RunError} */
  async run(feeds: readonly HostTensor[]): Promise<DeviceTensors> {
    const shapes = () => feeds.map(({ shape }) => shape);
    let current = this.#current;
    if (current === null || !fits(current.program, feeds)) current = await this.#find(shapes());
    // each repetition settles a loop at least
    const attempts = 4 + 2 * current.program.reports.length;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const outcome = execute(this.#graph, current, feeds);
      if (!Array.isArray(outcome)) {
        this.#current = current;
        return outcome as DeviceTensors;
      }
      this.#learn(outcome, shapes());
      current = await this.#find(shapes());
    }
    throw new RunError(
      `A Loop of "${this.#graph.name}" stacks scans of a length that changes within one run, where jit has to know ` +
        `the length beforehand. Use ${ortHere()}.`,
    );
  }

  clear(): void {
    this.#loaded.clear();
    this.#current = null;
  }

  /** Remembers how often loops run. */
  #learn(surprises: readonly Surprise[], given: Shapes): void {
    const { capacities, trips } = this.#variantOf(given);
    for (const { report, trips: count } of surprises) {
      if (report.source === null) trips.set(report.loop, count);
      else capacities.set(report.source, capacityFor(count >>> 0, report.rowBytes));
    }
  }

  #variantOf(given: Shapes): Variant {
    const closed = given.map((shape, i) =>
      this.#sourceOf(i) === null ? shape : ["open", ...shape.slice(1)],
    );
    const key = JSON.stringify(closed);
    const known = this.#variants.get(key);
    if (known !== undefined) return known;
    const fresh = { key, capacities: new Map<string, number>(), trips: new Map<number, number>() };
    this.#variants.set(key, fresh);
    return fresh;
  }

  /** The module for inputs of given shapes, compiled where need be. */
  async #find(given: Shapes): Promise<Loaded> {
    this.#closeUnequal(given);
    const variant = this.#variantOf(given);
    const { capacities, trips } = variant;
    this.#makeRoom(given, capacities);
    const shapes = given.map((shape, i) => {
      const source = this.#sourceOf(i);
      return source === null ? shape : [capacities.get(source)!, ...shape.slice(1)];
    });
    const key = JSON.stringify([variant.key, [...trips]]);
    const ready = this.#loaded.get(key);
    if (ready?.room === JSON.stringify([...capacities])) return ready.loaded;
    let program: Program;
    try {
      program = this.#write(shapes, given, variant);
    } catch (cause) {
      if (this.#allClosed) throw cause;
      // whatever else it is, it may be because of what is open
      if (cause instanceof OpenDimensionError) for (const source of cause.sources) this.#closed.add(source);
      else this.#allClosed = true;
      return this.#find(given);
    }
    // rooms that the program has chosen itself
    for (const [source, capacity] of program.capacities) capacities.set(source, capacity);
    const loaded = load(this.#graph, program);
    this.#loaded.delete(key);
    this.#loaded.set(key, { room: JSON.stringify([...capacities]), loaded });
    if (this.#loaded.size > keptSpecialisations) this.#loaded.delete(this.#loaded.keys().next().value!);
    return loaded;
  }

  /** The source of the open dimension of an input; `null` where it has none. */
  #sourceOf(input: number): string | null {
    const [dim] = this.#graph.inputs[input]!.shape;
    const symbol = this.#symbols.findIndex(({ name }) => name === dim);
    return symbol < 0 || this.#isClosed(inputSource(symbol)) ? null : inputSource(symbol);
  }

  #isClosed(source: string): boolean {
    return this.#allClosed || this.#closed.has(source);
  }

  /** One name for several sizes: each input is taken as it is. */
  #closeUnequal(given: Shapes): void {
    const counts = new Map<string, number>();
    given.forEach(([count], i) => {
      const source = this.#sourceOf(i);
      if (source === null) return;
      if ((counts.get(source) ?? count) !== count) this.#closed.add(source);
      counts.set(source, count!);
    });
  }

  #makeRoom(given: Shapes, capacities: Map<string, number>): void {
    const rowBytes = new Map<string, number>();
    given.forEach(([, ...row], i) => {
      const source = this.#sourceOf(i);
      if (source === null) return;
      const bytes = sizeOf(row) * bytesOf(this.#graph.inputs[i]!.dtype);
      rowBytes.set(source, (rowBytes.get(source) ?? 0) + bytes);
    });
    given.forEach(([count], i) => {
      const source = this.#sourceOf(i);
      if (source === null || count! <= (capacities.get(source) ?? -1)) return;
      capacities.set(source, capacityFor(count!, rowBytes.get(source)!));
    });
  }

  #write(shapes: Shapes, next: Shapes, { capacities, trips }: Variant): Program {
    const closed = { has: (source: string) => this.#isClosed(source) };
    try {
      return programOf(this.#graph, { shapes, next, closed, trips }, capacities, this.fused);
    } catch (cause) {
      if (cause instanceof CompileError || cause instanceof OpenDimensionError) throw cause;
      const { message } = cause as Error;
      throw new CompileError(`jit cannot compile the graph "${this.#graph.name}": ${message}`, { cause });
    }
  }
}
