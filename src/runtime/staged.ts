import { numbers, scalar } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import type { Graph, ValueType } from "../graph/graph.js";
import { concat } from "../ops/slicing.js";
import { checkInputs } from "./inputs.js";
import {
  type CompileOptions,
  type DeviceTensor,
  type DeviceTensors,
  type Executable,
  RunError,
  type Runtime,
} from "./runtime.js";
import { hasRepeated, type Repeated, type Straight, stagesOf } from "./stages.js";

// Graphs of which the host does the loops, for runtimes on whose device a loop waits for the processor in each iteration.

type Device = Pick<Runtime, "compile" | "upload" | "download" | "dispose">;

/** What runs one after the other, on values by their names. */
interface Step {
  run(values: Map<string, DeviceTensor>): Promise<void>;
  release(): Promise<void>;
}

/**
 * Compiles a graph whose loops are done by the host, in chunks of iterations: what they carry stays on the device. Loops in
 * loops are done likewise; those that end by a condition remain.
 *
 * @param widest  iterations of a chunk at most
 */
export async function compileStaged(
  device: Device,
  graph: Graph,
  widest: number,
  options?: CompileOptions,
): Promise<Executable> {
  if (!hasRepeated(graph)) return device.compile(graph, options);
  const { stages, outputs: names } = stagesOf(graph, widest);
  const compile = (own: Graph) => compileStaged(device, own, widest, options);
  const steps: Step[] = [];
  try {
    for (const stage of stages)
      steps.push(
        stage.kind === "straight"
          ? await straightStep(stage, compile)
          : await repeatedStep(device, stage, compile),
      );
  } catch (cause) {
    for (const step of steps) await step.release();
    throw cause;
  }
  const inputs = typesOf(graph.inputs.map((value) => [value.name!, value]));
  let released = false;
  return {
    inputs,
    outputs: typesOf(graph.outputs.map(({ name, value }) => [name, value])),
    async run(feeds) {
      if (released) throw new RunError(`"${graph.name}" has been released; compile it again to run it.`);
      checkInputs(inputs, feeds);
      const values = new Map(Object.entries(feeds));
      for (const step of steps) await step.run(values);
      const results = Object.fromEntries(
        Object.entries(names).map(([name, value]) => [name, values.get(value)!] as const),
      );
      const kept = new Set([...Object.values(feeds), ...Object.values(results)]);
      for (const value of values.values()) if (!kept.has(value)) device.dispose(value);
      return results;
    },
    async release() {
      if (released) return;
      released = true;
      for (const step of steps) await step.release();
    },
  };
}

async function straightStep(
  { graph }: Straight,
  compile: (graph: Graph) => Promise<Executable>,
): Promise<Step> {
  const executable = await compile(graph);
  return {
    async run(values) {
      const feeds = Object.keys(executable.inputs).map((name) => [name, values.get(name)!] as const);
      const results = await executable.run(Object.fromEntries(feeds));
      for (const name in results) values.set(name, results[name]!);
    },
    release: () => executable.release(),
  };
}

async function repeatedStep(
  device: Device,
  stage: Repeated,
  compile: (graph: Graph) => Promise<Executable>,
): Promise<Step> {
  const { width } = stage;
  const chunk = stage.chunk && (await compile(stage.chunk));
  const single = stage.single && (await compile(stage.single));
  const joins = await joinsOf(stage, device, compile);
  const start = stage.start.map((value) => (typeof value === "string" ? value : device.upload(value)));
  return {
    async run(values) {
      const count =
        typeof stage.trips === "number"
          ? stage.trips
          : numbers(await device.download(values.get(stage.trips)!))[0]!;
      const captured = stage.captured.map((name, i) => [`captured${i}`, values.get(name)!] as const);
      const before = start.map((value) => (typeof value === "string" ? values.get(value)! : value));
      let carried = before;
      const pieces: DeviceTensor[][] = stage.scans.map(() => []);
      for (let i = 0; i < count; ) {
        const isWide = chunk !== null && i + width <= count;
        const results: DeviceTensors = await (isWide ? chunk : single!).run({
          ...{ first: device.upload(scalar("int64", i)) },
          ...Object.fromEntries(carried.map((value, k) => [`carried${k}`, value])),
          ...Object.fromEntries(captured),
        });
        if (carried !== before) for (const value of carried) device.dispose(value);
        carried = carried.map((_, k) => results[`next${k}`]!);
        pieces.forEach((own, k) => {
          own.push(results[`scan${k}`]!);
        });
        i += isWide ? width : 1;
      }
      // results are new, also those of no iteration
      if (carried === before) carried = await Promise.all(before.map((value) => copyOf(device, value)));
      stage.end.forEach((name, k) => {
        values.set(name, carried[k]!);
      });
      for (const [k, name] of stage.scans.entries()) {
        values.set(name, await joins[k]!.join(pieces[k]!));
      }
    },
    async release() {
      await chunk?.release();
      await single?.release();
      for (const join of joins) await join.release();
      for (const value of start) if (typeof value !== "string") device.dispose(value);
    },
  };
}

async function copyOf(device: Device, value: DeviceTensor): Promise<DeviceTensor> {
  return device.upload(await device.download(value));
}

/** What stacks up the pieces that runs of a loop leave. */
interface Join {
  join(pieces: readonly DeviceTensor[]): Promise<DeviceTensor>;
  release(): Promise<void>;
}

async function joinsOf(
  { trips, scans, width, chunk, single }: Repeated,
  device: Device,
  compile: (graph: Graph) => Promise<Executable>,
): Promise<Join[]> {
  if (typeof trips !== "number") return [];
  const wide = chunk === null ? 0 : Math.floor(trips / width);
  const graphs = [
    ...new Array<Graph>(wide).fill(chunk!),
    ...new Array<Graph>(trips - wide * width).fill(single!),
  ];
  return Promise.all(
    scans.map(async (_, k) => {
      const types = graphs.map(({ outputs }) => outputs.find(({ name }) => name === `scan${k}`)!.value);
      if (types.length === 1) return { join: async ([piece]) => piece!, release: async () => {} };
      const b = new Builder();
      const pieces = types.map(({ dtype, shape }, i) => b.input(`piece${i}`, dtype, shape));
      const executable = await compile(b.graph({ whole: concat(b, pieces, 0) }, "pieces"));
      return {
        async join(given) {
          const results = await executable.run(
            Object.fromEntries(given.map((piece, i) => [`piece${i}`, piece])),
          );
          for (const piece of given) device.dispose(piece);
          return results.whole!;
        },
        release: () => executable.release(),
      };
    }),
  );
}

function typesOf(entries: readonly (readonly [string, ValueType])[]): Record<string, ValueType> {
  return Object.fromEntries(entries.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}

/** A runtime on which the host does the loops. @param widest  as {@link compileStaged} */
export function staged(runtime: Runtime, widest: number): Runtime {
  return { ...runtime, compile: (graph, options) => compileStaged(runtime, graph, widest, options) };
}
