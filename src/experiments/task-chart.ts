import type { Chart } from "../plot/description.js";
import type { Validation } from "../train/checkpoint.js";

/** The losses of the updates, and of the validation data. */
export function taskLossChart({
  experiment,
  losses,
  validations,
}: {
  readonly experiment: string;
  readonly losses: readonly number[];
  readonly validations: readonly Validation[];
}): Chart {
  const positive = [...losses, ...validations.map(({ loss }) => loss)].every((loss) => loss > 0);
  return {
    title: `${experiment}: loss before each update`,
    panels: [
      {
        x: { title: "update" },
        y: { title: "loss", ...(positive ? { scale: "log" } : {}) },
        layers: [
          { kind: "line", name: "training", color: "blue", x: losses.map((_, update) => update), y: losses },
          ...(validations.length === 0
            ? []
            : [
                {
                  kind: "line",
                  name: "validation",
                  color: "vermillion",
                  x: validations.map(({ step }) => step),
                  y: validations.map(({ loss }) => loss),
                } as const,
              ]),
        ],
      },
    ],
  };
}
