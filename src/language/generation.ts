import { Random } from "../core/random.js";
import { emptyData, type FloatDType, scalar, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import { mapTree } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import type { Value, ValueType } from "../graph/graph.js";
import { type CompiledProgram, compileProgram, uploadTree } from "../runtime/compile-program.js";
import type { CompileOptions, DeviceTensor, Runtime } from "../runtime/runtime.js";
import {
  type BeginningInputs,
  beginningProgram,
  type Following,
  keptTypes,
  stepProgram,
} from "./decoding.js";
import type { LanguageModel } from "./language-model.js";
import { checkSampling, drawToken, type SamplingOptions } from "./sampling.js";
import { TextError } from "./text.js";
import { turned } from "./turned.js";

export interface GeneratorOptions {
  readonly runtime: Runtime;
  readonly parameters: Tensors;
  readonly dtype?: FloatDType;
  /** ids from here on are never drawn: a vocabulary may be larger than its tokenizer's */
  readonly vocabulary?: number;
  readonly compile?: CompileOptions;
}

export interface GenerateOptions extends SamplingOptions {
  /** how many tokens to draw */
  readonly tokens: number;
  readonly seed?: number;
}

/** A language model that is ready to go on with texts. */
export interface Generator {
  /**
   * Draws tokens one after the other, after a beginning. The same seed gives the same tokens.
   *
   * A window that is full is left for one that begins with its second half.
   *
   * @throws {TextError} for a beginning without tokens
   * @throws {SamplingError} for options out of range
   */
  readonly generate: (beginning: readonly number[], options: GenerateOptions) => AsyncGenerator<number>;
  /** The logits of the token after each of these, one by one: what a window at once would say, up to rounding. */
  readonly logits: (tokens: readonly number[]) => Promise<number[][]>;
  readonly release: () => Promise<void>;
}

type Now = Following<DeviceTensor>;

/** A beginning of up to so many tokens is taken one by one, without a pass over a whole window. */
const short = 8;

/**
 * Compiles a model for generation: a step that serves every place, and, where a beginning is long enough for it, a pass over a
 * window.
 */
export async function generator(language: LanguageModel, options: GeneratorOptions): Promise<Generator> {
  const { runtime, dtype = "float32", compile } = options;
  const { length, vocabulary: most } = language.configuration;
  const vocabulary = options.vocabulary ?? most;
  const parameters = uploadTree(runtime, turned(options.parameters)) as Readonly<
    Record<string, DeviceTensor>
  >;
  const step = await compileProgram(runtime, stepProgram(language, dtype), compile);
  let passing: CompiledProgram<BeginningInputs<ValueType>, Following<Value>> | null = null;
  const nothing = uploadTree(
    runtime,
    mapTree(keptTypes(language, dtype), (leaf) => zerosOf(leaf as ValueType)),
  ) as unknown as Now["kept"];
  const index = (value: number) => runtime.upload(scalar("int64", BigInt(value)));
  const after = (kept: Now["kept"], token: number, place: number) =>
    step.run({ parameters, token: index(token), place: index(place), before: kept });
  /** What follows tokens at the beginning of a window. */
  const begun = async (ids: readonly number[]): Promise<Now> => {
    if (ids.length <= short) {
      let now = await after(nothing, ids[0]!, 0);
      for (let i = 1; i < ids.length; i++) now = await after(now.kept, ids[i]!, i);
      return now;
    }
    passing ??= await compileProgram(runtime, beginningProgram(language, dtype), compile);
    const window = Array.from({ length }, (_, i) => BigInt(ids[i] ?? 0));
    const tokens = runtime.upload(tensor("int64", [length], window));
    return passing.run({ parameters, tokens, place: index(ids.length - 1) });
  };
  const logitsOf = async (now: Now) =>
    ((await runtime.download(now.logits)).data as Float32Array).subarray(0, vocabulary);
  return {
    async *generate(given, { tokens, seed = 0, ...sampling }) {
      checkSampling(sampling);
      if (given.length === 0)
        throw new TextError("There is nothing to go on from: give a beginning of one token or more.");
      const random = Random.seeded(seed);
      let window = given.slice(-length);
      let now = await begun(window);
      for (let i = 0; i < tokens; i++) {
        const token = drawToken(await logitsOf(now), sampling, random);
        yield token;
        if (i + 1 === tokens) return;
        if (window.length < length) {
          now = await after(now.kept, token, window.length);
          window = [...window, token];
        } else {
          window = [...window.slice(window.length - Math.ceil(length / 2) + 1), token];
          now = await begun(window);
        }
      }
    },
    async logits(ids) {
      const found: number[][] = [];
      let kept = nothing;
      for (const [place, token] of ids.entries()) {
        const now = await after(kept, token, place);
        found.push([...(await logitsOf(now))]);
        kept = now.kept;
      }
      return found;
    },
    async release() {
      await passing?.release();
      await step.release();
    },
  };
}

function zerosOf({ dtype, shape }: ValueType): Tensor {
  const known = shape as readonly number[];
  return { dtype, shape: known, data: emptyData(dtype, sizeOf(known)) } as Tensor;
}
