// Where this runs, for sentences that say what to do: what a browser does not have is no remedy there.

/** Whether this is a page, or a worker of one. */
export function isInBrowser(): boolean {
  return "document" in globalThis || "WorkerGlobalScope" in globalThis;
}

/** The runtime on ONNX Runtime's processor kernels that there is here. */
export function ortHere(): "ort-cpu" | "ort-wasm" {
  return isInBrowser() ? "ort-wasm" : "ort-cpu";
}
