import * as z from "zod";
import { RevortError } from "../core/errors.js";
import { numbers, tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import {
  decodeSafetensors,
  encodeSafetensors,
  SafetensorsError,
  type SafetensorsFile,
} from "../storage/safetensors.js";
import type { Checkpoint, Validation } from "../train/checkpoint.js";

/** A checkpoint that this version cannot go on from. */
export class CheckpointError extends RevortError {}

/** Grows when a file of an older version can no longer be read. */
const format = 1;

const header = z.object({
  format: z.number(),
  step: z.number().int().min(0),
  seconds: z.number(),
  sampler: z.object({
    random: z.tuple([z.number(), z.number(), z.number(), z.number()]),
    order: z.array(z.number().int()),
    position: z.number().int(),
  }),
  best: z.object({ step: z.number().int(), loss: z.number().nullable() }),
  parts: z.number().int().positive().optional(),
  scheme: z.object({ asked: z.string(), gradient: z.string(), coupling: z.number().nullable() }).optional(),
  // what is not finite is written as null
  drift: z
    .object({
      ...{ updates: z.number().int(), first: z.number().int(), last: z.number().int().optional() },
      largest: z.number().nullable(),
    })
    .optional(),
  validations: z
    .array(
      z.object({
        ...{ step: z.number().int(), loss: z.number().nullable() },
        metrics: z.record(z.string(), z.number().nullable()),
      }),
    )
    .optional(),
  lost: z.array(z.number().nullable()).optional(),
});

/** A checkpoint as one file: its arrays as safetensors, bit for bit, and the rest as JSON in the header. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const { step, seconds, sampler, best, losses, scheme, drift, validations, lost, parts } = checkpoint;
  const rest: z.infer<typeof header> = {
    format,
    step,
    seconds,
    sampler: { ...sampler, random: [...sampler.random], order: [...sampler.order] },
    best: { step: best.step, loss: Number.isFinite(best.loss) ? best.loss : null },
    ...(parts === undefined ? {} : { parts }),
    ...(scheme === undefined ? {} : { scheme }),
    ...(drift === undefined ? {} : { drift }),
    ...(validations === undefined
      ? {}
      : { validations: validations.map((one) => ({ ...one, metrics: { ...one.metrics } })) }),
    ...(lost === undefined ? {} : { lost: [...lost] }),
  };
  return encodeSafetensors(
    {
      ...prefixed("trained", checkpoint.trained),
      ...prefixed("kept", checkpoint.buffers ?? {}),
      ...prefixed("memory", checkpoint.memory),
      // where none was lower, it is what is there
      ...(best.trained === checkpoint.trained ? {} : prefixed("best", best.trained)),
      ...prefixed("bestKept", best.buffers ?? {}),
      losses: tensor("float64", [losses.length], losses),
    },
    { checkpoint: JSON.stringify(rest) },
  );
}

/**
 * @throws {CheckpointError} if the file is damaged, no checkpoint, or one of another version
 */
export function decodeCheckpoint(bytes: Uint8Array, source: string): Checkpoint {
  const { tensors, metadata } = decodeFrom(bytes, source);
  const text = metadata?.checkpoint;
  if (text === undefined) throw new CheckpointError(`${source} is not a checkpoint of revort.`);
  const damaged = (why: string, cause?: unknown) =>
    new CheckpointError(`${source} is damaged: ${why}. Start a new run, or use a copy of the file.`, {
      cause,
    });
  let json: { format?: unknown } | null;
  try {
    json = JSON.parse(text) as typeof json;
  } catch (cause) {
    throw damaged((cause as Error).message, cause);
  }
  if (json?.format !== format) {
    throw new CheckpointError(
      `${source} has checkpoint format ${json?.format}, but this version of revort reads format ${format}. ` +
        "Resume it with the version that wrote it, or start a new run.",
    );
  }
  const { success, data: rest, error } = header.safeParse(json);
  if (!success) throw damaged(`${error.issues[0]!.path.join(".")}: ${error.issues[0]!.message}`);
  if (tensors.losses?.shape.join() !== `${rest.step}`)
    throw damaged("its losses are not those of its updates");
  const trained = unprefixed("trained", tensors);
  const [best, kept, bestKept] = ["best", "kept", "bestKept"].map((prefix) => unprefixed(prefix, tensors));
  const some = (name: string, values: Tensors) =>
    Object.keys(values).length === 0 ? {} : { [name]: values };
  return {
    step: rest.step,
    seconds: rest.seconds,
    sampler: rest.sampler,
    losses: numbers(tensors.losses),
    ...(rest.parts === undefined ? {} : { parts: rest.parts }),
    ...(rest.scheme === undefined ? {} : { scheme: rest.scheme }),
    ...(rest.drift === undefined
      ? {}
      : {
          drift: {
            ...{ ...rest.drift, last: rest.drift.last ?? rest.step },
            largest: rest.drift.largest ?? Number.POSITIVE_INFINITY,
          },
        }),
    ...(rest.validations === undefined ? {} : { validations: rest.validations.map(measuresFrom) }),
    ...(rest.lost === undefined ? {} : { lost: rest.lost.map((error) => error ?? Number.POSITIVE_INFINITY) }),
    trained,
    ...some("buffers", kept!),
    memory: unprefixed("memory", tensors),
    best: {
      step: rest.best.step,
      loss: rest.best.loss ?? Number.POSITIVE_INFINITY,
      trained: Object.keys(best!).length === 0 ? trained : best!,
      ...some("buffers", bestKept!),
    },
  };
}

/** Measures as they were written; those that were not finite count as no numbers. */
function measuresFrom({
  loss,
  metrics,
  ...rest
}: NonNullable<z.infer<typeof header>["validations"]>[number]): Validation {
  const entries = Object.entries(metrics).map(([name, value]) => [name, value ?? Number.NaN] as const);
  return { ...rest, loss: loss ?? Number.NaN, metrics: Object.fromEntries(entries) };
}

function decodeFrom(bytes: Uint8Array, source: string): SafetensorsFile {
  try {
    return decodeSafetensors(bytes);
  } catch (cause) {
    if (!(cause instanceof SafetensorsError)) throw cause;
    throw new CheckpointError(`${source} is damaged: ${cause.message}`, { cause });
  }
}

function prefixed(prefix: string, tensors: Tensors): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, value]) => [`${prefix}:${name}`, value]));
}

function unprefixed(prefix: string, tensors: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).flatMap(([name, value]) =>
      name.startsWith(`${prefix}:`) ? [[name.slice(prefix.length + 1), value]] : [],
    ),
  );
}
