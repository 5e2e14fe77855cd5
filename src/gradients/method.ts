import { GradientMethodError } from "../programs/gradient.js";

/** How a solve is differentiated. */
export type GradientMethod =
  /** undoes each step; every `refresh` steps, a stored state replaces the reconstructed one */
  | { readonly kind: "reversible"; readonly refresh?: number }
  /** backprop through the solver: stores every step */
  | { readonly kind: "direct" }
  /** stores `states` states and takes the steps between them again; by default enough to do that only once */
  | { readonly kind: "checkpoint"; readonly states?: number }
  /**
   * the continuous adjoint: solves the adjoint equation backwards (optimise, then discretise); not exact. With adaptive
   * steps, `seminorm` ignores the parameters' part of the adjoint's error, on which nothing else depends
   */
  | { readonly kind: "continuous"; readonly seminorm?: boolean };

export const gradientKinds = ["reversible", "direct", "checkpoint", "continuous"] as const;

/** A gradient method, or what users type for it. */
export type GradientSpec =
  | GradientMethod
  | GradientMethod["kind"]
  | `checkpoint:${number}`
  | `reversible:${number}`
  | "continuous:seminorm";

/** A gradient method, or the word that leaves it to revort. */
export type GradientRequest = GradientSpec | "auto";

/** As users type it: a gradient method, or `auto`. @throws {GradientMethodError} naming what was not understood */
export function parseGradientRequest(text: string): GradientMethod | "auto" {
  return text.trim() === "auto" ? "auto" : parseGradientMethod(text);
}

/** What was asked for, as users type it. */
export function showGradientRequest(request: GradientMethod | "auto"): string {
  return request === "auto" ? request : showGradientMethod(request);
}

/**
 * A gradient method from what users type: `reversible`, `reversible:100` (or `reversible:refresh 100`), `direct`,
 * `checkpoint`, `checkpoint:8`, `continuous`, `continuous:seminorm`.
 *
 * @throws {GradientMethodError} naming what was not understood
 */
export function parseGradientMethod(text: string): GradientMethod {
  const [kind, option] = split(text.trim());
  switch (kind) {
    case "continuous":
      if (option === null) return { kind };
      if (option === "seminorm") return { kind, seminorm: true };
      throw new GradientMethodError(`The only option of "continuous" is seminorm, but "${text}" was given.`);
    case "direct":
      if (option === null) return { kind };
      throw new GradientMethodError(`The gradient "${kind}" takes no option, but "${text}" was given.`);
    case "reversible":
      if (option === null) return { kind };
      return { kind, refresh: positive(text, option.replace(/^refresh\s*/, ""), "reversible:100") };
    case "checkpoint":
      return option === null ? { kind } : { kind, states: positive(text, option, "checkpoint:8") };
    default:
      throw new GradientMethodError(
        `There is no gradient "${text}". Use one of ${gradientKinds.join(", ")} (where it may be left to revort, auto), ` +
          "with checkpoint:8 for 8 stored states, or reversible:100 for a stored state every 100 steps.",
      );
  }
}

function split(text: string): [string, string | null] {
  const at = text.indexOf(":");
  return at < 0 ? [text, null] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

function positive(text: string, number: string, example: string): number {
  if (/^[1-9]\d*$/.test(number)) return Number(number);
  throw new GradientMethodError(
    `A gradient takes a positive whole number after the colon, as in ${example}, but "${text}" was given.`,
  );
}

/** @throws {GradientMethodError} for text or numbers that are not understood */
export function gradientMethodOf(spec: GradientSpec): GradientMethod {
  if (typeof spec === "string") return parseGradientMethod(spec);
  return parseGradientMethod(showGradientMethod(spec));
}

/** A gradient method as users type it. */
export function showGradientMethod(method: GradientMethod): string {
  switch (method.kind) {
    case "reversible":
      return method.refresh === undefined ? method.kind : `${method.kind}:${method.refresh}`;
    case "checkpoint":
      return method.states === undefined ? method.kind : `${method.kind}:${method.states}`;
    case "continuous":
      return method.seminorm ? `${method.kind}:seminorm` : method.kind;
    default:
      return method.kind;
  }
}
