import { openRuntime, type RuntimeName } from "../../src/cli/runtimes.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { type Check, checks } from "../../test/runtime/checks.js";
import { skips } from "../../test/webgpu/report.js";
import { compileGradient } from "../gradient-task.js";
import { measure } from "../measure.js";
import type { Row } from "../result.js";
import { gradientTasks, stepsIn } from "./tasks.js";

// A part of what is done on a GPU, in a process of its own: `part.ts conformance|TASK RUNTIME [dry]`. Rows go out as they come.

const [what, name, dry] = process.argv.slice(2) as [string, RuntimeName, string?];
const isDry = dry === "dry";

const put = (row: Row) => process.stdout.write(`${JSON.stringify({ part: what, runtime: name, ...row })}\n`);

/** What every runtime must do, check by check. */
async function conformance(): Promise<void> {
  const runtime = await openRuntime(name);
  const all: Readonly<Record<string, Check>> = checks;
  const left = name === "ort-webgpu" ? Object.keys(skips) : [];
  const titles = Object.keys(all).filter((title) => !left.includes(title));
  const failed: string[] = [];
  let passed = 0;
  for (const title of isDry ? titles.slice(0, 5) : titles) {
    await all[title]!(runtime, async () => jit()).then(
      () => passed++,
      (cause: Error) => failed.push(`${title}: ${cause.message.split("\n")[0]}`),
    );
  }
  put({ passed, failed: failed.length, failures: failed.join("; ") || null, version: runtime.version });
}

/** A gradient: cold, then then warm; held against that of jit, on the same numbers. */
async function gradient(): Promise<void> {
  const task = gradientTasks[what]!(isDry);
  const steps = stepsIn(task);
  const runtime = await openRuntime(name);
  const own = await compileGradient(task, runtime, "reversible");
  const reference = await compileGradient(task, jit(), "reversible");
  const once = async () => {
    const { loss } = (await own.run()) as Awaited<ReturnType<typeof own.compiled.run>>;
    // a GPU may only have been told what to do: it is done when a number is here
    await runtime.download(loss);
  };
  const [found] = await measure([{ name, run: once }], {
    rounds: isDry ? 1 : 7,
    warmUp: 0.2,
    limit: isDry ? 1 : 12,
  });
  put({
    ...{ steps, firstSeconds: own.start, secondsPerGradient: found!.median, least: found!.least },
    ...{ loss: own.loss, lossError: Math.abs(own.loss / reference.loss - 1) },
    ...{ normError: Math.abs(own.gradientNorm / reference.gradientNorm - 1), version: runtime.version },
  });
}

await (what === "conformance" ? conformance() : gradient());
process.exit();
