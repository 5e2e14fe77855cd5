import type { Model } from "../graph/model.js";
import type { StoredArray } from "../import/stored.js";

// What a file itself says of its arrays: what PyTorch's newer exporter notes, and what revort lists in its own exports.

/** Where the metadata of a field that revort exported have the names of its parameters, as a JSON array. */
export const parametersKey = "revort.parameters";

/** What a file says of an array, and how. */
export interface Noted {
  readonly trainable: boolean;
  /** a sentence without its subject */
  readonly reason: string;
}

/** What the file says of an array; `null` if it says nothing. */
export function noted(
  model: Model,
  { name, kind: place, body }: StoredArray,
  recorded: ReadonlySet<string> | null,
): Noted | null {
  if (recorded !== null) {
    return recorded.has(name)
      ? { trainable: true, reason: "is a parameter of the exported field" }
      : { trainable: false, reason: "is no parameter of the exported field" };
  }
  const kind = body === null && place === "initializer" ? model.origins.get(name)?.kind : undefined;
  if (kind === "PARAMETER") return { trainable: true, reason: "is a parameter of the exported module" };
  if (kind !== undefined) {
    return {
      trainable: false,
      reason: `is a ${kind.toLowerCase().replace(/_/g, " ")} of the exported module`,
    };
  }
  if (model.parameterNames === null) return null;
  const source = parameterBehind(model, name);
  return source === null
    ? { trainable: false, reason: "is no parameter of the exported module, nor computed from one" }
    : { trainable: true, reason: `was computed from the parameter "${source}" when the model was exported` };
}

/** A parameter that a value was computed from before it was stored, following what the exporter noted. */
function parameterBehind(model: Model, name: string, seen: Set<string> = new Set()): string | null {
  if (model.parameterNames!.has(name)) return name;
  if (seen.has(name)) return null;
  seen.add(name);
  for (const source of model.origins.get(name)?.foldedFrom ?? []) {
    const found = parameterBehind(model, source, seen);
    if (found !== null) return found;
  }
  return null;
}

/**
 * The parameters that revort wrote down when it exported the field; `null` if it did not, or if the file no longer has
 * them under these names, because another program has rewritten it.
 */
export function recordedParameters({ metadata, graph }: Model): ReadonlySet<string> | null {
  let names: unknown;
  try {
    names = JSON.parse(metadata[parametersKey] ?? "null");
  } catch {
    return null;
  }
  const holds = (name: unknown) => typeof name === "string" && graph.initializers.has(name);
  return Array.isArray(names) && names.every(holds) ? new Set(names) : null;
}
