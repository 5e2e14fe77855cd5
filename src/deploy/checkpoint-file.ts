import { z } from "zod";
import { RevortError } from "../core/errors.js";
import { numbers, tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import {
  decodeSafetensors,
  encodeSafetensors,
  SafetensorsError,
  type SafetensorsFile,
} from "../storage/safetensors.js";
import type { Checkpoint } from "../train/checkpoint.js";

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
  scheme: z.object({ asked: z.string(), gradient: z.string(), coupling: z.number().nullable() }).optional(),
  // what is infinite is written as null
  drift: z
    .object({ updates: z.number().int(), first: z.number().int(), largest: z.number().nullable() })
    .optional(),
});

/** A checkpoint as one file: its arrays as safetensors, bit for bit, and the rest as JSON in the header. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const { step, seconds, sampler, best, losses, scheme, drift } = checkpoint;
  const rest: z.infer<typeof header> = {
    format,
    step,
    seconds,
    sampler: { ...sampler, random: [...sampler.random], order: [...sampler.order] },
    best: { step: best.step, loss: Number.isFinite(best.loss) ? best.loss : null },
    ...(scheme === undefined ? {} : { scheme }),
    ...(drift === undefined ? {} : { drift }),
  };
  return encodeSafetensors(
    {
      ...prefixed("trained", checkpoint.trained),
      ...prefixed("memory", checkpoint.memory),
      ...prefixed("best", best.trained),
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
  return {
    step: rest.step,
    seconds: rest.seconds,
    sampler: rest.sampler,
    losses: numbers(tensors.losses),
    ...(rest.scheme === undefined ? {} : { scheme: rest.scheme }),
    ...(rest.drift === undefined
      ? {}
      : { drift: { ...rest.drift, largest: rest.drift.largest ?? Number.POSITIVE_INFINITY } }),
    trained: unprefixed("trained", tensors),
    memory: unprefixed("memory", tensors),
    best: {
      step: rest.best.step,
      loss: rest.best.loss ?? Number.POSITIVE_INFINITY,
      trained: unprefixed("best", tensors),
    },
  };
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
