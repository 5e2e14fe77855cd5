import { printable } from "../../core/printable.js";
import type { FloatDType } from "../../core/tensor.js";
import type { LanguageKind } from "../../language/configuration.js";
import { type LanguageModel, parameterCount } from "../../language/language-model.js";
import type { TokenizedText } from "../../language/text.js";
import type { FitResult, Validation } from "../../models/fit.js";
import type { Chart } from "../../plot/chart.js";
import { table } from "../console.js";
import type { RuntimeName } from "../runtimes.js";
import type { LanguageSettings } from "./settings.js";

/** Perplexities of the validation text: e to the mean negative log-likelihood of a token, and of a word. */
export interface Perplexity {
  readonly token: number;
  /** words are what stands between white space, and line ends */
  readonly word: number;
}

/** What `train revdeq-lm --json` prints, and its run's `result.json` holds. */
export interface LanguageReport {
  readonly experiment: "revdeq-lm";
  readonly model: LanguageKind;
  readonly config: string;
  readonly runtime: RuntimeName;
  readonly dtype: FloatDType;
  readonly seed: number;
  readonly parameters: number;
  readonly steps: number;
  readonly loss: { readonly first: number | null; readonly last: number | null; readonly min: number | null };
  readonly losses: readonly number[];
  readonly validations: readonly Validation[];
  readonly seconds: number;
  readonly secondsPerStep: number;
  /** tokens that were learnt from in a second, without validation */
  readonly tokensPerSecond: number;
  /** with the parameters that were best on the validation text */
  readonly perplexity: Perplexity | null;
  /** ‖z − f(z)‖ / ‖f(z)‖, the mean over the windows of validation; `null` for a transformer */
  readonly residual: number | null;
  /** steps of the iteration, on average; `null` for a transformer */
  readonly iterations: number | null;
  /** how far undone states were off at most, relative to them; `null` where nothing is undone */
  readonly reconstructionError: number | null;
  /** what was done otherwise on the way than was asked for, as states stored closer */
  readonly notes: FitResult["notes"];
  readonly stopped: FitResult["stopped"];
  readonly out: string;
}

export interface Reported {
  readonly settings: LanguageSettings;
  readonly language: LanguageModel;
  readonly validation: TokenizedText;
  readonly result: FitResult;
  readonly reconstructionError: number | null;
  readonly out: string;
}

export function reportOf({
  settings,
  language,
  validation,
  result,
  reconstructionError,
  out,
}: Reported): LanguageReport {
  const { losses, validations, seconds, checkpoint, best } = result;
  const { kind, config, runtime, dtype, seed, batchSize, configuration } = settings;
  const secondsPerStep = losses.length === 0 ? 0 : seconds / losses.length;
  const measured = validations.find(({ step }) => step === best.step) ?? null;
  return {
    ...{ experiment: "revdeq-lm", model: kind, config, runtime, dtype, seed },
    parameters: parameterCount(language),
    steps: checkpoint.step,
    loss: {
      first: losses[0] ?? null,
      last: losses.at(-1) ?? null,
      min: losses.length === 0 ? null : losses.reduce((least, loss) => Math.min(least, loss)),
    },
    ...{ losses, validations, seconds, secondsPerStep },
    tokensPerSecond: secondsPerStep === 0 ? 0 : (batchSize * configuration.length) / secondsPerStep,
    perplexity: measured && perplexityOf(measured.loss, validation),
    residual: measured?.metrics.residual ?? null,
    iterations: measured?.metrics.iterations ?? null,
    ...{ reconstructionError, notes: result.notes, stopped: result.stopped, out },
  };
}

/** @param loss  mean negative log-likelihood of a token */
export function perplexityOf(loss: number, { tokens, words }: TokenizedText): Perplexity {
  return { token: Math.exp(loss), word: Math.exp((loss * tokens.length) / Math.max(1, words)) };
}

/** What people read at the end. */
export function summary(report: LanguageReport): string {
  return [table(summaryRows(report)), `Written to ${printable(report.out)}`].join("\n");
}

/** What was measured, each with its name. */
export function summaryRows(report: LanguageReport): string[][] {
  const digits = (value: number | null) => (value === null ? "–" : value.toPrecision(6));
  const { perplexity, residual, iterations, reconstructionError } = report;
  return [
    ["parameters", String(report.parameters)],
    ["loss, first (nats per token)", digits(report.loss.first)],
    ["loss, last", digits(report.loss.last)],
    ["perplexity of the validation text, per token", digits(perplexity?.token ?? null)],
    ["perplexity of the validation text, per word", digits(perplexity?.word ?? null)],
    ...(residual === null
      ? []
      : [
          ["residual of a fixed point, on average", residual.toExponential(1)],
          ["steps of the iteration, on average", digits(iterations)],
        ]),
    ...(reconstructionError === null
      ? []
      : [["largest error of undone states", reconstructionError.toExponential(1)]]),
    ["updates", String(report.steps)],
    ["time per update", `${(1000 * report.secondsPerStep).toFixed(1)} ms`],
    ["tokens per second", report.tokensPerSecond.toFixed(0)],
  ];
}

/** The losses of the updates, and of the validation text. */
export function lossChart({ losses, validations }: LanguageReport, title: string): Chart {
  const x = losses.map((_, update) => update);
  return {
    title,
    panels: [
      {
        x: { title: "update" },
        y: { title: "loss", unit: "nats per token", scale: "log" },
        layers: [
          { kind: "line", name: "before each update", color: "blue", x, y: losses },
          {
            kind: "line",
            name: "validation",
            color: "vermillion",
            x: validations.map(({ step }) => step),
            y: validations.map(({ loss }) => loss),
          },
        ],
      },
    ],
  };
}
