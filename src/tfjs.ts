// The public names that need TensorFlow.js, which is installed beside revort: `revort/tfjs`.

export { type TfjsOptions, tfjs } from "./runtimes/tfjs/tfjs.js";
