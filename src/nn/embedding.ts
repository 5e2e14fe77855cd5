import { gather } from "../ops/slicing.js";
import { normal } from "./initial.js";
import type { Layer } from "./layer.js";
import { checkWidths } from "./linear.js";

/**
 * Rows of a table: integers [...] in [0, count) to [..., width].
 *
 * @see torch.nn.Embedding
 */
export function embedding(count: number, width: number): Layer {
  checkWidths("embedding", count, width);
  return {
    parameters: { weight: normal([count, width]) },
    apply: (b, theta, indices) => gather(b, theta.weight!, indices),
  };
}
