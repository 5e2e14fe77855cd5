import { Random } from "../../core/random.js";
import {
  castTensor,
  type DType,
  type FloatDType,
  isFloat,
  numbers,
  type Tensor,
  tensor,
} from "../../core/tensor.js";
import { leavesOf } from "../../core/tree.js";
import { fieldGraph } from "../../deploy/field-file.js";
import { initialParameters, type Tensors } from "../../fields/field.js";
import { importedField } from "../../fields/imported.js";
import { differentiator } from "../../gradients/evaluate.js";
import { decode } from "../../graph/decode.js";
import { toGraph } from "../../import/to-graph.js";
import { type NeuralOde, neuralOde } from "../../integrate/neural-ode.js";
import { settingOf } from "../../integrate/solve-inputs.js";
import { mse } from "../../learning/losses.js";
import { reversible } from "../../methods/reversible.js";
import { midpoint } from "../../methods/tableaux.js";
import { gridTensors, gridThrough } from "../../programs/grid.js";
import { solveProgram } from "../../programs/solve.js";
import { compileProgram, downloadTree, handOverTree, uploadTree } from "../../runtime/compile-program.js";
import type { DeviceTensor, DeviceTensors, Runtime } from "../../runtime/runtime.js";

// What is timed on a runtime, in Node and in a page alike: a field from a file, its solve and its gradient; or a file as it is.

/** What is timed, as it goes to another process or a page. */
export type Job = FieldJob | RunJob;

/** A field to time. */
export interface FieldJob {
  /** the file of the field, in base64 */
  readonly file: string;
  /** states at t = 0 of the batch, one after the other; each is near the first */
  readonly y0: readonly number[];
  readonly batch: number;
  readonly steps: number;
  readonly stepSize: number;
  readonly dtype: FloatDType;
}

/** A file of another kind, which is run as it is. */
export interface RunJob {
  /** in base64 */
  readonly file: string;
  /** all that it takes, by name; floats in whatever type is asked for */
  readonly inputs: Readonly<Record<string, RunInput>>;
  /** the beginning of the names of those outputs that are compared */
  readonly compared: string;
  readonly dtype: FloatDType;
}

export interface RunInput {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export const works = ["evaluation", "solve", "gradient", "run"] as const;
export type Work = (typeof works)[number];

/** What a runtime did with a job before anything was timed. */
export interface Readiness {
  readonly version: string;
  /** milliseconds to open the runtime: reading modules, starting what it needs */
  readonly openMs: number;
  /** those that the job has */
  readonly works: Readonly<Partial<Record<Work, WorkReadiness>>>;
}

/** @param values  what was computed; `null` where it could not be, for a reason */
export interface WorkReadiness {
  /** milliseconds from the graph to the first result */
  readonly firstMs: number | null;
  readonly values: readonly number[] | null;
  readonly reason: string | null;
}

interface Runnable {
  readonly run: () => Promise<unknown>;
  readonly values: () => Promise<readonly number[]>;
}

/** A job that a runtime is ready for. */
export interface Prepared {
  readonly readiness: Readiness;
  /** Does a work so many times, or more often where the clock would not tell. @returns seconds of so many times */
  readonly time: (work: Work, repeats: number) => Promise<number>;
}

export async function prepare(job: Job, open: () => Promise<Runtime>): Promise<Prepared> {
  const begun = performance.now();
  const runtime = await open();
  const openMs = performance.now() - begun;
  const makers = makersOf(job);
  const ready = new Map<Work, Runnable>();
  const found: Partial<Record<Work, WorkReadiness>> = {};
  for (const [work, make] of makers) {
    const started = performance.now();
    try {
      const made = await make(runtime);
      const values = await made.values();
      found[work] = { firstMs: performance.now() - started, values, reason: null };
      ready.set(work, made);
    } catch (cause) {
      found[work] = { firstMs: null, values: null, reason: (cause as Error).message };
    }
  }
  return {
    readiness: { version: runtime.version, openMs, works: found },
    async time(work, repeats) {
      const { run } = ready.get(work)!;
      const started = performance.now();
      let done = 0;
      let last: unknown;
      // clocks of pages tell tenths of milliseconds
      do {
        last = await run();
        done++;
      } while (done < repeats || performance.now() - started < 1);
      // a GPU may only have been told what to do: it is done when something of the last run is here
      await runtime.download(leavesOf<DeviceTensor>(last)[0]!);
      return ((performance.now() - started) / 1000) * (repeats / done);
    },
  };
}

interface Subject {
  readonly ode: NeuralOde;
  readonly parameters: Tensors;
  readonly y0: Tensor;
  readonly grid: ReturnType<typeof gridThrough>;
}

/** What a job has to be timed, each made for a runtime. */
function makersOf(job: Job): [Work, (runtime: Runtime) => Promise<Runnable>][] {
  if ("inputs" in job) return [["run", (runtime) => wholeRun(job, runtime)]];
  const subject = subjectOf(job);
  const names = Object.keys(builders) as (keyof typeof builders)[];
  return names.map((work) => [work, (runtime) => builders[work](subject, runtime)]);
}

const bytesOf = ({ file }: Job) => Uint8Array.from(atob(file), (c) => c.charCodeAt(0));

/** A run of a file, in the float type of the job whatever it was written in. */
async function wholeRun(job: RunJob, runtime: Runtime): Promise<Runnable> {
  const { inputs, dtype, compared } = job;
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  const executable = await runtime.compile(toGraph(decode(bytesOf(job)), { float: dtype, shapes }));
  const feeds = Object.fromEntries(
    Object.keys(executable.inputs).map((name) => {
      const { dtype: own, shape, values } = inputs[name]!;
      return [name, runtime.upload(tensor(isFloat(own) ? dtype : own, shape, values))];
    }),
  );
  const run = () => executable.run(feeds);
  const names = Object.keys(executable.outputs).filter((name) => name.startsWith(compared));
  return {
    run,
    async values() {
      const results = await run();
      const found = await Promise.all(names.map((name) => runtime.download(results[name]!)));
      return found.flatMap(numbers);
    },
  };
}

function subjectOf(job: FieldJob): Subject {
  const { y0, batch, steps, stepSize, dtype } = job;
  const field = importedField(decode(bytesOf(job)), { float: dtype });
  const shape = field.state.map((dim) => (typeof dim === "string" ? batch : dim));
  const end = steps * stepSize;
  return {
    ode: neuralOde({ field, method: reversible(midpoint, { coupling: 0.999 }), stepSize, dtype }),
    parameters: initialParameters(field, Random.seeded(0), dtype),
    y0: castTensor(tensor("float64", shape, y0), dtype),
    grid: gridThrough(0, [end], stepSize),
  };
}

const builders: Readonly<
  Record<Exclude<Work, "run">, (subject: Subject, runtime: Runtime) => Promise<Runnable>>
> = {
  async evaluation({ ode, parameters, y0 }, runtime) {
    const executable = await runtime.compile(fieldGraph(ode));
    const given: Record<string, Tensor> = { ...parameters, t: tensor(ode.dtype, [], [0]), y: y0 };
    const feeds = Object.fromEntries(
      Object.keys(executable.inputs).map((name) => [name, runtime.upload(given[name]!)]),
    ) as DeviceTensors;
    const run = () => executable.run(feeds);
    return { run, values: async () => numbers(await runtime.download((await run()).dydt!)) };
  },
  async solve({ ode, parameters, y0, grid }, runtime) {
    const program = await compileProgram(runtime, solveProgram(settingOf(ode, y0.shape, grid)));
    const inputs = {
      ...uploadTree(runtime, { parameters, y0 }),
      ...handOverTree(runtime, gridTensors(grid, ode.dtype)),
    };
    const run = () => program.run(inputs);
    return { run, values: async () => flat(await downloadTree(runtime, (await run()).ys)) };
  },
  async gradient({ ode, parameters, y0, grid }, runtime) {
    const { dtype } = ode;
    const goal = castTensor(
      tensor(
        "float64",
        [1, ...y0.shape],
        numbers(y0).map((x) => -x),
      ),
      dtype,
    );
    const fit = { grid, y0, target: goal, weight: null };
    const compiled = await differentiator(ode, { runtime, loss: mse(), gradient: "reversible", fit });
    const trained = { parameters: uploadTree(runtime, parameters) };
    const fixed = compiled.fixed(fit);
    const run = () => compiled.run(trained, fixed);
    return { run, values: async () => flat(await downloadTree(runtime, (await run()).gradients.parameters)) };
  },
};

/** All numbers of a tensor, or of a record of them. */
function flat(found: Tensor | Tensors): readonly number[] {
  if ("data" in found && "shape" in found) return numbers(found as Tensor);
  return Object.values(found as Tensors).flatMap(numbers);
}
