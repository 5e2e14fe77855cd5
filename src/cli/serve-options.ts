import { type Command, Option } from "commander";
import { logLevels } from "../serve/options.js";
import type { Console } from "./console.js";
import { byteCount, oneOf, port, positive, positiveCount } from "./usage.js";

type NewCommand = (name: string, about: string, ...examples: string[]) => Command;
type Finish = (work: Promise<number>) => Promise<void>;

export function serve(command: NewCommand, console: Console, finish: Finish): void {
  command(
    "serve",
    "Serves the models of a folder over HTTP, by the Open Inference Protocol v2: runs and .onnx files.",
    "serve runs",
    "serve models --port 8000 --host 0.0.0.0 --token-file token.txt",
  )
    .argument(
      "<folder>",
      "holds runs of revort train and .onnx files; each model is named after its folder or file",
    )
    .option("--port <n>", "8000 by default; 0 takes any that is free", port("--port"))
    .option("--host <address>", "where to listen; 127.0.0.1 by default, which only this machine reaches")
    .option(
      "--token <token>",
      "what requests have to show (Authorization: Bearer TOKEN); REVORT_TOKEN and --token-file keep it out of sight of other users",
    )
    .option("--token-file <file>", "a file with the token")
    .option(
      "--workers <n>",
      "processes that run models, each a run at a time; one for each core by default",
      positiveCount("--workers"),
    )
    .option("--queue <n>", "requests that may wait; more get 503. 64 by default", positiveCount("--queue"))
    .option(
      "--timeout <seconds>",
      "how long a request may take to come, to wait, and to run, each; 30 by default",
      positive("--timeout"),
    )
    .option("--max-body <bytes>", "largest request, as 64MiB, which is the default", byteCount("--max-body"))
    .option(
      "--max-batch <n>",
      "most samples of several requests that go through one run; 64 by default",
      positiveCount("--max-batch"),
    )
    .addOption(
      new Option(
        "--log-level <level>",
        `what is logged on stderr, as JSON: ${logLevels.join(", ")}; info by default`,
      ).argParser(oneOf("--log-level", logLevels)),
    )
    .option("--json", "print JSON alone on stdout: where it listens, and its models")
    .option("--debug", "show stack traces")
    .action((folder, { debug: _, ...options }) =>
      finish(import("./serve.js").then(({ serveCommand }) => serveCommand(folder, options, console))),
    );
}
