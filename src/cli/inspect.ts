import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { printable } from "../core/printable.js";
import { type Finding, type Inspection, inspectModel, type ParameterReport } from "../deploy/inspect.js";
import { kindOf, portableKinds } from "../deploy/kind.js";
import { loadModel } from "../deploy/load-model.js";
import { type GraphModelReport, inspectGraphModel } from "../deploy/tfjs-file.js";
import type { ModelValue } from "../graph/model.js";
import { type Console, table } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import { type FieldOptions, importOptions } from "./field-options.js";
import { UsageError } from "./usage.js";

/**
 * `revort inspect`: what an `.onnx` file holds, and what revort can do with it; with `--runtimes`, which runtimes work here.
 *
 * @returns the exit code
 */
export async function inspectCommand(
  path: string | undefined,
  options: FieldOptions & { readonly json?: boolean; readonly runtimes?: boolean },
  console: Console,
): Promise<number> {
  if (options.runtimes) {
    if (path !== undefined)
      throw new UsageError("--runtimes is about this machine, not about a file. Leave one of them out.");
    return (await import("./runtime-report.js")).runtimesCommand(options, console);
  }
  if (path === undefined) throw new UsageError("Give the file to inspect, or --runtimes.");
  const own = await graphModelAt(path);
  if (own !== null) {
    if (options.json) console.json(own);
    else console.stdout.write(`${graphModelLines(path, own).join("\n")}\n`);
    return exitCodes.done;
  }
  const found = inspectModel(await loadModel(path), importOptions(options));
  if (options.json) console.json(found);
  else console.stdout.write(`${listing(found)}\n`);
  return exitCodes.done;
}

/** The GraphModel of TensorFlow.js in a folder, or in its `model.json`; `null` if a path is neither. */
async function graphModelAt(path: string): Promise<GraphModelReport | null> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder && !path.endsWith(".json")) return null;
  const text = await readFile(isFolder ? join(path, "model.json") : path, "utf8").catch(() => null);
  return text === null ? null : inspectGraphModel(text);
}

/** What people read of a GraphModel. */
export function graphModelLines(path: string, found: GraphModelReport): string[] {
  const values = (list: GraphModelReport["inputs"]) =>
    list.map(
      ({ name, dtype, shape }) =>
        `  ${printable(`${name}  ${dtype} [${shape.map((dim) => dim ?? "?").join(", ")}]`)}`,
    );
  const kind = kindOf(found.metadata);
  return [
    `${printable(path)}`,
    "  is a GraphModel of TensorFlow.js",
    ...described("made by", found.generatedBy),
    ...(kind === "solve"
      ? ["  a solve at the times revort.saveAt, its steps unrolled: y0 in, the states out"]
      : []),
    ...Object.entries(found.metadata).map(([key, value]) => `  ${printable(`${key} = ${value}`)}`),
    "",
    ...["Inputs", ...values(found.inputs), "", "Outputs", ...values(found.outputs), ""],
    "Operators of TensorFlow",
    `  ${printable(entries(found.operators))}`,
    `  ${found.weights.arrays} constants in ${printable(found.weights.files.join(", "))}`,
  ];
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
    found.kind === null
      ? [`Parameters: ${found.trainableCount} numbers to train`, ...parameterLines(found)]
      : ["Arrays inside", ...parameterLines(found)],
    ["Use", ...useLines(found)],
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

/** The operators, and what is missing of them, but for what the last section says. */
function operatorLines({ operators, field, gradient }: Inspection): string[] {
  if (operators.length === 0) return ["  none"];
  const rows = operators.map((o) => [
    printable(o.operator),
    String(o.count),
    word(o.supported),
    word(o.differentiable),
  ]);
  const said = `${field.reason ?? ""} ${gradient.reason ?? ""}`.toLowerCase();
  const reasons = operators.flatMap(({ reason }) =>
    reason === null || said.includes(reason.replace(/\.$/, "").toLowerCase()) ? [] : [printable(reason)],
  );
  return indented(table([["", "count", "supported", "differentiable"], ...rows]), ...reasons);
}

/** Each array of floats with its fate; whole numbers are shapes and indices, and are counted only. */
function parameterLines({ parameters, warnings, kind }: Inspection): string[] {
  if (parameters.length === 0) return ["  none"];
  const floats = parameters.filter(({ dtype }) => dtype.startsWith("float"));
  const others = parameters.length - floats.length;
  const rows = floats.map((p) => [
    printable(p.name),
    `${p.dtype} [${p.shape.join(", ")}]${p.value === null ? "" : ` = ${p.value}`}`,
    // only a field is trained
    kind === null ? printable(fate(p)) : "",
  ]);
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  return [
    ...rows.map(([name, type, why]) =>
      `  ${name!.padEnd(widths[0]!)}  ${type!.padEnd(widths[1]!)}  ${why}`.trimEnd(),
    ),
    ...(others === 0
      ? []
      : [`  ${others} of whole numbers or truth values${kind === null ? ", which are never trained" : ""}`]),
    ...(kind === null ? warnings.map((warning) => `  warning: ${printable(warning)}`) : []),
  ];
}

function fate({ trainable, reason, doubtful, readers, copyOf }: ParameterReport): string {
  return [
    `${trainable ? "trained" : "kept"}: ${reason}`,
    ...(copyOf === null ? [] : [`one parameter with ${copyOf}, of which it is a copy`]),
    ...(readers > 1 ? [`shared by ${readers} nodes`] : []),
    ...(doubtful ? ["may be a parameter: --trainable trains it"] : []),
  ].join("; ");
}

/** What can be done with the model. A reason that holds of several things is given once. */
function useLines(found: Inspection): string[] {
  const given = new Set<string>();
  const finding = ({ ok, reason }: Finding, yes = "yes"): string => {
    if (ok) return yes;
    const why = (reason ?? "").replace(`${found.source}: `, "");
    if (given.has(why)) return "no, for the same reason";
    given.add(why);
    return `no, because ${printable(why)}`;
  };
  const row = (name: string, text: string) => `  ${name.padEnd(14)} ${text}`;
  return [
    row("vector field", finding(found.field, found.field.ok ? fieldLine(found) : "")),
    row("can be trained", finding(found.gradient, trainingLine(found))),
    row("can be saved", finding(found.saving)),
    ...Object.entries(found.runtimes).map(([name, each]) => row(name, finding(each))),
  ];
}

function trainingLine({ parameters, trainableCount }: Inspection): string {
  const arrays = parameters.filter(({ trainable, copyOf }) => trainable && copyOf === null).length;
  if (arrays > 0) return `yes: ${trainableCount} numbers in ${arrays} array${arrays === 1 ? "" : "s"}`;
  const floats = parameters.some(({ dtype }) => dtype.startsWith("float"));
  return `only the initial state: ${
    floats ? "no array is a parameter unless --trainable PATTERN chooses one" : "there are no parameters"
  }`;
}

function fieldLine({ field }: Inspection): string {
  const time = field.timeInput === null ? "no time" : `time ${field.timeInput}`;
  return printable(
    `yes: d${field.stateInput}/dt = ${field.output}, state [${field.state!.join(", ")}], ${time}`,
  );
}

function word(yes: boolean): string {
  return yes ? "yes" : "no";
}

function indented(...texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.split("\n")).map((line) => `  ${line}`);
}
