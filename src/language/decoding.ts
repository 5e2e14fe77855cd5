import { withoutRegions } from "../autodiff/region.js";
import type { FloatDType } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { Value } from "../graph/graph.js";
import { reshape, unsqueeze } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import { inputType, type Program, programOf } from "../programs/program.js";
import { atPlace, type KeysAndValues, recorded } from "./attention.js";
import type { LanguageModel } from "./language-model.js";

// Programs that generate: what comes after a beginning, and after one more token.

/** What is kept of the tokens so far: keys and values of each attention, [1, heads, length, size]. */
export type Kept<Leaf> = readonly { readonly key: Leaf; readonly value: Leaf }[];

/** What comes after a token: logits [vocabulary] of the next, and what is kept for it. */
export interface Following<Leaf> {
  readonly logits: Leaf;
  readonly kept: Kept<Leaf>;
}

type Type = ReturnType<typeof inputType>;

/** The parameters as inputs. */
function parameterTypes({ model }: LanguageModel, dtype: FloatDType): Readonly<Record<string, Type>> {
  return Object.fromEntries(
    Object.entries(model.parameters).map(([name, { shape }]) => [name, inputType(dtype, shape)]),
  );
}

export interface BeginningInputs<Leaf> {
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
    parameters: parameterTypes(language, dtype),
    tokens: inputType("int64", [length]),
    place: inputType("int64", []),
  };
  return standard(
    programOf("beginning", inputs, (b, { parameters, tokens, place }): Following<Value> => {
      const kept: KeysAndValues[] = [];
      const places = b.ints(Array.from({ length }, (_, i) => i));
      const theta = parameters as Values;
      const attend = recorded((own) => kept.push(own));
      const states = language.statesOf(b, theta, { tokens, places }, attend);
      const last = gather(b, states, unsqueeze(b, place, [0]));
      return { logits: reshape(b, language.logitsOf(b, theta, last), [-1]), kept };
    }),
  );
}

export interface StepInputs<Leaf> {
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
  const { length, width, heads } = language.configuration;
  const keys = inputType(dtype, [1, heads, length, width / heads]);
  const inputs: StepInputs<Type> = {
    parameters: parameterTypes(language, dtype),
    token: inputType("int64", []),
    place: inputType("int64", []),
    before: Array.from({ length: language.attentions }, () => ({ key: keys, value: keys })),
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
      const theta = parameters as Values;
      const at = { tokens: unsqueeze(b, token, [0]), places: unsqueeze(b, place, [0]) };
      const states = language.statesOf(b, theta, at, attend);
      return { logits: reshape(b, language.logitsOf(b, theta, states), [-1]), kept: now };
    }),
  );
}

function standard<In, Out>(program: Program<In, Out>): Program<In, Out> {
  return { ...program, graph: withoutRegions(program.graph) };
}
