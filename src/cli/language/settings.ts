import { z } from "zod";
import { cellNames, configurations, languageKinds } from "../../language/configuration.js";
import { runtimeNames } from "../runtimes.js";
import { schedules } from "./recipes.js";

const keysOf = <K extends string>(record: Readonly<Record<K, unknown>>) => Object.keys(record) as [K, ...K[]];
const count = () => z.number().int().positive();

/** A text that a run read: it is not copied, and known again by what is in it. */
const source = z.strictObject({ path: z.string(), bytes: z.number().int(), sha256: z.string() });
export type TextSource = z.infer<typeof source>;

/** Everything that decides what the run of a language model computes; kept beside its results, so that it can go on. */
export const languageSettings = z.strictObject({
  kind: z.enum(languageKinds),
  config: z.enum(keysOf(configurations)),
  configuration: z.strictObject({
    ...{ vocabulary: count(), length: count(), width: count(), heads: count() },
    ...{ hidden: z.array(count()).min(1), cell: z.enum(cellNames), layers: count() },
    ...{ tied: z.boolean(), finalNorm: z.enum(["applied", "unused"]), dropout: z.number().min(0).lt(1) },
    equilibrium: z.strictObject({
      relaxation: z.number(),
      steps: count(),
      tolerance: z.number().min(0),
      state: z.enum(["float32", "float64"]).optional(),
    }),
  }),
  /** a name, or the file of one in the run's folder */
  tokenizer: z.string(),
  /** what was learnt from; nothing for the sample text */
  data: z.array(source),
  /** what was measured on: texts of its own, or a share of the others */
  validation: z.union([z.strictObject({ share: z.number().gt(0).lt(1) }), z.array(source).min(1)]),
  /** windows of validation at most */
  validationWindows: count().nullable(),
  dtype: z.enum(["float32", "float64"]),
  runtime: z.enum(runtimeNames as [(typeof runtimeNames)[number], ...typeof runtimeNames]),
  steps: z.number().int().min(0),
  /** windows of an update */
  batchSize: count(),
  /** parts that the windows of an update are gone through in, one after the other */
  accumulate: count(),
  learningRate: z.number().positive(),
  weightDecay: z.number().min(0),
  schedule: z.enum(schedules),
  warmup: z.number().int().min(0),
  clip: z.number().positive().nullable(),
  validateEvery: count(),
  seed: z.number().int().min(0),
});
export type LanguageSettings = z.infer<typeof languageSettings>;
