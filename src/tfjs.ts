// The public names that need TensorFlow.js, which is installed beside revort: `revort/tfjs`.

export {
  type GraphModelFileOptions,
  graphModelFiles,
  type TfjsSolveOptions,
  tfjsField,
  tfjsSolve,
} from "./deploy/tfjs-file.js";
export { type TfjsOptions, tfjs } from "./runtimes/tfjs/tfjs.js";
