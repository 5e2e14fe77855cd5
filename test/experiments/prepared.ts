import type {
  DataFile,
  PreparedTask,
  TaskExperiment,
  TaskProtocol,
} from "../../src/experiments/task-experiment.js";
import { methodNamed } from "../../src/methods/named.js";

/** An experiment's task and data, as its quick protocol has them unless something else is asked for. */
export async function prepared(
  { protocol, prepare }: TaskExperiment,
  own: Partial<TaskProtocol> = {},
  files: readonly DataFile[] = [],
): Promise<PreparedTask> {
  const all = { ...protocol, ...own };
  const method = methodNamed(all.solver, all.coupling === null ? {} : { coupling: all.coupling });
  return prepare({ method, protocol: all, seed: 0, files });
}
