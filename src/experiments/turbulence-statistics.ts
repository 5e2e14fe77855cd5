import type { Chart, Layer } from "../plot/chart.js";
import { shells, sizeOfShell, timeUnit } from "./sabra.js";

const { resolved } = shells;

/** Paths, each by its states at equal distances in time: real parts of all shells, then imaginary ones, in units of their sizes. */
export type Paths = readonly (readonly (readonly number[])[])[];

/** What is to be known of paths of a model. A number that is not finite is that of a path that was not. */
export interface Statistics {
  /** mean |uₙ|² of each shell */
  readonly spectrum: readonly number[];
  /** ⟨|uₙ|⁴⟩ / ⟨|uₙ|²⟩², 2 for complex normal numbers, and more where a shell is quiet as a rule and then is not */
  readonly flatness: readonly number[];
  /** root mean square distance to the whole flow from the same state, over that of the whole flow from 0, at each time */
  readonly error: readonly number[];
  /** the mean over shells of |log₂ (spectrum / that of the whole flow)| */
  readonly spectrumOff: number;
  /** the same of the flatness */
  readonly flatnessOff: number;
  /** paths that stay finite */
  readonly finite: number;
}

/** Of each model, by its name; the first is the whole flow. Paths that do not stay finite are left out of what is averaged. */
export function statisticsOf(models: Readonly<Record<string, Paths>>, interval: number) {
  const [[, truth]] = Object.entries(models) as [[string, Paths]];
  const reference = momentsOf(truth);
  const all = Object.entries(models).map(([name, paths]) => {
    const stays = paths.map((path) => path.every((state) => state.every((x) => Math.abs(x) < 1e6)));
    const kept = paths.filter((_, i) => stays[i]);
    const { spectrum, flatness } = momentsOf(kept);
    const off = (values: readonly number[], those: readonly number[]) =>
      values.reduce((sum, value, n) => sum + Math.abs(Math.log2(value / those[n]!)), 0) / resolved;
    const found: Statistics = {
      ...{ spectrum, flatness, error: errorsOf(paths, truth) },
      spectrumOff: off(spectrum, reference.spectrum),
      flatnessOff: off(flatness, reference.flatness),
      finite: kept.length,
    };
    return [name, found] as const;
  });
  return { interval: interval * timeUnit, models: Object.fromEntries(all) };
}

/** Of the shells over all paths and times. */
function momentsOf(paths: Paths) {
  const states = paths.flat();
  const mean = (f: (energy: number) => number, n: number) =>
    states.reduce((sum, u) => sum + f(u[n]! ** 2 + u[resolved + n]! ** 2), 0) / states.length;
  const each = Array.from({ length: resolved }, (_, n) => n);
  return {
    spectrum: each.map((n) => mean((energy) => energy, n) * sizeOfShell(n) ** 2),
    flatness: each.map((n) => mean((energy) => energy ** 2, n) / mean((energy) => energy, n) ** 2),
  };
}

function errorsOf(paths: Paths, truth: Paths): number[] {
  return truth[0]!.map((_, k) => {
    let [off, size] = [0, 0];
    truth.forEach((path, p) => {
      path[k]!.forEach((value, i) => {
        off += (paths[p]![k]![i]! - value) ** 2;
        size += value ** 2;
      });
    });
    return Math.sqrt(off / size);
  });
}

const colors = ["black", "grey", "vermillion", "blue"] as const;

/** Spectra, flatness, the error from the same state, and one path of the last shell that is resolved. */
export function turbulenceChart(
  models: Readonly<Record<string, Paths>>,
  { models: found }: ReturnType<typeof statisticsOf>,
  interval: number,
): Chart {
  const names = Object.keys(models);
  const k = Array.from({ length: resolved }, (_, n) => 2 ** n);
  const line = (name: string, x: readonly number[], y: readonly number[]): Layer => ({
    ...{ kind: "line", name, color: colors[names.indexOf(name)]!, x, y },
  });
  const finite = (values: readonly number[]) => values.map((x) => (Math.abs(x) < 1e6 ? x : Number.NaN));
  const time = (count: number) => Array.from({ length: count }, (_, i) => (i + 1) * interval * timeUnit);
  const [early, long] = [20, 150];
  return {
    title: "Six shells of a turbulent flow: the whole flow, and models of the resolved part",
    columns: 2,
    panels: [
      {
        ...{
          title: "spectrum",
          x: { title: "wave number k", scale: "log" },
          y: { title: "⟨|u|²⟩", scale: "log" },
        },
        layers: names.map((name) => line(name, k, finite(found[name]!.spectrum))),
      },
      {
        ...{
          title: "flatness",
          x: { title: "wave number k", scale: "log" },
          y: { title: "⟨|u|⁴⟩ / ⟨|u|²⟩²" },
        },
        layers: names.map((name) => line(name, k, finite(found[name]!.flatness))),
      },
      {
        ...{ title: "distance to the whole flow", x: { title: "t" }, y: { title: "relative error" } },
        layers: names
          .slice(1)
          .map((name) => line(name, time(early), finite(found[name]!.error.slice(0, early)))),
      },
      {
        ...{ title: "Re u of the last shell", x: { title: "t" }, y: { title: "in units of its size" } },
        layers: names.map((name) => {
          const path = models[name]![0]!.slice(0, long).map((state) => state[resolved - 1]!);
          return line(name, time(long), finite(path));
        }),
      },
    ],
  };
}
