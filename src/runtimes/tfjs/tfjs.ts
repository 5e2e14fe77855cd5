import { numbers, type Tensor } from "../../core/tensor.js";
import type { Graph, Shape, ValueType } from "../../graph/graph.js";
import { type Backend, backends, type Target } from "../../graph-model/backends.js";
import {
  checkOperators,
  type GraphModel,
  graphModel,
  usualOperators,
} from "../../graph-model/graph-model.js";
import { steering } from "../../graph-model/straight.js";
import { checkInputs } from "../../runtime/inputs.js";
import {
  CompileError,
  type DeviceTensor,
  type DeviceTensors,
  type Executable,
  RunError,
  type Runtime,
  RuntimeUnavailableError,
} from "../../runtime/runtime.js";
import { TfjsMemory, type TfjsTensor } from "./memory.js";
import { loadTensorFlow, type TensorFlowJs, type TfCore, type TfModel, type TfTensor } from "./packages.js";

export interface TfjsOptions {
  /** where it computes: "cpu" and "wasm" anywhere, "webgl" and "webgpu" in browsers that have a GPU for them */
  readonly backend?: Backend;
  /** operators that a graph may have with its loops unrolled; 50 000 by default */
  readonly operators?: number;
}

/**
 * TensorFlow.js, on one of its backends: float32. Graphs become GraphModels, which have no loops: these are unrolled,
 * for given shapes and numbers of iterations, and each new one is a model of its own.
 *
 * @throws {RuntimeUnavailableError} saying what to install, or that the backend does not work here
 */
export async function tfjs({
  backend = "cpu",
  operators = usualOperators,
}: TfjsOptions = {}): Promise<Runtime> {
  if (!backends.includes(backend)) {
    throw new RuntimeUnavailableError(
      `TensorFlow.js has no backend "${backend}" here; it has ${backends.join(", ")}.`,
    );
  }
  const missing = whatIsMissing(backend);
  // asked before, so that packages are not loaded, or asked for, in vain
  if (missing !== null) throw new RuntimeUnavailableError(unavailable(backend, missing));
  const tensorFlow = await loadTensorFlow(backend);
  const { core } = tensorFlow;
  await open(tensorFlow, backend);
  const faults = backend === "webgpu" ? faultsOf(core) : [];
  const target: Target = { name: `tfjs-${backend}`, backends: [backend] };
  const memory = new TfjsMemory(target.name, core);
  const setting = { tensorFlow, backend, target, memory, operators };
  return {
    name: target.name,
    version: core.version_core,
    writesLoopsOut: true,
    compile: (graph) => compile(setting, graph),
    upload: (value) => memory.upload(value),
    async download(value) {
      const found = await memory.download(value as TfjsTensor);
      if (faults.length > 0) throw new RunError(`tfjs-webgpu failed on its GPU: ${faults[0]}`);
      return found;
    },
    dispose: (value: DeviceTensor) => memory.dispose(value as TfjsTensor),
  };
}

const remedies: Readonly<Record<Backend, string>> = {
  cpu: "Use the runtime jit.",
  wasm: "In a page, its WebAssembly files are looked for beside its script: tell it where they are by setWasmPaths of @tensorflow/tfjs-backend-wasm.",
  webgl:
    "It needs a browser with WebGL 2 and textures of float32. Without it use tfjs-wasm, jit or ort-wasm.",
  webgpu:
    "It needs a browser with WebGPU, for pages served by https or from localhost, and a GPU. Without it use tfjs-wasm, jit or ort-wasm.",
};

/** What a GPU refuses of a kernel it tells nobody but its device: what the kernel should have written is then not there. */
function faultsOf(core: TfCore): readonly string[] {
  const faults: string[] = [];
  const { device } = core.engine().findBackend("webgpu") as { device: EventTarget };
  device.addEventListener("uncapturederror", (event) => {
    faults.push((event as Event & { error: Error }).error.message.split("\n")[0]!);
  });
  return faults;
}

/** What a backend needs of its surroundings and does not find. */
function whatIsMissing(backend: Backend): string | null {
  const { document, OffscreenCanvas, navigator } = globalThis as {
    document?: unknown;
    OffscreenCanvas?: unknown;
    navigator?: { gpu?: unknown };
  };
  if (backend === "webgl" && document === undefined && OffscreenCanvas === undefined)
    return "there is no browser";
  if (backend === "webgpu" && navigator?.gpu === undefined) return "there is no WebGPU here";
  return null;
}

function unavailable(backend: Backend, why: string): string {
  return `tfjs-${backend} does not work here (${why}). ${remedies[backend]}`;
}

/** What of Node's process is used here, and no browser has. */
interface Listening {
  listeners(event: string): ((...values: unknown[]) => void)[];
  removeListener(event: string, listener: (...values: unknown[]) => void): void;
}

/**
 * Takes away what listens to the process for its errors from now on: the backend wasm throws all that nobody has caught again,
 * with its own source beside it.
 */
function listenersFrom(): () => void {
  const { process: node } = globalThis as { process?: Partial<Listening> };
  if (node?.listeners === undefined) return () => {};
  const own = node as Listening;
  const events = ["uncaughtException", "unhandledRejection"];
  const before = events.map((event) => new Set(own.listeners(event)));
  return () => {
    events.forEach((event, i) => {
      for (const listener of own.listeners(event)) {
        if (!before[i]!.has(listener)) own.removeListener(event, listener);
      }
    });
  };
}

/** Makes a backend ready. The one that was set before, by whoever, stays the one in use. */
async function open({ core }: TensorFlowJs, backend: Backend): Promise<void> {
  const before = core.engine().backendName;
  const refuse = (why: string, cause?: unknown) => {
    throw new RuntimeUnavailableError(unavailable(backend, why), { cause });
  };
  let isThere = false;
  const forget = listenersFrom();
  try {
    isThere = await core.setBackend(backend);
  } catch (cause) {
    refuse((cause as Error).message.split("\n")[0]!, cause);
  } finally {
    forget();
  }
  if (!isThere) refuse("it cannot be started");
  // else it advertises tfjs-node on stderr
  if (backend === "cpu") (core.engine().findBackend("cpu") as { firstUse: boolean }).firstUse = false;
  if (backend === "webgl" && !core.env().getBool("WEBGL_RENDER_FLOAT32_ENABLED"))
    refuse("WebGL has float16 alone");
  if (before !== undefined && before !== backend) await core.setBackend(before);
}

interface Setting {
  readonly tensorFlow: TensorFlowJs;
  readonly backend: Backend;
  readonly target: Target;
  readonly memory: TfjsMemory;
  readonly operators: number;
}

/** A model for one set of shapes and numbers of iterations. */
interface Loaded {
  readonly written: GraphModel;
  /** `null` where there is nothing to compute */
  readonly model: TfModel | null;
  readonly outputs: readonly string[];
}

/** Models of one graph that are kept: of another grid or batch than the last ones, it is written anew. */
const keptModels = 16;

async function compile(setting: Setting, graph: Graph): Promise<Executable> {
  const { target, memory } = setting;
  checkOperators(graph, target);
  const steers = steering(graph);
  const isOpen = graph.inputs.some(({ shape }) => shape.some((dim) => typeof dim === "string"));
  const models = new Map<string, Promise<Loaded>>();
  const inputs = typesOf(graph.inputs.map((value) => [value.name!, value]));
  const outputs = typesOf(graph.outputs.map(({ name, value }) => [name, value]));
  let isReleased = false;

  const modelFor = (key: string, values: ReadonlyMap<string, Tensor>, shapes: ReadonlyMap<string, Shape>) => {
    const known = models.get(key);
    if (known !== undefined) return known;
    const loading = load(setting, graph, values, shapes);
    models.set(key, loading);
    loading.catch(() => models.delete(key));
    if (models.size > keptModels) {
      const [oldest, model] = [...models][0]!;
      models.delete(oldest);
      model.then(({ model }) => model?.dispose());
    }
    return loading;
  };
  // what cannot be written is said at once, where nothing has to be known for that
  if (!isOpen && steers.size === 0) await modelFor("", new Map(), new Map());

  return {
    inputs,
    outputs,
    async run(given) {
      if (isReleased) throw new RunError(`"${graph.name}" has been released; compile it again to run it.`);
      checkInputs(inputs, given);
      const feeds = given as Readonly<Record<string, TfjsTensor>>;
      const values = new Map<string, Tensor>();
      for (const name of steers) values.set(name, await memory.download(feeds[name]!));
      const shapes = new Map(isOpen ? Object.entries(feeds).map(([name, { shape }]) => [name, shape]) : []);
      const key = [...values.values()]
        .map((value) => numbers(value).join())
        .concat([...shapes.values()].map((shape) => shape.join()))
        .join(";");
      const loaded = await modelFor(key, values, shapes);
      for (const [name, interval] of loaded.written.inputs) {
        if (interval !== null) await memory.check(name, feeds[name]!, interval);
      }
      return execute(setting, graph, loaded, feeds, outputs);
    },
    async release() {
      if (isReleased) return;
      isReleased = true;
      for (const loading of models.values())
        await loading.then(
          ({ model }) => model?.dispose(),
          () => {},
        );
      models.clear();
    },
  };
}

async function load(
  { tensorFlow, backend, target, operators }: Setting,
  graph: Graph,
  values: ReadonlyMap<string, Tensor>,
  shapes: ReadonlyMap<string, Shape>,
): Promise<Loaded> {
  const written = graphModel(graph, { target, operators, values, shapes });
  const { artifacts } = written;
  const outputs = Object.keys(artifacts.signature.outputs);
  if (outputs.length === 0) return { written, model: null, outputs };
  try {
    const model = on(tensorFlow, backend, () => tensorFlow.loadModel(artifacts));
    return { written, model, outputs };
  } catch (cause) {
    throw new CompileError(
      `${target.name} cannot run the graph "${graph.name}" (${written.operators} operators): ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** Flags by which small tensors are computed by the processor where they are there already: other digits, from run to run. */
const forwarding: Readonly<Partial<Record<Backend, string>>> = {
  webgl: "WEBGL_CPU_FORWARD",
  webgpu: "WEBGPU_CPU_FORWARD",
};

/** Does something with a backend in use, and leaves all as it was. Only what is done at once is sure to have it. */
function on<T>({ core }: TensorFlowJs, backend: Backend, work: () => T): T {
  const before = core.engine().backendName;
  // one that is ready is in use at once
  if (before !== backend) core.setBackend(backend);
  const flag = forwarding[backend];
  const forwards = flag === undefined ? false : core.env().getBool(flag);
  if (forwards) core.env().set(flag!, false);
  try {
    return work();
  } finally {
    if (forwards) core.env().set(flag!, true);
    if (before !== undefined && before !== backend) core.setBackend(before);
  }
}

function execute(
  { tensorFlow, backend, target, memory }: Setting,
  graph: Graph,
  { written, model, outputs }: Loaded,
  feeds: Readonly<Record<string, TfjsTensor>>,
  types: Readonly<Record<string, ValueType>>,
): DeviceTensors {
  const results: Record<string, DeviceTensor> = {};
  if (model !== null) {
    const tensors = on(tensorFlow, backend, () => {
      const given: Record<string, TfTensor> = {};
      for (const name of written.inputs.keys()) given[name] = memory.give(name, feeds[name]!);
      try {
        const found = model.execute(given, outputs);
        return Array.isArray(found) ? found : [found];
      } catch (cause) {
        throw new RunError(
          `${target.name} failed while running "${graph.name}": ${(cause as Error).message}`,
          { cause },
        );
      }
    });
    outputs.forEach((name, i) => {
      results[name] = memory.take(types[name]!.dtype, tensors[i]!);
    });
  }
  for (const [name, value] of written.given) {
    results[name] = typeof value === "string" ? handedThrough(memory, feeds[value]!) : memory.upload(value);
  }
  return Object.fromEntries(Object.keys(types).map((name) => [name, results[name]!]));
}

/** An input that is an output as well: a tensor of its own, that can be disposed of by itself. */
function handedThrough(memory: TfjsMemory, value: TfjsTensor): TfjsTensor {
  if (value.host !== null) return memory.upload(value.host);
  const { clone } = value.tf as TfTensor & { clone(): TfTensor };
  return memory.take(value.dtype, clone.call(value.tf));
}

function typesOf(entries: readonly (readonly [string, ValueType])[]): Record<string, ValueType> {
  return Object.fromEntries(entries.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}
