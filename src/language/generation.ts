import { Random } from "../core/random.js";
import { type FloatDType, scalar, tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { compileProgram, uploadTree } from "../runtime/compile-program.js";
import type { CompileOptions, DeviceTensor, Runtime } from "../runtime/runtime.js";
import { beginningProgram, type Following, stepProgram } from "./decoding.js";
import type { LanguageModel } from "./language-model.js";
import { checkSampling, drawToken, type SamplingOptions } from "./sampling.js";
import { TextError } from "./text.js";

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

/** Compiles a model for generation: a pass over a window for what is there, and a step that serves every place after it. */
export async function generator(language: LanguageModel, options: GeneratorOptions): Promise<Generator> {
  const { runtime, dtype = "float32", compile } = options;
  const { length, vocabulary: most } = language.configuration;
  const vocabulary = options.vocabulary ?? most;
  const parameters = uploadTree(runtime, options.parameters) as Readonly<Record<string, DeviceTensor>>;
  const beginning = await compileProgram(runtime, beginningProgram(language, dtype), compile);
  const step = await compileProgram(runtime, stepProgram(language, dtype), compile);
  const index = (value: number) => runtime.upload(scalar("int64", BigInt(value)));
  const begun = (ids: readonly number[]) => {
    const window = Array.from({ length }, (_, i) => BigInt(ids[i] ?? 0));
    const tokens = runtime.upload(tensor("int64", [length], window));
    return beginning.run({ parameters, tokens, place: index(ids.length - 1) });
  };
  const after = (now: Now, token: number, place: number) =>
    step.run({ parameters, token: index(token), place: index(place), before: now.kept });
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
          now = await after(now, token, window.length);
          window = [...window, token];
        } else {
          window = [...window.slice(window.length - Math.ceil(length / 2) + 1), token];
          now = await begun(window);
        }
      }
    },
    async logits(ids) {
      let now = await begun(ids.slice(0, 1));
      const found = [await logitsOf(now)];
      for (const [i, token] of ids.slice(1).entries()) {
        now = await after(now, token, i + 1);
        found.push(await logitsOf(now));
      }
      return found.map((logits) => [...logits]);
    },
    async release() {
      await beginning.release();
      await step.release();
    },
  };
}
