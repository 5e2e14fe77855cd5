import type { Backend } from "../../graph-model/backends.js";
import type { GraphModelArtifacts, TfDType } from "../../graph-model/format.js";
import { RuntimeUnavailableError } from "../../runtime/runtime.js";

// The packages of TensorFlow.js, and the little of them that is used here. They are large, and optional: nothing of them is
// loaded before a runtime on them is opened.

/** The version that operators were held against exact values in; another may compute otherwise. */
const held = "4.22.0";

export interface TfTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  data(): Promise<Float32Array | Int32Array | Uint8Array>;
  dispose(): void;
}

export interface TfModel {
  execute(inputs: Readonly<Record<string, TfTensor>>, outputs: readonly string[]): TfTensor | TfTensor[];
  dispose(): void;
}

export interface TfCore {
  readonly version_core: string;
  readonly io: { fromMemorySync(artifacts: GraphModelArtifacts): unknown };
  engine(): { readonly backendName: string | undefined; findBackend(name: string): unknown };
  env(): {
    getBool(flag: string): boolean;
    get(flag: string): unknown;
    set(flag: string, value: unknown): void;
  };
  setBackend(name: string): Promise<boolean>;
  tensor(data: ArrayLike<number>, shape: readonly number[], dtype: TfDType): TfTensor;
}

interface Converter {
  loadGraphModelSync(handler: unknown): TfModel;
}

export interface TensorFlowJs {
  readonly core: TfCore;
  /** Puts a model on the backend in use. */
  loadModel(artifacts: GraphModelArtifacts): TfModel;
}

/** What is exported, or what is in `default` of a package in CommonJS. */
function exportsOf<T>(imported: unknown): T {
  const { default: inner } = imported as { readonly default?: object };
  return (inner !== undefined && Object.keys(inner).length > 0 ? inner : imported) as T;
}

const loaders: Readonly<Record<Backend, () => Promise<unknown>>> = {
  cpu: () => import("@tensorflow/tfjs-backend-cpu"),
  wasm: () => import("@tensorflow/tfjs-backend-wasm"),
  webgl: () => import("@tensorflow/tfjs-backend-webgl"),
  webgpu: () => import("@tensorflow/tfjs-backend-webgpu"),
};

/**
 * Loads TensorFlow.js with a backend.
 *
 * @throws {RuntimeUnavailableError} saying what to install
 */
export async function loadTensorFlow(backend: Backend): Promise<TensorFlowJs> {
  const install =
    "Install " +
    `\`npm install ${["core", "converter", `backend-${backend}`].map((part) => `@tensorflow/tfjs-${part}@${held}`).join(" ")}\`.`;
  let core: TfCore;
  let converter: Converter;
  try {
    core = exportsOf<TfCore>(await import("@tensorflow/tfjs-core"));
    converter = exportsOf<Converter>(await import("@tensorflow/tfjs-converter"));
    await loaders[backend]();
  } catch (cause) {
    throw new RuntimeUnavailableError(
      `TensorFlow.js cannot be loaded (${firstLine(cause as Error)}). ${install}`,
      { cause },
    );
  }
  if (core.version_core !== held) {
    throw new RuntimeUnavailableError(
      `TensorFlow.js is there in version ${core.version_core}, but its operators are known here in ${held}, and others may compute ` +
        `otherwise. ${install}`,
    );
  }
  return {
    core,
    loadModel: (artifacts) => converter.loadGraphModelSync(core.io.fromMemorySync(artifacts)),
  };
}

function firstLine({ message }: Error): string {
  return message.split("\n")[0]!;
}
