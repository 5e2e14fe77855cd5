import { midpoint } from "../../src/methods/tableaux.js";
import { batchedTask, type GradientTask, whiteDwarfTask } from "../gradient-task.js";

/** Gradients that are timed on a GPU: in float32, which all GPUs have, by the coupled midpoint rule. */
export const gradientTasks: Readonly<Record<string, (dry: boolean) => GradientTask>> = {
  "white-dwarf": (dry) => whiteDwarfTask(true, midpoint, dry ? 6 : 1000, "float32"),
  "512x64": (dry) =>
    batchedTask({ batch: dry ? 4 : 512, width: dry ? 4 : 64, steps: dry ? 6 : 100, dtype: "float32" }, true),
  "4096x256": (dry) =>
    batchedTask(
      { batch: dry ? 8 : 4096, width: dry ? 8 : 256, steps: dry ? 6 : 100, dtype: "float32" },
      true,
    ),
};

/** Steps of a task. */
export const stepsIn = ({ fit }: GradientTask): number => fit.grid.times.length - 1;
