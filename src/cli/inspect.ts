import { printable } from "../core/printable.js";
import { type Finding, type Inspection, inspectModel } from "../deploy/inspect.js";
import { portableKinds } from "../deploy/kind.js";
import { loadModel } from "../deploy/load-model.js";
import type { ModelValue } from "../graph/model.js";
import { type Console, table } from "./console.js";
import { exitCodes } from "./exit-codes.js";

/**
 * `revort inspect`: what an `.onnx` file holds, and what revort can do with it.
 *
 * @returns the exit code
 */
export async function inspectCommand(
  path: string,
  options: { readonly json?: boolean },
  console: Console,
): Promise<number> {
  const found = inspectModel(await loadModel(path));
  if (options.json) console.json(found);
  else console.stdout.write(`${listing(found)}\n`);
  return exitCodes.done;
}

function listing(found: Inspection): string {
  const sections = [
    [
      printable(found.source),
      ...(found.kind === null ? [] : [`  is ${portableKinds[found.kind]}`]),
      ...described("producer", found.producer),
      ...described("says", found.doc),
      `  ONNX IR ${found.ir}, operators ${entries(found.opsets)}`,
      ...Object.entries(found.metadata).map(([key, value]) => `  ${printable(`${key} = ${value}`)}`),
    ],
    ["Inputs", ...valueLines(found.inputs)],
    ...(found.optional.length === 0 ? [] : [["Inputs that may be left out", ...valueLines(found.optional)]]),
    ["Outputs", ...valueLines(found.outputs)],
    ["Operators", ...operatorLines(found)],
    [`Parameters: ${found.trainableCount} numbers to train`, ...parameterLines(found)],
    [
      "Use",
      `  vector field   ${found.field.ok ? fieldLine(found) : verdict(found.field)}`,
      `  gradients      ${verdict(found.gradient)}`,
      ...Object.entries(found.runtimes).map(([name, finding]) => `  ${name.padEnd(13)}  ${verdict(finding)}`),
    ],
  ];
  return sections.map((lines) => lines.join("\n")).join("\n\n");
}

function described(what: string, text: string): string[] {
  return text === "" ? [] : [`  ${what} ${printable(text)}`];
}

function entries(record: Readonly<Record<string, unknown>>): string {
  return printable(
    Object.entries(record)
      .map(([key, value]) => `${key} ${value}`)
      .join(", "),
  );
}

/** Inputs or outputs of a file, a line each. */
export function valueLines(values: readonly ModelValue[]): string[] {
  return values.map(valueLine);
}

/** What a file leaves open is shown as a question mark. */
function valueLine({ name, dtype, shape }: ModelValue): string {
  const dims = shape === null ? "?" : `[${shape.map((dim) => dim ?? "?").join(", ")}]`;
  return `  ${printable(`${name}  ${dtype ?? "?"} ${dims}`)}`;
}

function operatorLines({ operators }: Inspection): string[] {
  if (operators.length === 0) return ["  none"];
  const rows = operators.map((o) => [
    printable(o.operator),
    String(o.count),
    word(o.supported),
    word(o.differentiable),
  ]);
  const reasons = operators.flatMap(({ reason }) => (reason === null ? [] : [printable(reason)]));
  return indented(table([["", "count", "supported", "differentiable"], ...rows]), ...reasons);
}

function parameterLines({ parameters }: Inspection): string[] {
  if (parameters.length === 0) return ["  none"];
  const rows = parameters.map((p) => [
    printable(p.name),
    `${p.dtype} [${p.shape.join(", ")}]`,
    `${p.trainable ? "trained" : "kept"}: ${printable(p.reason)}`,
  ]);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map(
    ([name, type, why]) => `  ${name!.padEnd(widths[0]!)}  ${type!.padEnd(widths[1]!)}  ${why}`,
  );
}

function fieldLine({ field }: Inspection): string {
  const time = field.timeInput === null ? "no time" : `time ${field.timeInput}`;
  return printable(
    `yes: d${field.stateInput}/dt = ${field.output}, state [${field.state!.join(", ")}], ${time}`,
  );
}

function verdict({ ok, reason }: Finding): string {
  return ok ? "yes" : `no: ${printable(reason ?? "")}`;
}

function word(yes: boolean): string {
  return yes ? "yes" : "no";
}

function indented(...texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.split("\n")).map((line) => `  ${line}`);
}
