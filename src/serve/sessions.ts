import { constantStep, pid } from "../control/control.js";
import { Random } from "../core/random.js";
import { dtypes, scalar, type Tensor, tensor } from "../core/tensor.js";
import { encodeSolve } from "../deploy/solve-file.js";
import { solverFor } from "../deploy/trained-solver.js";
import { initialParameters } from "../fields/field.js";
import { importedField } from "../fields/imported.js";
import { decode } from "../graph/decode.js";
import { toGraph } from "../import/to-graph.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { CompileError, type Executable, type Runtime, RuntimeUnavailableError } from "../runtime/runtime.js";
import { auto } from "../runtimes/auto.js";
import { jit } from "../runtimes/jit/jit.js";
import { fileSessionOptions } from "../runtimes/ort.js";
import { loadOrtNode, ortNode } from "../runtimes/ort-node.js";
import { modelIn } from "./description.js";
import type { ModelType } from "./infer-request.js";
import type { ModelFile, SolveSetting, Source, Tensors } from "./messages.js";
import { readModelFile } from "./model-file.js";
import type { Run } from "./tile.js";

/** A graph that is ready to run. */
export interface Session {
  readonly inputs: readonly ModelType[];
  readonly outputs: readonly ModelType[];
  readonly runtime: string;
  readonly run: Run;
  readonly release: () => Promise<void>;
}

/** A file that cannot be opened as it is. */
class SessionError extends CompileError {}

export async function openSession({ file, solve }: Source): Promise<Session> {
  return solve === null ? fileSession(file) : solveSession(file, solve);
}

/** A file in ONNX Runtime as anybody runs it, on one thread: others are busy with other requests. */
export async function fileSession(file: ModelFile): Promise<Session> {
  const ort = await loadOrtNode();
  const options = { ...fileSessionOptions(1), executionProviders: ["cpu"] };
  const session = await ort.InferenceSession.create(await readModelFile(file), options).catch(
    async (cause: Error) => {
      if (!/external/i.test(cause.message)) throw new SessionError(cause.message, { cause });
      // revort has looked at where it says that its tensors are
      await modelIn(file);
      return ort.InferenceSession.create(file.path, options);
    },
  );
  return {
    inputs: session.inputMetadata.map(typeOf),
    outputs: session.outputMetadata.map(typeOf),
    runtime: "ort-cpu",
    async run(feeds) {
      const given = Object.entries(feeds).map(
        ([name, { dtype, data, shape }]) =>
          [name, new ort.Tensor(dtype as "float32", data as Float32Array, shape)] as const,
      );
      const results = await session.run(Object.fromEntries(given));
      return Object.fromEntries(
        Object.entries(results).map(([name, { type, dims, data }]) => [
          name,
          { dtype: type, shape: [...dims], data } as Tensor,
        ]),
      );
    },
    release: () => session.release(),
  };
}

type Metadata = Awaited<ReturnType<Awaited<ReturnType<typeof loadOrtNode>>["InferenceSession"]["create"]>>;

function typeOf(value: Metadata["inputMetadata"][number]): ModelType {
  const known: readonly string[] = dtypes;
  if (value.isTensor && known.includes(value.type)) {
    const { name, type, shape } = value;
    // an unnamed open dimension
    return {
      name,
      dtype: type as ModelType["dtype"],
      shape: shape.map((dim) => (dim === -1 || dim === "" ? null : dim)),
    };
  }
  throw new SessionError(
    `${JSON.stringify(value.name)} is ${value.isTensor ? value.type : "no tensor"}, which is not served; ` +
      `export the model with ${known.join(", ")}.`,
  );
}

/** A whole solve of the field of a file as one graph, on the runtime that is faster for it. */
async function solveSession(file: ModelFile, setting: SolveSetting): Promise<Session> {
  const model = await modelIn(file);
  const field = importedField(model);
  const dtype = field.dtype!;
  const method = solverFor(model.metadata, { solver: setting.solver ?? undefined }, setting.adaptive);
  const ode = neuralOde({ field, dtype, method, stepSize: 1 });
  const bytes = encodeSolve(ode, initialParameters(field, Random.seeded(0), dtype), {
    control: setting.adaptive ? pid({}) : constantStep(1),
    defaults: false,
    openParameters: setting.openParameters,
  });
  const graph = toGraph(decode(bytes));
  const compiled = jit();
  const ort = await ortNode().catch((cause) => {
    if (cause instanceof RuntimeUnavailableError) return null;
    throw cause;
  });
  // which one is chosen once: the same row has the same bits in any company
  let runtime: Runtime = compiled;
  if (ort !== null) {
    const chosen = await auto(compiled, ort).compile(graph);
    if (chosen.choice.runtime === ort.name) runtime = ort;
    await chosen.release();
  }
  const own = await runtime.compile(graph);
  const session = onRuntime(runtime, own);
  if (ort === null || runtime === ort) return session;
  try {
    await session.run(exampleOf(session, setting.adaptive));
    return session;
  } catch (cause) {
    if (!(cause instanceof CompileError)) throw cause;
    await own.release();
    return onRuntime(ort, await ort.compile(graph));
  }
}

function onRuntime(runtime: Runtime, executable: Executable): Session {
  const types = (of: Executable["inputs"]) =>
    Object.entries(of).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  return {
    inputs: types(executable.inputs),
    outputs: types(executable.outputs),
    runtime: runtime.name,
    async run(feeds) {
      const given = Object.fromEntries(
        Object.keys(executable.inputs).map((name) => [name, runtime.upload(feeds[name]!)]),
      );
      const results = await executable.run(given);
      const downloads = Object.entries(results).map(
        async ([name, value]) => [name, await runtime.download(value)] as const,
      );
      return Object.fromEntries(await Promise.all(downloads));
    },
    release: () => executable.release(),
  };
}

/** What a solve takes beside states, for a trial: a short way in four steps. */
export function exampleOf({ inputs }: Pick<Session, "inputs">, adaptive: boolean): Tensors {
  const { dtype } = inputs.find(({ name }) => name === "y0")!;
  const number = (value: number) => scalar(dtype, value);
  const times = {
    t0: number(0),
    t1: number(1),
    ts: tensor(dtype, [1], [1]),
    maxSteps: scalar("int64", 1000),
  };
  const steps = adaptive ? { rtol: number(1e-3), atol: number(1e-3) } : { stepSize: number(0.25) };
  const all: Tensors = { ...times, ...steps };
  const states = inputs.flatMap(({ name, dtype: type, shape }) => {
    if (name in all) return [];
    const own = shape.map((dim) => (typeof dim === "number" ? dim : 1));
    return [[name, tensor(type, own, new Array(own.reduce((p, d) => p * d, 1)).fill(0.1))] as const];
  });
  return { ...all, ...Object.fromEntries(states) };
}
