import type { TrainedTask } from "./task-experiment.js";

/** What is made of a trained model, once for each: findings and charts are then of the same predictions. */
export function oncePerModel<T>(
  make: (trained: TrainedTask) => Promise<T>,
): (trained: TrainedTask) => Promise<T> {
  const made = new WeakMap<TrainedTask, Promise<T>>();
  return (trained) => {
    const known = made.get(trained) ?? make(trained);
    made.set(trained, known);
    return known;
  };
}
