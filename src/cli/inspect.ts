import { loadModel } from "../deploy/load-model.js";
import type { Console } from "./console.js";
import { exitCodes } from "./failure.js";

export async function inspectCommand(path: string, _options: { json?: boolean }, console: Console): Promise<number> {
  await loadModel(path);
  console.stdout.write("\n");
  return exitCodes.done;
}
