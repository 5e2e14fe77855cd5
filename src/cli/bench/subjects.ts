import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { RevortError } from "../../core/errors.js";
import { Random } from "../../core/random.js";
import { type FloatDType, numbers } from "../../core/tensor.js";
import { encodeField } from "../../deploy/field-file.js";
import { loadModel } from "../../deploy/load-model.js";
import { stepSizeIn } from "../../deploy/trained-solver.js";
import { experiments } from "../../experiments/all.js";
import { initialParameters } from "../../fields/field.js";
import { importedField } from "../../fields/imported.js";
import { mlp } from "../../fields/mlp.js";
import { neuralOde } from "../../integrate/neural-ode.js";
import { methodNamed } from "../../methods/named.js";
import { jit } from "../../runtimes/jit/jit.js";

/** What is compared on runtimes: a field in a file, where it starts, and how long its steps are. */
export interface Subject {
  readonly name: string;
  readonly file: Uint8Array;
  readonly dtype: FloatDType;
  readonly stepSize: number;
  /** whether it takes batches */
  readonly batched: boolean;
  /** states for a batch, one after the other */
  readonly y0: (batch: number) => readonly number[];
}

/** What cannot be compared. */
export class SubjectError extends RevortError {}

/** A perceptron 2-width-width-2 with tanh, on normal states. */
export function perceptron(width: number, steps: number): Subject {
  const field = mlp({ dim: 2, hidden: [width, width], time: false });
  const ode = neuralOde({ field, method: methodNamed("midpoint"), stepSize: 1 / steps, dtype: "float64" });
  return {
    ...{ name: `2-${width}-${width}-2`, dtype: "float32", stepSize: 1 / steps, batched: true },
    file: encodeField(ode, initialParameters(field, Random.seeded(1), "float64")),
    y0: (batch) => normal(2 * batch),
  };
}

/** An experiment by its name, or the field of an `.onnx` file. @throws {SubjectError | ModelError} */
export async function subjectNamed(text: string, steps: number): Promise<Subject> {
  if (/\.onnx$/i.test(text)) return fieldOf(text, steps);
  const experiment = experiments.find(({ name }) => name === text);
  if (experiment === undefined) {
    const names = experiments.flatMap(({ name, needs }) => (needs === null ? [name] : []));
    throw new SubjectError(`${text} is neither an .onnx file nor one of ${names.join(", ")}.`);
  }
  if (experiment.needs !== null)
    throw new SubjectError(`${text} needs data. Train it, and give the field.onnx of its run.`);
  const { solver, stepSize, dtype } = experiment.protocol;
  const field = experiment.field();
  const ode = neuralOde({ field, method: methodNamed(solver), stepSize, dtype });
  const { y0 } = await experiment.data({ ode, runtime: jit(), file: null });
  const first = numbers(y0).slice(
    0,
    y0.data.length / (typeof field.state[0] === "string" ? y0.shape[0]! : 1),
  );
  return {
    ...{ name: text, dtype, stepSize, batched: typeof field.state[0] === "string" },
    file: encodeField(ode, initialParameters(field, Random.seeded(0), dtype)),
    y0: (batch) => around(first, batch),
  };
}

async function fieldOf(path: string, steps: number): Promise<Subject> {
  const model = await loadModel(path);
  const { state, dtype } = importedField(model);
  const batched = typeof state[0] === "string";
  const size = state.reduce<number>((product, dim) => product * (typeof dim === "string" ? 1 : dim), 1);
  return {
    ...{ name: basename(path), dtype: dtype!, stepSize: stepSizeIn(model.metadata) ?? 1 / steps, batched },
    file: readFileSync(path),
    y0: (batch) => around(new Array(size).fill(0.5), batch),
  };
}

function normal(count: number): number[] {
  const random = Random.seeded(1);
  return Array.from({ length: count }, () => random.normal());
}

/** States near one: each number is off by about a hundredth. */
function around(first: readonly number[], batch: number): number[] {
  return normal(first.length * batch).map((x, i) => first[i % first.length]! * (1 + 0.01 * x));
}
