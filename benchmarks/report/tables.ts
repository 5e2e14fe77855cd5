import { comparisonColumns, reasonLines } from "../../src/cli/bench/table.js";
import { cases } from "../experiments/cases.js";
import type { PeerRow } from "../peer-targets.js";
import { type Result, type Row, showNumber } from "../result.js";
import { markdownTable } from "./markdown.js";
import { fullPeerTable, updateTable } from "./peer-table.js";

/** How a benchmark is shown: the question that it answers, and its rows as a table. */
interface Report {
  readonly title: string;
  readonly note: string;
  readonly body: (result: Result, all: ReadonlyMap<string, Result>) => string;
}

/** Columns of a table, as they are headed, and the values under them. */
function columns(rows: readonly Row[], shown: Readonly<Record<string, (row: Row) => string>>): string {
  return markdownTable(
    Object.keys(shown),
    rows.map((row) => Object.values(shown).map((cell) => cell(row))),
  );
}

const text =
  (name: string) =>
  (row: Row): string =>
    String(row[name] ?? "");
const number =
  (name: string, scale = 1) =>
  (row: Row): string =>
    typeof row[name] === "number" ? showNumber(row[name] * scale) : "–";

const experimentNote =
  "Seconds of an update (the gradient, AdamW, the loss on the host), the median and the least of turns, and processor time, which counts all threads. Memory is the largest of a whole process; `used` is what it is more than that process took before it had anything to do. Each contender is a process of its own. `train` goes through a batch in parts, in threads; `whole` is at once.";

/** A table for each experiment, the fastest first. */
function experimentTables(rows: readonly Row[]): string {
  const names = [...new Set(rows.map((row) => String(row.case)))];
  return names
    .map((name) => {
      const own = rows.filter((row) => row.case === name);
      own.sort((one, other) => Number(one.seconds) - Number(other.seconds));
      const shown = columns(own, {
        library: text("library"),
        scheme: text("scheme"),
        gradient: text("gradient"),
        batch: text("batch"),
        threads: text("threads"),
        "s/update": number("seconds"),
        least: number("least"),
        "CPU time": number("processor"),
        "memory, MiB": number("peakMebibytes"),
        used: (row) => showNumber(Number(row.peakMebibytes) - Number(row.idleMebibytes)),
      });
      return `**${name}**: ${cases[name]?.about ?? ""}\n\n${shown}`;
    })
    .join("\n\n");
}

export const reports: Readonly<Record<string, Report>> = {
  "white-dwarf": {
    title: "One small trajectory",
    note: "Microseconds per solver step of the white-dwarf experiment, forward and backward. `update` is the gradient, AdamW, and the loss on the host.",
    body: ({ rows }) =>
      columns(rows, {
        tableau: text("tableau"),
        gradient: text("gradient"),
        runtime: text("runtime"),
        work: text("work"),
        "µs/step": number("usPerStep"),
        minimum: number("least"),
        "CPU time": number("processor"),
      }),
  },
  "batched-mlp": {
    title: "A batch of states and a perceptron",
    note: "Milliseconds of a gradient, 2-H-H-2 with tanh. `shards` are parts of the batch, each in a thread of its own; a `reversible` step does the work of two midpoint steps.",
    body: ({ rows }) =>
      columns(rows, {
        batch: text("batch"),
        width: text("width"),
        gradient: text("gradient"),
        runtime: text("runtime"),
        shards: text("parts"),
        "ms/gradient": number("secondsPerGradient", 1e3),
        minimum: number("least", 1e3),
        "CPU time": number("processor", 1e3),
      }),
  },
  peers: {
    title: "Against diffrax, JAX, torchdiffeq and torchode",
    note:
      "Microseconds per step, forward and backward, medians; all rows of a case agree on loss and gradient norm. `coupled` is the reversible scheme, which does twice the work of `midpoint`. " +
      "diffrax has no reversible adjoint of its own: the rows are peers/reversible_in_diffrax.py around its midpoint rule, and around the same rule unrolled for speed. " +
      "`RecursiveCheckpointAdjoint(checkpoints=steps)` stores every step. For revort, threads are parts of the batch. Last, an update of the white-dwarf experiment.",
    body: ({ rows }) => {
      const known = rows as unknown as readonly PeerRow[];
      return `${fullPeerTable(known)}\n\n${updateTable(known)}`;
    },
  },
  training: {
    title: "Training as anybody calls it",
    note: "Milliseconds of an update of `train` with no option but the data (the gradient, AdamW, the report), and of diffrax's gradient alone: batch 512, 2-64-64-2, float32, 100 steps. `coupled` is the reversible scheme, which does twice the work of `midpoint`. For revort, threads are those that `train` started by itself.",
    body: ({ rows }) =>
      columns(rows, {
        library: text("library"),
        scheme: text("scheme"),
        gradient: text("gradient"),
        how: text("variant"),
        work: text("work"),
        threads: text("threads"),
        ms: number("seconds", 1e3),
        minimum: number("least", 1e3),
        "CPU time": number("processor", 1e3),
      }),
  },
  experiments: {
    title: "The experiments, at their published sizes",
    note: experimentNote,
    body: ({ rows }) => experimentTables(rows),
  },
  "experiment-peers": {
    title: "The experiments, against other libraries",
    note:
      `${experimentNote} All rows of a case agree on loss and norm of the gradient, by the same parameters, data and noise. \`vmap\` is a solve of one sample, as diffrax's examples are written, ` +
      "`batched` one of a whole batch at once; `coupled, reversible` in diffrax is peers/reversible_in_diffrax.py; JAX is written out by hand.",
    body: ({ rows }) => experimentTables(rows),
  },
  "work-precision": {
    title: "Adaptive steps: work and precision",
    note: "Microseconds of a warm solve, and the error at its end.",
    body: ({ rows }) =>
      `![error over time](results/work-precision.svg)\n\n${columns(rows, {
        problem: text("problem"),
        library: text("library"),
        solver: text("solver"),
        tolerance: text("tolerance"),
        error: (row) => (row.error as number).toExponential(1),
        steps: text("steps"),
        "µs/solve": number("seconds", 1e6),
      })}`,
  },
  "start-up": {
    title: "Until training gets going",
    note: "Milliseconds in a fresh process: Node itself, reading the modules, then graphs, compilation and the first update of the white-dwarf experiment; and the next update.",
    body: ({ rows }, all) => {
      const own = columns(rows, {
        runtime: text("runtime"),
        process: number("processMs"),
        "reading modules": number("loadMs"),
        "compiling, first update": number("compileMs"),
        "next update": number("nextMs"),
      });
      const others = (all.get("peers")?.rows ?? []).filter(
        (row) => row.case === "white-dwarf" && row.work === "update" && row.threads === 1,
      );
      if (others.length === 0) return own;
      const theirs = columns(others, {
        "compiling, first update": (row) => `${row.library}, ${row.scheme}, ${row.gradient}, ${row.variant}`,
        s: number("startSeconds"),
      });
      return `${own}\n\nThe same in processes that have done such work before, by \`peers.ts\`:\n\n${theirs}`;
    },
  },
  scaling: {
    title: "Over the number of steps",
    note: "64 states of a 2-8-8-2 perceptron, coupled midpoint steps, float64. Memory is the largest of a whole process that computes gradients of that many steps, and nothing else.",
    body: ({ rows }) =>
      `![time and memory over steps](results/scaling.svg)\n\n${columns(rows, {
        gradient: text("gradient"),
        runtime: text("runtime"),
        steps: text("steps"),
        "µs/step": number("usPerStep"),
        "largest memory, MiB": number("peakMebibytes"),
        "states stored": text("storedStates"),
      })}`,
  },
  runtimes: {
    title: "The same models on every runtime",
    note: "A perceptron 2-width-width-2 with tanh in float32, in Node and in a page in Chromium (`page/…`): opening the runtime, the first gradient of 20 steps from the graph on, then warm an evaluation of the field, a step of the reversible midpoint rule, and its gradient. Times are the least of rounds in turns; the GPU of the page is one in software. Errors are relative, against float64; MiB is what its process, or Chromium, takes more than before. `npx tsx scripts/bench.ts MODEL.onnx` does this for a model of yours.",
    body: ({ rows }) => {
      const shown = rows as never as Parameters<typeof reasonLines>[0];
      const works = shown.filter(({ gradientUs }) => gradientUs !== null);
      const all = { model: (row: Row) => `${row.batch} × ${row.subject}`, ...comparisonColumns };
      const reasons = reasonLines(shown).map((line) => `- ${line}`);
      return [columns(works, all as never), ...(reasons.length > 0 ? [reasons.join("\n")] : [])].join("\n\n");
    },
  },
  serving: {
    title: "A server under load",
    note: "Milliseconds from a request to its answer over loopback, with clients that ask one thing after the other; each answer is held against the one that the same request had alone, to the byte.",
    body: ({ rows, settings }) =>
      `${columns(rows, {
        request: text("request"),
        count: text("count"),
        wrong: text("wrong"),
        median: number("median"),
        p99: number("p99"),
        most: number("most"),
      })}\n\n${settings.clients} clients for ${settings.seconds} s; ${showNumber(Number(settings.requestsPerRun))} solves of equal steps went through a run, and server and workers took ${showNumber(Number(settings.memoryMiB))} MiB at the end.`,
  },
  auto: {
    title: "Is the runtime `auto` right?",
    note: "Microseconds per step of a reversible gradient of perceptrons, and of an update of tasks with convolutions and attention. `penalty` is the time on the chosen runtime over that on the faster one.",
    body: ({ rows }) =>
      columns(rows, {
        dtype: text("dtype"),
        // results of before have a width alone
        model: ({ model, width }) => String(model ?? `2-${width}-${width}-2`),
        batch: text("batch"),
        jit: number("jit"),
        "ort-cpu": number("ort"),
        choice: text("choice"),
        penalty: (row) => (row.penalty as number).toFixed(2),
      }),
  },
  "language-model": {
    title: "Language models against PyTorch",
    note: "Tokens per second of training (an update: gradient, clipping, AdamW) and of generation (token by token, keys and values kept), the same models in PyTorch, eager, on the CPU in float32. `most` is of the fastest round; CPU seconds count all threads and hardly depend on other work. A `revdeq` undoes its steps in revort, and stores them in PyTorch, which is less work and more memory.",
    body: ({ rows }) =>
      columns(rows, {
        model: text("model"),
        work: text("work"),
        library: text("library"),
        runtime: text("runtime"),
        threads: text("threads"),
        "tokens/s": number("tokensPerSecond"),
        most: number("most"),
        "tokens per CPU second": number("perProcessorSecond"),
      }),
  },
  "language-comparison": {
    title: "Language models of equal parameters",
    note: "A block of a transformer once, its fixed point with steps undone, and the same with implicit gradients: as many parameters, on as many tokens in the same order. Perplexity of the validation text at the end, and the time of an update. The implicit gradient is that of a fixed point, which so few steps have not reached (`residual`); undoing steps is exact for any number of them. This is a small scale: it says which learn more from few tokens, and nothing about large models. The time of an update is that of a busy machine.",
    body: ({ rows }) => {
      const last = Math.max(...rows.map((row) => row.updates as number));
      return `![perplexity over updates](results/language-comparison.svg)\n\n${columns(
        rows.filter((row) => row.updates === last),
        {
          model: text("model"),
          seed: text("seed"),
          parameters: text("parameters"),
          tokens: text("tokens"),
          "perplexity per token": number("perplexity"),
          "per word": number("perplexityPerWord"),
          residual: number("residual"),
          "s/update": number("secondsPerUpdate"),
        },
      )}`;
    },
  },
  operators: {
    title: "Operators per step on ONNX Runtime",
    note: "Counted in the graphs of gradients with a loss at every step; `fused` after `src/runtime/fuse.ts`.",
    body: ({ rows }) =>
      columns(rows, {
        field: text("field"),
        tableau: text("tableau"),
        gradient: text("gradient"),
        evaluations: text("evaluations"),
        forward: text("forward"),
        "forward, fused": text("forwardFused"),
        backward: text("backward"),
        "backward, fused": text("backwardFused"),
      }),
  },
  kernels: {
    title: "Single operators, beside ONNX Runtime's kernels",
    note: "Milliseconds of processor time, one thread; `gradient` is by all operands. In float64 ONNX Runtime has no kernel for convolutions, which it is given as products.",
    body: ({ rows }) =>
      columns(rows, {
        operator: text("operator"),
        dtype: text("dtype"),
        work: text("work"),
        jit: number("jit"),
        "ort-cpu": number("ort"),
        ratio: number("ratio"),
      }),
  },
  "javascript-peers": {
    title: "Against TensorFlow.js and jax-js",
    note: "Microseconds per step, forward and backward. Solves of 100 steps. TensorFlow.js runs eagerly; jax-js has no loop, so a solve is unrolled, or each step is a call. revort's reversible gradient does twice the work.",
    body: ({ rows }) =>
      columns(
        [...rows].sort(
          (a, b) => String(a.case).localeCompare(String(b.case)) || Number(a.usPerStep) - Number(b.usPerStep),
        ),
        {
          case: text("case"),
          library: text("library"),
          gradient: text("gradient"),
          how: text("variant"),
          "µs/step": number("usPerStep"),
          "start, s": number("startSeconds"),
        },
      ),
  },
};
