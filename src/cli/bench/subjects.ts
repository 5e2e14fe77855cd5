import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { Random } from "../../core/random.js";
import { numbers } from "../../core/tensor.js";
import { encodeField } from "../../deploy/field-file.js";
import { kindOf, portableKinds } from "../../deploy/kind.js";
import { loadModel } from "../../deploy/load-model.js";
import { stepSizeIn } from "../../deploy/trained-solver.js";
import { experiments } from "../../experiments/all.js";
import { taskExperiments } from "../../experiments/tasks.js";
import { initialParameters } from "../../fields/field.js";
import { importedField } from "../../fields/imported.js";
import { mlp } from "../../fields/mlp.js";
import type { Model } from "../../graph/model.js";
import { neuralOde } from "../../integrate/neural-ode.js";
import { methodNamed } from "../../methods/named.js";
import { jit } from "../../runtimes/jit/jit.js";
import { runOf } from "./run-subject.js";
import { around, normal, type Subject, SubjectError } from "./subject.js";
import { updateOf } from "./update-subject.js";

/** A field in a file, where it starts, and how long its steps are. */
interface FieldSubject {
  readonly name: string;
  readonly file: Uint8Array;
  readonly stepSize: number;
  readonly batched: boolean;
  /** states for a batch, one after the other */
  readonly y0: (batch: number) => readonly number[];
}

function ofField({ name, file, stepSize, batched, y0 }: FieldSubject): Subject {
  return {
    ...{ name, batched, works: ["evaluation", "solve", "gradient"] },
    job: (size) => ({ file: Buffer.from(file).toString("base64"), y0: y0(size.batch), stepSize, ...size }),
  };
}

/** A perceptron 2-width-width-2 with tanh, on normal states. */
export function perceptron(width: number, steps: number): Subject {
  const field = mlp({ dim: 2, hidden: [width, width], time: false });
  const ode = neuralOde({ field, method: methodNamed("midpoint"), stepSize: 1 / steps, dtype: "float64" });
  return ofField({
    ...{ name: `2-${width}-${width}-2`, stepSize: 1 / steps, batched: true },
    file: encodeField(ode, initialParameters(field, Random.seeded(1), "float64")),
    y0: (batch) => normal(2 * batch),
  });
}

/** An experiment by its name, or what is in an `.onnx` file. @throws {SubjectError | ModelError} */
export async function subjectNamed(text: string, steps: number): Promise<Subject> {
  if (/\.onnx$/i.test(text)) return subjectOf(text, steps);
  const task = taskExperiments.find(({ name }) => name === text);
  if (task !== undefined) return updateOf(task);
  const experiment = experiments.find(({ name }) => name === text);
  if (experiment === undefined) {
    const names = experiments.flatMap(({ name, needs }) => (needs === null ? [name] : []));
    const tasks = taskExperiments.flatMap(({ name, data }) => (data?.needed === true ? [] : [name]));
    throw new SubjectError(`${text} is neither an .onnx file nor one of ${[...names, ...tasks].join(", ")}.`);
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
  return ofField({
    ...{ name: text, stepSize, batched: typeof field.state[0] === "string" },
    file: encodeField(ode, initialParameters(field, Random.seeded(0), dtype)),
    y0: (batch) => around(first, batch),
  });
}

async function subjectOf(path: string, steps: number): Promise<Subject> {
  const model = await loadModel(path);
  const kind = kindOf(model.metadata);
  if (kind === null) return fieldOf(path, model, steps);
  if (kind === "solve" || kind === "prediction") return runOf(path, model, kind);
  throw new SubjectError(
    `${basename(path)} is ${portableKinds[kind]}. bench takes fields, whole solves, predictions, and experiments by their names, of ` +
      "which it times an update.",
  );
}

function fieldOf(path: string, model: Model, steps: number): Subject {
  const { state } = importedField(model);
  const batched = typeof state[0] === "string";
  const size = state.reduce<number>((product, dim) => product * (typeof dim === "string" ? 1 : dim), 1);
  return ofField({
    ...{ name: basename(path), stepSize: stepSizeIn(model.metadata) ?? 1 / steps, batched },
    file: readFileSync(path),
    y0: (batch) => around(new Array(size).fill(0.5), batch),
  });
}
