import { decode } from "../../graph/decode.js";
import type { EstimateReport } from "../../train/estimate-report.js";
import { type Content, html } from "./html.js";
import { codeOf, figure, pageOf, paragraphs, quoted, type Section, tableOf } from "./page.js";
import { parametersSection } from "./parameters-section.js";
import { settingsSection, versionsSection } from "./settings-section.js";
import { usageHtml, usageOf } from "./usage.js";

/** What a report of a model of layers and solves, or of language, is made of. */
export interface ModelReport {
  readonly title: string;
  readonly about: string;
  readonly settings: object;
  /** what was measured, each with its name */
  readonly rows: readonly (readonly string[])[];
  /** named scalars with their intervals, where it has such */
  readonly estimates?: EstimateReport | null;
  /** what was decided on the way */
  readonly notes: readonly string[];
  readonly stopped: string;
  readonly runtime: string;
  readonly out: string;
  /** charts as SVG, by their names */
  readonly charts: ReadonlyMap<string, string>;
  /** models by the names of their files */
  readonly models: Readonly<Record<string, Uint8Array>>;
  /** what else a user types to go on */
  readonly commands: readonly string[];
}

/** Models that are shown with code; more are named in the folder. */
const mostModels = 3;

/** The report of a model: a page with all that is known of its run, which needs no other file. */
export function modelReport(run: ModelReport): string {
  const { title, about, settings, rows, notes, stopped, runtime, out, charts, models, commands } = run;
  const { estimates = null } = run;
  const interrupted =
    stopped === "aborted" ? ["The training was interrupted; these are its numbers so far."] : [];
  const considered: Section[] =
    notes.length + interrupted.length === 0
      ? []
      : [{ title: "To be considered", content: [...paragraphs(interrupted, "warn"), ...paragraphs(notes)] }];
  return pageOf({
    title,
    about,
    sections: [
      ...considered,
      { title: "Summary", content: tableOf(rows) },
      ...(estimates === null ? [] : parametersSection(estimates)),
      ...[...charts].map(
        ([name, svg]): Section => ({ title: titleOf(name), content: figure(svg, titleOf(name)) }),
      ),
      { title: "Use", content: [...modelsHtml(models), commandsHtml(commands, out)] },
      settingsSection(settings),
      versionsSection(runtime),
    ],
  });
}

function modelsHtml(models: ModelReport["models"]): Content[] {
  return Object.entries(models)
    .slice(0, mostModels)
    .map(([file, bytes]) => {
      const model = decode(bytes, { source: file });
      return html`<p><code>${file}</code> runs on any ONNX Runtime. Beside it, this code calls it with zeros and prints its first output.</p>
${usageHtml(usageOf(file, model))}`;
    });
}

function commandsHtml(commands: readonly string[], out: string): Content {
  const lines = [...commands, `revort train --resume ${quoted(out)} --steps N`];
  return html`<h3>On the command line</h3>\n${codeOf(lines.join("\n"), "sh")}`;
}

/** `phase-portrait` as people write it. */
function titleOf(name: string): string {
  const words = name.replace(/-/g, " ");
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
}
