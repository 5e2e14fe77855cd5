import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Layer } from "../plot/chart.js";
import { type Figure, marked } from "./figure.js";

const stepSize = 0.05;
const durations = [1, 2, 3, 4, 5];
/** Many, so that states show beside what a process takes anyway. */
const samples = 100_000;
const gradients = ["reversible", "direct"] as const;
const names = { reversible: "reversible", direct: "backprop through stored steps" } as const;
/** y and z */
const statesPerPair = 2;

/** Largest resident memory of a process that computes one gradient, and the states it stores, over T. */
export const memory: Figure = {
  name: "memory",
  about:
    "memory of a gradient over T, measured and counted: reversible, and backprop through stored steps (McCallum & Foster 2024)",
  async make({ progress }) {
    const baseline = (await measure("none", 1)).bytes / 2 ** 20;
    const series = [];
    for (const gradient of gradients) {
      const points = [];
      for (const T of durations) {
        points.push(await measure(gradient, T));
        progress(series.length * durations.length + points.length, gradients.length * durations.length);
      }
      const megabytes = points.map(({ bytes }) => bytes / 2 ** 20);
      series.push({
        gradient,
        megabytes,
        storedStates: points.map(({ storedStates }) => storedStates),
        growth: megabytes.at(-1)! / megabytes[0]!,
        /** what is known beforehand: an idle process, and 8 bytes for each number of the states stored */
        states: points.map(
          ({ storedStates }) => baseline + (storedStates * statesPerPair * samples * 8) / 2 ** 20,
        ),
      });
    }
    return {
      chart: {
        title: "Memory of a gradient over the time solved for",
        subtitle: `${samples} samples, midpoint, h = ${stepSize}, λ = 0.99, float64, ort-cpu; whole process`,
        panels: [
          {
            x: { title: "T" },
            y: {
              title: "largest resident memory",
              unit: "MiB",
              domain: [0, 1.06 * Math.max(...series.flatMap(({ megabytes }) => megabytes))],
            },
            layers: [
              ...series.flatMap(({ gradient, megabytes }) =>
                marked({ kind: "line", name: names[gradient], x: durations, y: megabytes }),
              ),
              ...series.map(
                ({ states }): Layer => ({
                  kind: "line",
                  name: "an idle process and the states stored, counted",
                  ...{ color: "grey", dashed: true, x: durations, y: states },
                }),
              ),
            ],
          },
        ],
      },
      data: { durations, samples, stepSize, baseline, series, published: { reversible: 1.03, direct: 2.42 } },
    };
  },
};

async function measure(gradient: string, T: number): Promise<{ bytes: number; storedStates: number }> {
  // the same kind of file as this one: a source in a clone, compiled in the package
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const program = fileURLToPath(new URL(`./memory-of-one.${extension}`, import.meta.url));
  const words = [gradient, T, stepSize, samples].map(String);
  const loader = extension === "ts" ? ["--import", import.meta.resolve("tsx")] : [];
  const { stdout } = await promisify(execFile)(process.execPath, [...loader, program, ...words]);
  return JSON.parse(stdout) as { bytes: number; storedStates: number };
}
