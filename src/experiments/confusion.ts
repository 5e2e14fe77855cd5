import { numbers, type Tensor } from "../core/tensor.js";
import type { Chart, Panel } from "../plot/chart.js";

// Which classes a classifier takes for which.

/** Counts of samples: rows are true classes, columns those that the classifier says. */
export type Confusion = readonly (readonly number[])[];

/**
 * @param labels  [samples], of int64
 * @param logits  [samples, classes], the greatest of which is what the classifier says. A sample one of whose logits is NaN has
 *                no class, and is in none of the columns
 */
export function confusionOf(labels: Tensor, logits: Tensor): Confusion {
  const all = numbers(logits);
  const classes = logits.shape[1]!;
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const [i, label] of numbers(labels).entries()) {
    const row = all.slice(i * classes, (i + 1) * classes);
    const found = row.indexOf(Math.max(...row));
    if (found >= 0) {
      counts[label]![found]! += 1;
    }
  }
  return counts;
}

/**
 * Confusion matrices side by side, by the names of what was classified by: shades are shares of a class, numbers are samples.
 *
 * @param classes  names of the classes
 * @param samples  how many samples were classified: those that are in no matrix have no class, and count as wrong
 */
export function confusionChart(
  classes: readonly string[],
  matrices: Readonly<Record<string, Confusion>>,
  samples: number,
): Chart {
  const order = inOrder(classes);
  const edges = Array.from({ length: classes.length + 1 }, (_, k) => k - 0.5);
  const size = Math.max(180, Math.min(22 * classes.length, 400));
  const axis = (title: string, places: readonly number[]) => ({
    title,
    labels: order
      .map((k, i) => ({ value: places[i]!, label: classes[k]! }))
      .sort((a, b) => a.value - b.value),
  });
  const across = classes.map((_, k) => k);
  // the first class is at the top
  const down = across.toReversed();
  const panels = Object.entries(matrices).map(([name, matrix]): Panel => {
    const upwards = order.toReversed().map((k) => order.map((other) => matrix[k]![other]!));
    return {
      ...(Object.keys(matrices).length === 1 ? {} : { title: `${name}: ${rightOf(matrix, samples)}` }),
      ...{ x: axis("class found", across), y: axis("true class", down), width: size, height: size },
      layers: [
        {
          ...{ kind: "cells", name: "share of a class", x: edges, y: edges, range: [0, 1] },
          // a class without samples is left blank
          values: upwards.flatMap((row) => row.map((count) => count / row.reduce((sum, n) => sum + n, 0))),
          labels: upwards.flatMap((row) => row.map((count) => (count === 0 ? "" : String(count)))),
        },
      ],
    };
  });
  const [only] = Object.values(matrices);
  return {
    title: "Confusion matrix of test data",
    ...(panels.length === 1 ? { subtitle: rightOf(only!, samples) } : {}),
    panels,
  };
}

/** Classes by their numbers, where all are numbers. */
function inOrder(classes: readonly string[]): number[] {
  const places = classes.map((_, k) => k);
  const areNumbers = classes.every((name) => name.trim() !== "" && Number.isFinite(Number(name)));
  return areNumbers ? places.sort((a, b) => Number(classes[a]) - Number(classes[b])) : places;
}

/** "93.0 % of 500 right" */
function rightOf(matrix: Confusion, samples: number): string {
  const classified = matrix.flat().reduce((sum, count) => sum + count, 0);
  const right = matrix.reduce((sum, row, k) => sum + row[k]!, 0);
  const none = samples - classified;
  return `${((100 * right) / samples).toFixed(1)} % of ${samples} right${none === 0 ? "" : `, ${none} without a class: their logits are NaN`}`;
}
