import { z } from "zod";
import { taskSchedules } from "../experiments/task-schedule.js";
import { activations } from "../fields/activations.js";
import { parseGradientRequest, showGradientRequest } from "../gradients/method.js";
import { losses } from "../learning/losses.js";
import { optimisers } from "../learning/optimisers.js";
import { controllerNames } from "./control-options.js";
import { runtimeNames } from "./runtimes.js";

const keysOf = <K extends string>(record: Readonly<Record<K, unknown>>) => Object.keys(record) as [K, ...K[]];

/** Of equations: where each parameter starts and the bounds it stays within. */
export const parameterSettings = z.record(
  z.string(),
  z.strictObject({
    guess: z.number(),
    low: z.number().nullable(),
    high: z.number().nullable(),
    unit: z.string().nullable(),
  }),
);

/** Of a field from a file: what its inputs are and what of it is trained. */
export const fileSettings = z.strictObject({
  timeInput: z.string().optional(),
  stateInput: z.string().optional(),
  outputName: z.string().optional(),
  trainable: z.array(z.string()).optional(),
  freeze: z.array(z.string()).optional(),
});

/** Everything that decides what a run computes; kept beside its results, so that it can go on. */
export const runSettings = z
  .strictObject({
    /** name of an experiment, or `null` for the user's own data */
    experiment: z.string().nullable(),
    /** the user's data or the experiment's, as a file in the run's folder */
    dataFile: z.string().nullable(),
    /** numbers of the user's data that stand for values that are missing */
    missing: z.array(z.number()).default([]),
    /** "default" (the experiment's own), "mlp:64,64", equations ("dx = -k*x"), or a file in the run's folder */
    field: z.string(),
    /** of equations: where each parameter starts and the bounds it stays within; `null` for a field of another kind */
    parameters: parameterSettings.nullable().default(null),
    /** what its inputs are and what of it is trained, where it is a file and the command line says so */
    fromFile: fileSettings.nullable().default(null),
    /** the initial parameters as a file in the run's folder, or `null` where they are drawn from the seed */
    init: z.string().nullable(),
    activation: z.enum(keysOf(activations)),
    /** whether a perceptron sees time */
    time: z.boolean(),
    solver: z.string(),
    /** τ, in whose units the rates of a perceptron are of order one; `null` for the whole time, as in runs before there was τ */
    timescale: z.number().positive().nullable().default(null),
    /** windows that it was fitted to before the first update; none where it began with given or drawn parameters */
    warmStart: z
      .array(z.strictObject({ size: z.number().int().positive(), updates: z.number().int().positive() }))
      .default([]),
    /** whether the solver is coupled */
    reversible: z.boolean(),
    coupling: z.number(),
    /** as users type it: `reversible`, `checkpoint:8`; until it is chosen, `auto` */
    gradient: z.string().transform((text) => showGradientRequest(parseGradientRequest(text))),
    /** what was left to revort: the gradient is chosen when a run begins, λ anew on the way */
    chosen: z.array(z.enum(["gradient", "coupling"])).default([]),
    /** what stored states may take where the gradient is chosen, in bytes; `null` for the usual budget */
    memoryBudget: z.number().positive().nullable().default(null),
    stepSize: z.number().positive(),
    /** how steps are chosen, where they are; `null` for steps of `stepSize` */
    control: z
      .strictObject({
        controller: z.enum(controllerNames).optional(),
        driftTolerance: z.number().positive().optional(),
        rtol: z.number().optional(),
        atol: z.number().optional(),
        dt0: z.number().optional(),
        dtmin: z.number().optional(),
        stepSize: z.number().optional(),
      })
      .nullable(),
    dtype: z.enum(["float64", "float32"]),
    runtime: z.enum(runtimeNames as [(typeof runtimeNames)[number], ...typeof runtimeNames]),
    steps: z.number().int().min(0),
    optimiser: z.enum(keysOf(optimisers)).nullable(),
    learningRate: z.number().positive().nullable(),
    weightDecay: z.number().min(0).nullable(),
    /** of the learning rate; `null` for that of the protocol */
    schedule: z.enum(keysOf(taskSchedules)).nullable().default(null),
    loss: z.enum(keysOf(losses)).nullable(),
    clip: z.number().positive().nullable(),
    patience: z.number().int().positive().nullable(),
    trainY0: z.boolean(),
    /** what a trained initial state starts from, where it is another than the first row */
    startY0: z.array(z.number()).nullable().default(null),
    seed: z.number().int().min(0),
  })
  .refine(
    ({ experiment, dataFile }) => experiment !== null || dataFile !== null,
    "they name neither an experiment nor data",
  );

export type RunSettings = z.infer<typeof runSettings>;

/** Whether a run's field is an imported file. */
export function isModelFile(field: string): boolean {
  return /\.onnx$/i.test(field);
}
