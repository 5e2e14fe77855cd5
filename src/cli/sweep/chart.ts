import type { Axis, Chart, Layer, Panel } from "../../plot/chart.js";
import type { SweepGroup, SweepReport } from "./report.js";

/** Choices of values that are drawn apart; there are no more colours. */
const mostGroups = 6;

/** Losses of the runs of a sweep, by their names. */
export type LossesOf = ReadonlyMap<string, readonly number[]>;

/** The losses of the updates, mean and range over seeds; and what runs are compared by, over what differs. */
export function sweepChart(report: SweepReport, losses: LossesOf): Chart {
  const { groups, measure, subject } = report;
  const drawn = groups
    .filter(({ measures }) => measure !== null && measures[measure] !== undefined)
    .toSorted((a, b) => a.measures[measure!]!.mean - b.measures[measure!]!.mean)
    .slice(0, mostGroups);
  const curves = drawn.flatMap((group) => lossLayers(report, group, losses));
  const positive = [...losses.values()].every((list) => list.every((loss) => loss > 0));
  const left = groups.length - drawn.length;
  const isOne = groups.length === 1;
  return {
    title: `${subject}: ${report.runs.filter(({ status }) => status === "done").length} runs`,
    subtitle:
      (isOne
        ? "line: mean over seeds, band: their range"
        : "each choice: mean over seeds, band: their range") +
      (left > 0 ? `; ${drawn.length} of ${groups.length} choices` : ""),
    columns: 2,
    panels: [
      {
        title: "loss before each update",
        x: { title: "update" },
        y: { title: "loss", ...(positive ? { scale: "log" } : {}) },
        layers: curves,
      },
      measurePanel(report, drawn),
    ],
  };
}

/** What a choice is called in a legend. */
function nameOf({ values }: Pick<SweepGroup, "values">): string {
  const words = Object.entries(values).map(([option, value]) => `${option} ${value}`);
  return words.length === 0 ? "runs" : words.join(", ");
}

function lossLayers({ runs }: SweepReport, group: SweepGroup, losses: LossesOf): Layer[] {
  const own = runs
    .filter(({ values, status }) => status === "done" && nameOf({ values }) === nameOf(group))
    .map(({ name }) => losses.get(name) ?? [])
    .filter((list) => list.length > 0);
  // a run that stopped early says nothing of later updates
  const length = Math.min(...own.map((list) => list.length));
  if (own.length === 0) return [];
  const x = Array.from({ length }, (_, update) => update);
  const at = (update: number) => own.map((list) => list[update]!);
  const name = nameOf(group);
  return [
    { kind: "band", name, x, low: x.map((i) => Math.min(...at(i))), high: x.map((i) => Math.max(...at(i))) },
    { kind: "line", name, x, y: x.map((i) => at(i).reduce((sum, loss) => sum + loss / own.length, 0)) },
  ];
}

/** The number of each run, over the value that differs where that is one number, else over the place in the table. */
function measurePanel({ runs, grid, measure, groups }: SweepReport, drawn: readonly SweepGroup[]): Panel {
  const [axis] = grid;
  const numeric =
    grid.length === 1 && axis!.values.every((value) => value.trim() !== "" && Number.isFinite(Number(value)));
  const done = runs.filter(({ status, measures }) => status === "done" && measures[measure!] !== undefined);
  const placeOf = (group: Pick<SweepGroup, "values">) =>
    grid.length === 0
      ? 0
      : numeric
        ? Number(group.values[axis!.option])
        : groups.findIndex((one) => nameOf(one) === nameOf(group)) + 1;
  const x: Axis =
    grid.length === 0
      ? { title: "seed" }
      : {
          title: numeric ? axis!.option : "row of the table",
          ...(numeric && isWide(axis!.values) ? { scale: "log" } : {}),
        };
  const positive = done.every(({ measures }) => measures[measure!]! > 0);
  const layers = drawn.flatMap((group): Layer[] => {
    const own = done.filter(({ values }) => nameOf({ values }) === nameOf(group));
    const y = own.map(({ measures }) => measures[measure!]!);
    const places = own.map((run) => (grid.length === 0 ? run.seed : placeOf(group)));
    return [{ kind: "points", name: nameOf(group), x: places, y }];
  });
  return {
    title: `${measure} of each run`,
    x,
    y: { title: measure ?? "", ...(positive ? { scale: "log" } : {}) },
    layers,
  };
}

/** Whether numbers are so far apart that their logarithms show more. */
function isWide(values: readonly string[]): boolean {
  const sizes = values.map(Number);
  return Math.min(...sizes) > 0 && Math.max(...sizes) / Math.min(...sizes) > 5;
}
