import type { Command } from "commander";
import type { PageHosts } from "./bench/hosts.js";
import type { Console } from "./console.js";
import { dtypeOption } from "./shared-options.js";
import { positiveCount } from "./usage.js";

type NewCommand = (name: string, about: string, ...examples: string[]) => Command;
type Finish = (work: Promise<number>) => Promise<void>;

/** @param pages  runtimes in pages, where there are any */
export function bench(
  command: NewCommand,
  console: Console,
  finish: Finish,
  pages: () => Promise<PageHosts | null>,
): void {
  command(
    "bench",
    "Compares runtimes. On a field: time to open them, of the first gradient, of an evaluation, of a step of the reversible midpoint " +
      "rule and of its gradient; errors against float64; memory. On a file of a whole solve or a prediction, its run; on an experiment with " +
      "a model of its own (two-moons, mnist-ode, …), an update.",
    "bench field.onnx",
    "bench two-moons --batch 64",
    "bench influenza --runtimes jit,ort-cpu --batch 1,64 --json",
  )
    .argument(
      "<model>",
      "an .onnx file of a field, a whole solve or a prediction, or an experiment that needs no data",
    )
    .option(
      "--runtimes <a,b,c>",
      "all by default: those in Node, and from a clone (npx tsx scripts/bench.ts) those of a page in Chromium, page/jit and others",
    )
    .option("--batch <n,n,n>", "states at once; 1,16,256 by default")
    .option("--steps <n>", "steps of a solve and a gradient; 20 by default", positiveCount("--steps"))
    .addOption(
      dtypeOption(
        "float32 by default, which all have; for an experiment with a model of its own, the one that it is made for",
      ),
    )
    .option(
      "--rounds <n>",
      "rounds, in each of which every runtime has its turn; 11 by default",
      positiveCount("--rounds"),
    )
    .option("--out <folder>", "where the plot and the numbers go; runs/bench by default")
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((model, { debug: _, ...options }) =>
      finish(
        Promise.all([import("./bench/bench.js"), pages()]).then(([{ benchCommand }, found]) =>
          benchCommand(model, options, console, found),
        ),
      ),
    );
}
