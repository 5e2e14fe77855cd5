import type {
  DataFile,
  PreparedTask,
  TaskExperiment,
  TaskProtocol,
} from "../../src/experiments/task-experiment.js";

/** An experiment's task and data, as its quick protocol has them unless something else is asked for. */
export async function prepared(
  { protocol, prepare }: TaskExperiment,
  own: Partial<TaskProtocol> = {},
  files: readonly DataFile[] = [],
): Promise<PreparedTask> {
  return prepare({ protocol: { ...protocol, ...own }, seed: 0, files });
}
