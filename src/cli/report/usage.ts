import { sizeOf } from "../../core/tensor.js";
import type { Model, ModelValue } from "../../graph/model.js";
import { type Html, html } from "./html.js";
import { codeOf } from "./page.js";

// Code that runs an exported file, with ONNX Runtime alone, in the languages that it is deployed in.

/** What an element type is called in each language. */
const types = {
  float32: { array: "Float32Array", numpy: "float32", cpp: "float" },
  float64: { array: "Float64Array", numpy: "float64", cpp: "double" },
  int64: { array: "BigInt64Array", numpy: "int64", cpp: "int64_t" },
  int32: { array: "Int32Array", numpy: "int32", cpp: "int32_t" },
} as const;
type Named = keyof typeof types;

/** An input to call a model with. */
interface Given {
  readonly name: string;
  readonly dtype: Named;
  readonly shape: readonly number[];
  /** `null` for zeros */
  readonly values: readonly number[] | null;
}

/** Numbers that are written out; more are zeros. */
const mostNumbers = 64;

/** Ways to call a model, by language. */
export interface Usage {
  readonly language: "JavaScript" | "Python" | "C++";
  readonly title: string;
  readonly code: string;
}

/**
 * Code that calls a model once and prints its first output.
 *
 * @param file  its name beside the code
 * @param examples  values of inputs, by name; those without are zeros
 * @returns nothing for inputs of types that have no plain arrays in all languages
 */
export function usageOf(
  file: string,
  { graph }: Model,
  examples: Readonly<Record<string, readonly number[]>> = {},
): Usage[] {
  const given = graph.inputs.map((input) => givenTo(input, examples));
  const [output] = graph.outputs;
  if (output === undefined || !given.every((one) => one !== null) || !isNamed(output.dtype)) return [];
  const call = { file, given: given as Given[], output: output.name, type: types[output.dtype] };
  return [
    {
      language: "JavaScript",
      title: "Node.js (npm install onnxruntime-node)",
      code: javascript(call, "onnxruntime-node"),
    },
    {
      language: "JavaScript",
      title: "Browser (npm install onnxruntime-web)",
      code: `// the .wasm files in node_modules/onnxruntime-web/dist go beside the bundled script\n${javascript(call, "onnxruntime-web")}`,
    },
    { language: "Python", title: "Python (pip install onnxruntime)", code: python(call) },
    { language: "C++", title: "C++ (onnxruntime_cxx_api.h; link with -lonnxruntime)", code: cpp(call) },
  ];
}

/** The code of each language under its title. */
export function usageHtml(usage: readonly Usage[]): Html[] {
  return usage.map(
    ({ title, language, code }) => html`<h3>${title}</h3>\n${codeOf(code, language.toLowerCase())}\n`,
  );
}

interface Call {
  readonly file: string;
  readonly given: readonly Given[];
  readonly output: string;
  readonly type: (typeof types)[Named];
}

function isNamed(dtype: string | null): dtype is Named {
  return dtype !== null && Object.hasOwn(types, dtype);
}

function givenTo(
  { name, dtype, shape }: ModelValue,
  examples: Readonly<Record<string, readonly number[]>>,
): Given | null {
  if (!isNamed(dtype)) return null;
  const own = (shape ?? []).map((dim) => (typeof dim === "number" ? dim : 1));
  const values = Object.hasOwn(examples, name) ? examples[name]! : null;
  const fits = values !== null && values.length === sizeOf(own) && values.length <= mostNumbers;
  return { name, dtype, shape: own, values: fits && values.every(Number.isFinite) ? values : null };
}

function javascript({ file, given, output }: Call, module: string): string {
  const inputs = given.map(({ name, dtype, shape, values }) => {
    const { array } = types[dtype];
    const numbers = values?.map((value) => (array === "BigInt64Array" ? `${value}n` : String(value)));
    const data = `new ${array}(${numbers === undefined ? sizeOf(shape) : `[${numbers.join(", ")}]`})`;
    return `  ${JSON.stringify(name)}: new ort.Tensor("${dtype}", ${data}, [${shape.join(", ")}]),`;
  });
  return [
    `import * as ort from "${module}";`,
    "",
    `const session = await ort.InferenceSession.create(${JSON.stringify(file)});`,
    "const results = await session.run({",
    ...inputs,
    "});",
    `console.log(results[${JSON.stringify(output)}].data);`,
  ].join("\n");
}

function python({ file, given, output }: Call): string {
  const inputs = given.map(({ name, dtype, shape, values }) => {
    const { numpy } = types[dtype];
    const size = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
    const data =
      values === null
        ? `np.zeros(${size}, np.${numpy})`
        : `np.array([${values.join(", ")}], np.${numpy}).reshape(${size})`;
    return `    ${JSON.stringify(name)}: ${data},`;
  });
  return [
    "import numpy as np",
    "import onnxruntime",
    "",
    `session = onnxruntime.InferenceSession(${JSON.stringify(file)})`,
    `(result,) = session.run([${JSON.stringify(output)}], {`,
    ...inputs,
    "})",
    "print(result)",
  ].join("\n");
}

function cpp({ file, given, output, type }: Call): string {
  const made = given.flatMap(({ dtype, shape, values }, i) => {
    const type = types[dtype].cpp;
    const data = values === null ? `(${sizeOf(shape)})` : `{${values.join(", ")}}`;
    return [
      `  std::vector<${type}> data${i}${data};`,
      `  std::vector<int64_t> shape${i}{${shape.join(", ")}};`,
      `  inputs.push_back(Ort::Value::CreateTensor<${type}>(memory, data${i}.data(), data${i}.size(), shape${i}.data(), shape${i}.size()));`,
    ];
  });
  const names = given.map(({ name }) => JSON.stringify(name)).join(", ");
  return [
    "#include <onnxruntime_cxx_api.h>",
    "",
    "#include <iostream>",
    "#include <vector>",
    "",
    "int main() {",
    "  Ort::Env env;",
    `  Ort::Session session(env, ORT_TSTR(${JSON.stringify(file)}), Ort::SessionOptions{});`,
    "  auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);",
    "  std::vector<Ort::Value> inputs;",
    ...made,
    `  const char* input_names[] = {${names}};`,
    `  const char* output_names[] = {${JSON.stringify(output)}};`,
    "  auto results = session.Run(Ort::RunOptions{}, input_names, inputs.data(), inputs.size(), output_names, 1);",
    `  const ${type.cpp}* values = results[0].GetTensorData<${type.cpp}>();`,
    "  const size_t count = results[0].GetTensorTypeAndShapeInfo().GetElementCount();",
    '  for (size_t i = 0; i < count; i++) std::cout << values[i] << "\\n";',
    "}",
  ].join("\n");
}
