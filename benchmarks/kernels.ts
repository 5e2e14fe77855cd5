/**
 * How fast is the compiled runtime where single operators take all the time: convolutions, poolings, products of matrices,
 * normalisation, attention? Each beside ONNX Runtime's kernel, forward, and with the gradients by its operands.
 *
 *   npx tsx benchmarks/kernels.ts [--rounds 9] [--only conv,pool] [--work forward,gradient] [--json] [--save]
 *
 * Times are of processor time, which on a busy machine says more than the clock. In float64 ONNX Runtime has no kernel for
 * convolutions, which it is given as products.
 */
import { pullback } from "../src/autodiff/vjp.js";
import { Random } from "../src/core/random.js";
import { type FloatDType, sizeOf, tensor } from "../src/core/tensor.js";
import { Builder } from "../src/graph/builder.js";
import type { Graph, Value } from "../src/graph/graph.js";
import {
  averagePool,
  conv,
  convTranspose,
  layerNormalization,
  matmul,
  maxPool,
  mul,
  softmax,
  transpose,
} from "../src/ops.js";
import type { Runtime } from "../src/runtime/runtime.js";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { conclude, readOptions, say } from "./conclude.js";
import { measure, provenance, table } from "./measure.js";
import { type Row, target } from "./result.js";

const options = readOptions({ rounds: "9", only: "", work: "forward,gradient" });
const rounds = Number(options.rounds);
const runtimes = [jit(), await ortNode()] as const;

interface Case {
  readonly name: string;
  readonly dtype: FloatDType;
  readonly operands: readonly (readonly number[])[];
  readonly apply: (b: Builder, operands: readonly Value[]) => Value;
}

interface ConvCase {
  readonly batch: number;
  readonly from: number;
  readonly to: number;
  readonly sizes: readonly number[];
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
  readonly dtype?: FloatDType;
}

/** A convolution whose windows keep the size, but for the stride. */
function convolution({
  batch,
  from,
  to,
  sizes,
  kernel,
  stride = 1,
  groups = 1,
  dtype = "float32",
}: ConvCase): Case {
  const each = (n: number) => sizes.map(() => n);
  const pads = [...each(kernel >> 1), ...each(kernel >> 1)];
  const which = groups > 1 ? "depthwise" : `${from}→${to}`;
  return {
    name: `conv ${which}, ${sizes.join("×")}, kernel ${each(kernel).join("×")}${stride > 1 ? `, stride ${stride}` : ""}, batch ${batch}`,
    dtype,
    operands: [
      [batch, from, ...sizes],
      [to, from / groups, ...each(kernel)],
    ],
    apply: (b, [x, w]) => conv(b, x!, w!, null, { pads, strides: each(stride), groups }),
  };
}

function pooling(kind: "max" | "average", batch: number): Case {
  const pool = kind === "max" ? maxPool : averagePool;
  return {
    name: `pool ${kind}, 32 channels, 28×28, kernel 2×2, stride 2, batch ${batch}`,
    dtype: "float32",
    operands: [[batch, 32, 28, 28]],
    apply: (b, [x]) => pool(b, x!, [2, 2], { strides: [2, 2] }),
  };
}

function product(dtype: FloatDType, rows: number, inner: number, columns: number): Case {
  return {
    name: `matmul [${rows}, ${inner}] by [${inner}, ${columns}]`,
    dtype,
    operands: [
      [rows, inner],
      [inner, columns],
    ],
    apply: (b, [x, y]) => matmul(b, x!, y!),
  };
}

const attention: Case = {
  name: "attention, 16 × 4 heads, 64 tokens of 32",
  dtype: "float32",
  operands: Array.from({ length: 3 }, () => [16, 4, 64, 32]),
  apply(b, [q, k, v]) {
    const scores = matmul(b, mul(b, q!, 1 / Math.sqrt(32)), transpose(b, k!, [0, 1, 3, 2]));
    return matmul(b, softmax(b, scores), v!);
  },
};

const cases: readonly Case[] = [
  ...[1, 16, 64].flatMap((batch) => [
    convolution({ batch, from: 1, to: 32, sizes: [28, 28], kernel: 3 }),
    convolution({ batch, from: 32, to: 64, sizes: [28, 28], kernel: 3 }),
  ]),
  ...[1, 16].flatMap((batch) => [
    convolution({ batch, from: 64, to: 64, sizes: [32, 32], kernel: 3 }),
    convolution({ batch, from: 32, to: 64, sizes: [28, 28], kernel: 5 }),
    convolution({ batch, from: 64, to: 64, sizes: [32, 32], kernel: 1 }),
    convolution({ batch, from: 64, to: 64, sizes: [32, 32], kernel: 3, stride: 2 }),
    convolution({ batch, from: 64, to: 64, sizes: [32, 32], kernel: 3, groups: 64 }),
    convolution({ batch, from: 32, to: 64, sizes: [256], kernel: 5 }),
  ]),
  convolution({ batch: 16, from: 32, to: 64, sizes: [28, 28], kernel: 3, dtype: "float64" }),
  {
    name: "conv transposed, 64→32, 14×14, kernel 3×3, stride 2, batch 16",
    dtype: "float32",
    operands: [
      [16, 64, 14, 14],
      [64, 32, 3, 3],
    ],
    apply: (b, [x, w]) =>
      convTranspose(b, x!, w!, null, { strides: [2, 2], pads: [1, 1, 1, 1], outputPadding: [1, 1] }),
  },
  ...([1, 16] as const).flatMap((batch) => [pooling("max", batch), pooling("average", batch)]),
  ...(["float32", "float64"] as const).flatMap((dtype) => [
    product(dtype, 256, 256, 256),
    product(dtype, 64, 576, 1024),
    product(dtype, 512, 64, 64),
  ]),
  {
    name: "layer normalisation, 1024 rows of 256",
    dtype: "float32",
    operands: [[1024, 256], [256], [256]],
    apply: (b, [x, scale, bias]) => layerNormalization(b, x!, scale!, bias!),
  },
  {
    name: "softmax, 1024 rows of 256",
    dtype: "float32",
    operands: [[1024, 256]],
    apply: (b, [x]) => softmax(b, x!),
  },
  attention,
];

function graphOf({ dtype, operands, apply }: Case, work: string): Graph {
  const b = new Builder();
  const inputs = operands.map((shape, i) => b.input(`x${i}`, dtype, shape));
  const y = apply(b, inputs);
  if (work === "forward") return b.graph({ y });
  const gradients = pullback(b, [y], [b.input("cotangent", dtype, y.shape)], inputs);
  return b.graph(Object.fromEntries(gradients.map((gradient, i) => [`gradient${i}`, gradient!])));
}

async function contenderOf(runtime: Runtime, graph: Graph) {
  const random = Random.seeded(1);
  const executable = await runtime.compile(graph);
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }) => {
      const data = Array.from({ length: sizeOf(shape as number[]) }, () => random.uniform(-1, 1));
      return [name!, runtime.upload(tensor(dtype as FloatDType, shape as number[], data))];
    }),
  );
  return { name: runtime.name, run: () => executable.run(feeds), release: () => executable.release() };
}

async function rowOf(one: Case, work: string): Promise<Row> {
  say(`${one.name}, ${one.dtype}, ${work}`);
  const graph = graphOf(one, work);
  const contenders = [];
  for (const runtime of runtimes) contenders.push(await contenderOf(runtime, graph));
  const [own, theirs] = await measure(contenders, { rounds, warmUp: 0.3, turn: 0.02, limit: 2 });
  for (const { release } of contenders) await release();
  return {
    ...{ operator: one.name, dtype: one.dtype, work },
    ...{ jit: own!.processor * 1e3, ort: theirs!.processor * 1e3 },
    ...{ jitLeast: own!.least * 1e3, ortLeast: theirs!.least * 1e3 },
    ratio: own!.processor / theirs!.processor,
  };
}

const only = options.only === "" ? null : options.only.split(",");
const rows: Row[] = [];
for (const one of cases.filter(({ name }) => only?.some((start) => name.startsWith(start)) ?? true)) {
  for (const work of options.work.split(",")) rows.push(await rowOf(one, work));
}
const worst = rows.reduce((found, row) => ((row.ratio as number) > (found.ratio as number) ? row : found));
await conclude(
  {
    ...{
      benchmark: "kernels",
      ...provenance(runtimes),
      settings: { rounds, threads: 1 },
      rows,
      failures: [],
    },
    targets: [
      target(
        {
          name: "kernels/ort",
          what: "jit takes at most twice the time of ONNX Runtime's kernels",
          wanted: { atMost: 2 },
        },
        worst.ratio as number,
        `${worst.operator}, ${worst.dtype}, ${worst.work}`,
      ),
    ],
  },
  options,
  {
    text: `Milliseconds of processor time\n\n${table(
      ["operator", "dtype", "work", "jit", "ort-cpu", "ratio"],
      rows.map((row) => [
        ...[row.operator, row.dtype, row.work].map(String),
        ...[row.jit, row.ort, row.ratio].map((value) => (value as number).toFixed(3)),
      ]),
    )}`,
  },
);
