// The public names of revort. What is not here, or there, is not part of the interface.

import { callsOn } from "./library/calls.js";
import { autoNode } from "./runtimes/auto-node.js";
import { nodeThreads } from "./runtimes/node-threads.js";

export * from "./browser.js";
export { loadModel } from "./deploy/load-model.js";
export { autoNode } from "./runtimes/auto-node.js";
// ortWebGpu by the same name as in a browser
export { ortCuda } from "./runtimes/ort-cuda.js";
export { ortNode, ortWebGpu } from "./runtimes/ort-node.js";
export { threadRuntime } from "./runtimes/thread.js";

// by the same names as in a browser, where another runtime serves calls that give none
export const {
  solve,
  solveEach,
  solveFixedPoint,
  solveSde,
  train,
  gradientOf,
  differentiator,
  checkFit,
  fit,
  evaluate,
  predict,
  openStream,
} = callsOn(() => autoNode(), nodeThreads);
