import { numbers } from "../../core/tensor.js";
import { solutionToDraw } from "../../experiments/fit-chart.js";
import { phaseChart, residualChart } from "../../experiments/residual-chart.js";
import { decode } from "../../graph/decode.js";
import { solve } from "../../integrate/solve.js";
import { renderSvg } from "../../plot/chart.js";
import type { Chart } from "../../plot/description.js";
import type { Runtime } from "../../runtime/runtime.js";
import type { TrainResult } from "../../train/train.js";
import type { Problem } from "../problem.js";
import { runFiles } from "../run-files.js";
import type { RunSettings } from "../run-settings.js";
import { summaryRows } from "../run-summary.js";
import type { TrainReport } from "../train-report.js";
import { type Content, html } from "./html.js";
import { codeOf, figure, pageOf, paragraphs, quoted, type Section, tableOf } from "./page.js";
import { parametersSection } from "./parameters-section.js";
import { settingsSection, versionsSection } from "./settings-section.js";
import { usageHtml, usageOf } from "./usage.js";

/** What a report of a fit to trajectories is made of. */
export interface FitReport {
  readonly problem: Problem;
  readonly settings: RunSettings;
  readonly result: TrainResult;
  readonly report: TrainReport;
  readonly runtime: Runtime;
  /** the charts of the run as SVG, by their names */
  readonly charts: ReadonlyMap<string, string>;
  /** the trained field as a file; `null` where it could not be made */
  readonly model: Uint8Array | null;
}

/** The report of a fit: a page with all that is known of it, which needs no other file. */
export async function fitReport(run: FitReport): Promise<string> {
  const { problem, settings, report, charts } = run;
  const { experiment } = problem;
  const chart = (name: string, alt: string): Content =>
    charts.has(name)
      ? figure(charts.get(name)!, alt)
      : html`<p class="soft">There is no such chart; the run said why.</p>`;
  return pageOf({
    title: experiment.name,
    about: experiment.about,
    sections: [
      ...warningsOf(report),
      { title: "Fit", content: chart("fit", "Data and fit over time") },
      ...(await drawnSections(run)),
      ...parametersSection(report),
      { title: "Summary", content: tableOf(summaryRows(problem, report)) },
      ...checkSection(report),
      { title: "Losses", content: chart("losses", "Loss before each update") },
      ...usageSection(run),
      settingsSection(settings),
      versionsSection(report.runtime),
    ],
  });
}

function warningsOf({ warnings, check, notes, stopped }: TrainReport): Section[] {
  const texts = [...warnings.map(({ message }) => message), ...(check?.warning ? [check.warning] : [])];
  const interrupted =
    stopped === "aborted" ? ["The training was interrupted; these are its numbers so far."] : [];
  if (texts.length + notes.length + interrupted.length === 0) return [];
  return [
    {
      title: "To be considered",
      content: [
        ...paragraphs([...interrupted, ...texts], "warn"),
        ...paragraphs(notes.map(({ message }) => message)),
      ],
    },
  ];
}

/** Residuals and phase portrait, where they can be drawn. */
async function drawnSections({ problem, result, runtime }: FitReport): Promise<Section[]> {
  const { experiment, ode, data, control } = problem;
  const { parameters, y0 } = result;
  const of = { field: ode.field, data };
  const drawn: (readonly [string, string, () => Promise<Chart | null>])[] = [
    [
      "Residuals",
      "Data minus fit over time",
      async () => {
        const { t0, times } = data;
        const request = { runtime, parameters, y0, t0, saveAt: times };
        const { ys } = await solve(ode, control === null ? request : { ...request, control });
        return residualChart(experiment, { ...of, fit: { times, states: ys } });
      },
    ],
    [
      "Phase portrait",
      "Components against each other",
      async () =>
        phaseChart(experiment, {
          ...of,
          fit: await solutionToDraw({ ode, data, runtime, parameters, y0, control }),
        }),
    ],
  ];
  const sections: Section[] = [];
  for (const [title, alt, make] of drawn) {
    try {
      const chart = await make();
      if (chart !== null) sections.push({ title, content: figure(await renderSvg(chart), alt) });
    } catch (error) {
      // what cannot be drawn is said, and is no failure of the run
      sections.push({ title, content: paragraphs([(error as Error).message], "soft") });
    }
  }
  return sections;
}

function checkSection({ check }: TrainReport): Section[] {
  if (check === null) return [];
  const show = (value: number | null) => (value === null ? "–" : value.toPrecision(4));
  const { furthest } = check;
  return [
    {
      title: "Independent check",
      content: [
        ...paragraphs([
          `The trained field is solved again, by ${check.method} to ${check.rtol}: whether the fit is that of the field, or ` +
            "depends on the errors of the solver that trained it.",
        ]),
        tableOf([
          ["loss by the training solver", show(check.trainedLoss)],
          ["loss of the field itself", show(check.loss)],
          ["largest distance of the two solutions, in standard deviations", show(check.distance)],
          ...(furthest === null ? [] : [["furthest apart", `${furthest.component} at ${furthest.time}`]]),
          ...(check.failure === null ? [] : [["failure", check.failure]]),
          ["verdict", check.warning ?? "The two agree."],
        ]),
      ],
    },
  ];
}

/** How the exported field is used; nothing where it could not be made. */
function usageSection({ problem, result, report, model: bytes }: FitReport): Section[] {
  const { data, ode } = problem;
  if (bytes === null) return [];
  const first = numbers(result.y0).slice(0, result.y0.data.length / Math.max(1, data.y0.shape[0] ?? 1));
  const model = decode(bytes, { source: runFiles.field });
  const usage = usageOf(runFiles.field, model, { t: [data.t0], y: first });
  const [t0, t1] = [data.t0, data.times.at(-1)!];
  const solving = [
    `revort solve ${runFiles.field} --y0 ${first.join(",")} --t0 ${t0} --t1 ${t1} --save-at ${t0}:${t1}:${(t1 - t0) / 10}`,
    `revort export ${quoted(report.out)} --what solve --adaptive --out solve.onnx`,
    `revort train --resume ${quoted(report.out)} --steps ${2 * Math.max(1, report.steps)}`,
  ];
  return [
    {
      title: "Use",
      content: [
        html`<p><code>${runFiles.field}</code> is dy/dt = f(t, y) with the trained parameters inside, for any ONNX Runtime. Beside it, this code
prints the derivative at the start of the data; the states are ${(ode.field.components ?? []).join(", ") || "those of the data"}, in this order.</p>\n`,
        usageHtml(usage),
        html`<h3>On the command line: solve it, export the whole solve, go on training</h3>\n`,
        codeOf(solving.join("\n"), "sh"),
      ],
    },
  ];
}
