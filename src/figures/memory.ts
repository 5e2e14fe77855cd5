import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Layer } from "../plot/chart.js";
import { type Figure, marked } from "./figure.js";
import { reversibleSchemes, type Scheme } from "./schemes.js";

const stepSize = 0.05;
const durations = [1, 2, 3, 4, 5];
/** Many, so that states show beside what a process takes anyway. */
const samples = 100_000;

interface Contestant extends Scheme {
  readonly gradient: "reversible" | "direct";
}

/** The schemes whose steps are undone, and the first of them by stored steps. */
function contestantsOf(coupling: number): readonly Contestant[] {
  const schemes = reversibleSchemes({ coupling, rates: "-1" });
  const name = "backprop through stored steps";
  return [
    ...schemes.map((scheme): Contestant => ({ ...scheme, gradient: "reversible" })),
    { ...schemes[0], name, gradient: "direct" },
  ];
}

/** Largest resident memory of a process that computes one gradient, and the states it stores, over T. */
export const memory: Figure = {
  name: "memory",
  about:
    "memory of a gradient over T, measured and counted: reversible schemes, and backprop through stored steps (McCallum & Foster 2024)",
  async make({ progress, ...given }) {
    const coupling = given.coupling ?? 0.99;
    const contestants = contestantsOf(coupling);
    const baseline = (await memoryOfOne("none", contestants[0]!, sizes(1))).bytes / 2 ** 20;
    const series = [];
    for (const contestant of contestants) {
      const { name, solver, gradient } = contestant;
      const points = [];
      for (const T of durations) {
        points.push(await memoryOfOne(gradient, contestant, sizes(T)));
        progress(series.length * durations.length + points.length, contestants.length * durations.length);
      }
      const megabytes = points.map(({ bytes }) => bytes / 2 ** 20);
      series.push({
        ...{ name, solver, gradient },
        megabytes,
        storedStates: points.map(({ storedStates }) => storedStates),
        growth: megabytes.at(-1)! / megabytes[0]!,
        /** what is known beforehand: an idle process, and 8 bytes for each number of the states stored */
        states: points.map(
          ({ storedStates, width }) => baseline + (storedStates * width * samples * 8) / 2 ** 20,
        ),
      });
    }
    return {
      chart: {
        title: "Memory of a gradient over the time solved for",
        subtitle: `${samples} samples, h = ${stepSize}, λ = ${coupling}, float64, ort-cpu; whole process`,
        panels: [
          {
            x: { title: "T" },
            y: {
              title: "largest resident memory",
              unit: "MiB",
              domain: [0, 1.06 * Math.max(...series.flatMap(({ megabytes }) => megabytes))],
            },
            layers: [
              ...series.flatMap(({ name, megabytes }) =>
                marked({ kind: "line", name, x: durations, y: megabytes }),
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

const sizes = (T: number) => ({ T, stepSize, samples });

/** What one gradient of a scheme takes, in a process of its own; `"none"` for what such a process takes anyway. */
export async function memoryOfOne(
  gradient: "reversible" | "direct" | "none",
  { solver, coupling }: Pick<Scheme, "solver" | "coupling">,
  sized: ReturnType<typeof sizes>,
): Promise<{ bytes: number; storedStates: number; width: number }> {
  // the same kind of file as this one: a source in a clone, compiled in the package
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const program = fileURLToPath(new URL(`./memory-of-one.${extension}`, import.meta.url));
  const words = [gradient, solver, coupling ?? "none", sized.T, sized.stepSize, sized.samples].map(String);
  const loader =
    extension === "ts" ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  const { stdout } = await promisify(execFile)(process.execPath, [...loader, program, ...words]);
  return JSON.parse(stdout) as { bytes: number; storedStates: number; width: number };
}
