import type { FloatDType, Tensor } from "../core/tensor.js";
import type { PortableKind } from "../deploy/kind.js";
import type { ModelType } from "./infer-request.js";

// What the server and its workers say to each other.

/** A file as it was when it was found: no other is taken for it. */
export interface ModelFile {
  readonly path: string;
  readonly signature: string;
}

/** How the field of a file is to be solved. */
export interface SolveSetting {
  /** by default the one that it was trained with, or dopri5 where steps are chosen */
  readonly solver: string | null;
  /** whether steps are chosen by their estimated error */
  readonly adaptive: boolean;
  /** whether the parameters are inputs */
  readonly openParameters: boolean;
}

/** What a session is opened from. */
export interface Source {
  readonly file: ModelFile;
  /** `null` for the graph of the file as it is */
  readonly solve: SolveSetting | null;
}

export type Tensors = Readonly<Record<string, Tensor>>;

export type Request =
  | { readonly kind: "describe"; readonly file: ModelFile }
  | {
      readonly kind: "open";
      readonly key: string;
      readonly source: Source;
      /** the inputs that have a row for each sample; given where it is to be found out how rows may share a run */
      readonly rowInputs: readonly string[] | null;
    }
  | { readonly kind: "run"; readonly key: string; readonly feeds: Tensors }
  | {
      readonly kind: "solve";
      readonly key: string;
      readonly feeds: Tensors;
      /** rows go through a run in multiples of so many; `null` where each goes by itself */
      readonly tile: number | null;
    }
  | { readonly kind: "close"; readonly key: string };

/** What there is to know of a file before anything is asked of it. */
export interface Description {
  readonly inputs: readonly ModelType[];
  readonly outputs: readonly ModelType[];
  /** inputs that have a value inside, which nobody can replace here */
  readonly inside: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly kind: PortableKind | null;
  /** the vector field that the file is, or why it is none */
  readonly field: FieldDescription | { readonly reason: string };
  /** the inputs that have a row for each sample, or why samples do not share runs */
  readonly rows: readonly string[] | { readonly reason: string };
}

export interface FieldDescription {
  readonly state: readonly (number | string)[];
  readonly dtype: FloatDType;
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  /** size of the steps that it was trained with */
  readonly stepSize: number | null;
}

/** A session that was opened. */
export interface Opened {
  readonly inputs: readonly ModelType[];
  readonly outputs: readonly ModelType[];
  /** rows go through a run in multiples of so many; `null` where samples do not share runs */
  readonly tile: number | null;
  /** where it runs */
  readonly runtime: string;
}

export interface Message {
  readonly id: number;
  readonly request: Request;
}

/** The number of the reply that a worker gives unasked, when it has started. */
export const hello = -1;

export interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: { readonly name: string; readonly message: string };
}
