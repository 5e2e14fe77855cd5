import type { Command } from "commander";
import type { Console } from "./console.js";

type NewCommand = (name: string, about: string, ...examples: string[]) => Command;
type Finish = (work: Promise<number>) => Promise<void>;

export function bundle(command: NewCommand, console: Console, finish: Finish): void {
  command(
    "bundle",
    "Makes one archive of revort, Node and ONNX Runtime, and of the runs, models and data that you name, for machines of the same " +
      "kind without a network.",
    "bundle",
    "bundle runs/influenza field.onnx my.csv --out revort.tar.gz",
  )
    .argument("[what...]", "folders and files to include, under the paths given")
    .option("--out <file>", "archive to write; revort-VERSION-PLATFORM.tar.gz by default")
    .option("--json", "print JSON alone on stdout")
    .option("--debug", "show stack traces")
    .action((what, { debug: _, ...options }) =>
      finish(import("./bundle/bundle.js").then(({ bundleCommand }) => bundleCommand(what, options, console))),
    );
}
