import { type Command, Option } from "commander";
import { logLevels } from "../serve/options.js";
import type { Console } from "./console.js";
import { byteCount, oneOf, port, positive, positiveCount } from "./usage.js";

type NewCommand = (name: string, about: string, ...examples: string[]) => Command;
type Finish = (work: Promise<number>) => Promise<void>;

export function serve(command: NewCommand, console: Console, finish: Finish): void {
  command(
    "serve",
    "Serves the runs and .onnx files of a folder over HTTP, by the Open Inference Protocol v2.",
    "serve runs",
    "serve models --port 8000 --host 0.0.0.0 --token-file token.txt",
  )
    .argument("<folder>", "a folder of runs and .onnx files; each model is named after its folder or file")
    .option("--port <n>", "port; 8000 by default; 0 takes any free one", port("--port"))
    .option(
      "--host <address>",
      "address to listen on; 127.0.0.1 by default, which only this machine can reach",
    )
    .option(
      "--token <token>",
      "require this bearer token (Authorization: Bearer TOKEN); REVORT_TOKEN and --token-file hide it from other users of the machine",
    )
    .option("--token-file <file>", "read the token from a file")
    .option(
      "--workers <n>",
      "processes that run models; one for each core by default",
      positiveCount("--workers"),
    )
    .option(
      "--queue <n>",
      "how many requests may wait; further ones get 503; 64 by default",
      positiveCount("--queue"),
    )
    .option(
      "--timeout <seconds>",
      "time limit for receiving a request, for waiting and for running, each; 30 by default",
      positive("--timeout"),
    )
    .option("--max-body <bytes>", "largest request; 64MiB by default", byteCount("--max-body"))
    .option(
      "--max-batch <n>",
      "largest number of samples that requests share in one run; 64 by default",
      positiveCount("--max-batch"),
    )
    .addOption(
      new Option(
        "--log-level <level>",
        `log level on stderr, as JSON lines: ${logLevels.join(", ")}; info by default`,
      ).argParser(oneOf("--log-level", logLevels)),
    )
    .option("--json", "print JSON alone on stdout: where it listens, and its models")
    .option("--debug", "show stack traces")
    .action((folder, { debug: _, ...options }) =>
      finish(import("./serve.js").then(({ serveCommand }) => serveCommand(folder, options, console))),
    );
}
