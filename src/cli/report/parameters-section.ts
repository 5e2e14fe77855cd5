import type { EstimateReport } from "../../train/estimate-report.js";
import { intervalLines } from "../interval-text.js";
import { paragraphs, type Section, tableOf } from "./page.js";

/** Named parameters with their intervals; nothing where there are none. */
export function parametersSection(report: EstimateReport): Section[] {
  const entries = Object.entries(report.parameters);
  if (entries.length === 0) return [];
  const digits = (value: number) => String(Number(value.toPrecision(6)));
  const rows = entries.map(([name, { value, interval, standardError, unit }]) => [
    name,
    digits(value),
    interval === null ? "–" : `${digits(interval[0])} to ${digits(interval[1])}`,
    standardError === null ? "–" : standardError.toPrecision(2),
    unit ?? "",
  ]);
  const { level } = report.intervals;
  return [
    {
      title: "Parameters",
      content: [
        tableOf(rows, ["parameter", "value", `${100 * level} % interval`, "standard error", "unit"]),
        ...paragraphs(intervalLines(report), "soft"),
      ],
    },
  ];
}
