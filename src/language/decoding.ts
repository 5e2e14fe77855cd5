import { withoutRegions } from "../autodiff/region.js";
import type { FloatDType } from "../core/tensor.js";
import type { Value } from "../graph/graph.js";
import { reshape, squeeze, unsqueeze } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import { inputType, type Program, programOf } from "../programs/program.js";
import { atPlace, type KeysAndValues, recorded } from "./attention.js";
import type { LanguageModel } from "./language-model.js";
import { turnedTypes, upright } from "./turned.js";

// Programs that generate: what comes after a beginning, and after one more token.

/** What is kept of the tokens so far: keys and values of each attention, [heads, length, size]. */
export type Kept<Leaf> = readonly { readonly key: Leaf; readonly value: Leaf }[];

/** What comes after a token: logits [vocabulary] of the next, and what is kept for it. */
export interface Following<Leaf> {
  readonly logits: Leaf;
  readonly kept: Kept<Leaf>;
}

type Type = ReturnType<typeof inputType>;

export interface BeginningInputs<Leaf> {
  /** turned */
  readonly parameters: Readonly<Record<string, Leaf>>;
  /** int64 [length]; what follows the beginning is of no account */
  readonly tokens: Leaf;
  /** of the last token of the beginning, int64 scalar */
  readonly place: Leaf;
}

/** What follows a beginning of any length that a window holds, in one pass over the window. */
export function beginningProgram(
  language: LanguageModel,
  dtype: FloatDType,
): Program<BeginningInputs<Type>, Following<Value>> {
  const { length } = language.configuration;
  const inputs = {
    parameters: turnedTypes(language.model, dtype),
    tokens: inputType("int64", [length]),
    place: inputType("int64", []),
  };
  return standard(
    programOf("beginning", inputs, (b, { parameters, tokens, place }): Following<Value> => {
      const kept: KeysAndValues[] = [];
      const places = b.ints(Array.from({ length }, (_, i) => i));
      const theta = upright(b, parameters);
      const attend = recorded(({ key, value }) =>
        kept.push({ key: squeeze(b, key, [0]), value: squeeze(b, value, [0]) }),
      );
      const states = language.statesOf(b, theta, { tokens, places }, attend);
      const last = gather(b, states, unsqueeze(b, place, [0]));
      return { logits: reshape(b, language.logitsOf(b, theta, last), [-1]), kept };
    }),
  );
}

export interface StepInputs<Leaf> {
  /** turned */
  readonly parameters: Readonly<Record<string, Leaf>>;
  /** int64 scalars */
  readonly token: Leaf;
  readonly place: Leaf;
  /** of the tokens before */
  readonly before: Kept<Leaf>;
}

/**
 * What follows one more token, whatever its place: one graph serves all of them, because what is kept has the length of a
 * window, and what lies beyond the place is masked.
 */
export function stepProgram(
  language: LanguageModel,
  dtype: FloatDType,
): Program<StepInputs<Type>, Following<Value>> {
  const inputs: StepInputs<Type> = {
    parameters: turnedTypes(language.model, dtype),
    token: inputType("int64", []),
    place: inputType("int64", []),
    before: keptTypes(language, dtype),
  };
  return standard(
    programOf("step", inputs, (b, { parameters, token, place, before }): Following<Value> => {
      const now: KeysAndValues[] = [];
      let next = 0;
      const attend = atPlace(
        place,
        () => before[next++]!,
        (own) => now.push(own),
      );
      const theta = upright(b, parameters);
      const at = { tokens: unsqueeze(b, token, [0]), places: unsqueeze(b, place, [0]) };
      const states = language.statesOf(b, theta, at, attend);
      return { logits: reshape(b, language.logitsOf(b, theta, states), [-1]), kept: now };
    }),
  );
}

function standard<In, Out>(program: Program<In, Out>): Program<In, Out> {
  return { ...program, graph: withoutRegions(program.graph) };
}

/** The types of what is kept. */
export function keptTypes({ configuration, attentions }: LanguageModel, dtype: FloatDType): Kept<Type> {
  const { length, width, heads } = configuration;
  const keys = inputType(dtype, [heads, length, width / heads]);
  return Array.from({ length: attentions }, () => ({ key: keys, value: keys }));
}
