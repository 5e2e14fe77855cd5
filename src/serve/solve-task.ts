import type { Tensor } from "../core/tensor.js";
import type { Description, FieldDescription, Tensors } from "./messages.js";
import type { ServedModel } from "./models.js";
import { badRequest } from "./request-error.js";
import type { Task } from "./shared-run.js";
import { checkAnswer, type SolveRequest, settingOf, solveInputs, statesOf } from "./solve-request.js";

/** A request to solve, ready to be run. */
export interface PreparedSolve {
  readonly task: Omit<Task, "signal">;
  /** what comes out, with rows first */
  readonly rowsFirst: (results: Tensors) => Tensors;
  /** whether one state alone was given, without its axis */
  readonly isOne: boolean;
}

/** Opens what a solve takes. @throws {RequestError} */
export async function prepareSolve(model: ServedModel, asked: SolveRequest): Promise<PreparedSolve> {
  const field = fieldOf(model);
  const { y0, isOne } = statesOf(asked.y0, field.state, field.dtype);
  const batched = typeof field.state[0] === "string";
  const rows = batched ? y0.shape[0]! : 1;
  checkAnswer(rows, y0.data.length / rows, asked);
  const shared =
    model.description.kind === "solve"
      ? fileInputs(model.description, asked, field)
      : solveInputs(asked, field);
  const served = await model.solver(settingOf(asked));
  return {
    task: {
      served,
      feeds: { y0, ...shared },
      ...(batched ? { kind: "solve", rows } : { kind: "run", rows: null }),
    },
    rowsFirst: batched ? (results) => results : asOneRow,
    isOne,
  };
}

function fieldOf({ name, description }: ServedModel): FieldDescription {
  const { field, kind, inputs } = description;
  if (!("reason" in field)) return field;
  const y0 = inputs.find((input) => input.name === "y0");
  if (kind !== "solve" || y0 === undefined)
    throw badRequest(`The model ${JSON.stringify(name)} cannot be solved: ${field.reason}`);
  return {
    state: y0.shape.map((dim) => dim ?? "batch"),
    dtype: y0.dtype as FieldDescription["dtype"],
    parameters: Object.fromEntries(
      inputs.flatMap((input) =>
        input.name.startsWith("parameters/") ? [[input.name.slice(11), input.shape as number[]]] : [],
      ),
    ),
    stepSize: null,
  };
}

/** What a file of a whole solve takes: its solver is inside, and perhaps its tolerances or the size of its steps. */
function fileInputs(
  { inputs, metadata }: Description,
  asked: SolveRequest,
  field: FieldDescription,
): Tensors {
  if (asked.solver !== undefined)
    throw badRequest("The solver is inside the file of a whole solve. Leave solver out, or serve the field.");
  const names = inputs.map(({ name }) => name);
  for (const name of ["rtol", "atol", "stepSize", "maxSteps"] as const) {
    if (asked[name] === undefined || names.includes(name)) continue;
    const own = metadata[`revort.${name}`];
    throw badRequest(
      own === undefined
        ? `This solve takes no ${name}.`
        : `This file has ${name} = ${own} inside. Leave it out, or export the solve with --no-defaults.`,
    );
  }
  const number = (name: string) => {
    const value = Number(metadata[`revort.${name}`] ?? Number.NaN);
    return Number.isFinite(value) ? value : undefined;
  };
  const steps = names.includes("rtol")
    ? { rtol: asked.rtol ?? number("rtol") ?? 1e-6, atol: asked.atol ?? number("atol") ?? 1e-6 }
    : {};
  const size = names.includes("stepSize") ? { stepSize: asked.stepSize ?? number("stepSize") } : {};
  const maxSteps = asked.maxSteps ?? number("maxSteps");
  const all = solveInputs(
    {
      ...asked,
      ...steps,
      ...(size.stepSize === undefined ? {} : { stepSize: size.stepSize }),
      ...(maxSteps === undefined ? {} : { maxSteps }),
    },
    field,
  );
  const given = Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
  const missing = names.find((name) => name !== "y0" && !Object.hasOwn(given, name));
  if (missing === undefined) return given;
  throw badRequest(
    missing.startsWith("parameters/")
      ? "This solve takes all parameters of its field: give params."
      : `The input ${missing} is missing.`,
  );
}

/** The results of a state that has no axis for samples. */
function asOneRow(results: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(results).map(([name, value]) => [
      name,
      { ...value, shape: [1, ...value.shape] } as Tensor,
    ]),
  );
}
