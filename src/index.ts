// The public names of revort. What is not here, or there, is not part of the interface.

export * from "./browser.js";
export { loadModel } from "./deploy/load-model.js";
// ortWebGpu by the same name as in a browser
export { ortNode, ortWebGpu } from "./runtimes/ort-node.js";
export { threadRuntime } from "./runtimes/thread.js";
