import { sizeOf } from "../core/tensor.js";
import type { Graph, Value } from "../graph/graph.js";
import { rebuild } from "../graph/passes.js";
import { relu } from "../ops/activation.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { exp } from "../ops/elementwise.js";
import { minimum } from "../ops/extrema.js";
import { floatOf } from "../ops/operand.js";

/** Of fewer elements one operator takes less time than the five that it is made of. */
const fewest = 4096;

/**
 * The same graph with Elu of large arrays in float32 written as ONNX Runtime's kernel computes it, which takes half the time:
 * that goes element by element, those of what it is made of by vectors.
 *
 *   y = max(x, 0) + α (exp(min(x, 0)) − 1)
 *
 * The exponential is the slope below 0 as well, so that gradients need not find it again.
 */
export function eluByVectors(graph: Graph): Graph {
  return rebuild(graph, (b, { op, attributes }, [x]) => {
    if (op.type !== "Elu" || !isLarge(x!)) return null;
    const below = sub(b, exp(b, minimum(b, x!, 0)), 1);
    return [add(b, relu(b, x!), mul(b, below, floatOf(attributes, "alpha", 1)))];
  });
}

function isLarge({ dtype, shape }: Value): boolean {
  const isKnown = shape.every((dim) => typeof dim === "number");
  return dtype === "float32" && isKnown && sizeOf(shape as readonly number[]) >= fewest;
}
