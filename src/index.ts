// The public names of revort. What is not here, or there, is not part of the interface.

export * from "./browser.js";
export { loadModel } from "./deploy/load-model.js";
export { ortNode } from "./runtimes/ort-node.js";
export { threadRuntime } from "./runtimes/thread.js";
