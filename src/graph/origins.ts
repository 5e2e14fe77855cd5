import type { GraphProto } from "onnx-buf";
import type { Origin } from "./model.js";

// PyTorch's newer exporter notes what an initializer was in the module. Names alone do not tell a parameter from a
// number that the exporter stored, nor a parameter from a buffer.

const kindKey = "pkg.torch.export.graph_signature.InputSpec.kind";
const foldedKey = "pkg.onnxscript.optimizer.folded_from";
const signatureKey = "pkg.torch.export.ExportedProgram.graph_signature";

/** What the exporter noted about each value of the main graph. */
export function readOrigins(graph: GraphProto): Map<string, Origin> {
  const origins = new Map<string, Origin>();
  for (const { name, metadataProps } of [...graph.valueInfo, ...graph.initializer]) {
    const kind = metadataProps.find(({ key }) => key === kindKey)?.value;
    const folded = metadataProps.find(({ key }) => key === foldedKey)?.value;
    if (kind === undefined && folded === undefined) continue;
    origins.set(name, {
      ...(kind === undefined ? {} : { kind }),
      ...(folded === undefined ? {} : { foldedFrom: quoted(folded) }),
    });
  }
  return origins;
}

/** Names of the module's parameters, from the signature of the exported program. */
export function readParameterNames(graph: GraphProto): ReadonlySet<string> | null {
  const signature = graph.metadataProps.find(({ key }) => key === signatureKey)?.value;
  if (signature === undefined) return null;
  const targets = signature.split("\n").flatMap((line) => {
    const target = line.split(": PARAMETER target=")[1];
    return target === undefined ? [] : quoted(target);
  });
  return new Set(targets);
}

/** The strings of a Python list or literal: `['a', 'b']`. */
function quoted(text: string): string[] {
  return text.split("'").filter((_, i) => i % 2 === 1);
}
