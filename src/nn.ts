// revort/nn: layers. Each has parameters, named and laid out like PyTorch's, and a function that applies it in a graph.

export { lipSwish, silu } from "./nn/activations.js";
export { type Annealing, type AnnealingOptions, klAnnealing } from "./nn/annealing.js";
export { type AttentionLayer, type AttentionOptions, multiHeadAttention } from "./nn/attention.js";
export {
  type ConvLayerOptions,
  type ConvTransposeLayerOptions,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  type PaddedConvLayerOptions,
  type PaddingMode,
} from "./nn/convolution.js";
export { dropout } from "./nn/dropout.js";
export { embedding } from "./nn/embedding.js";
export { gapCell, gruDCell } from "./nn/gap-cells.js";
export {
  activation,
  type Layer,
  LayerError,
  type Parametrised,
  parametersOf,
  partOf,
  type SolvesInTraining,
  type Training,
  trainingOf,
} from "./nn/layer.js";
export { type ConditionedLayer, concatSquash, linear, mlp } from "./nn/linear.js";
export { batchNorm, groupNorm, layerNorm, rmsNorm } from "./nn/normalisation.js";
export {
  type AlongObservations,
  type AlongObservationsOptions,
  alongObservations,
  type Observation,
  type ObservedCell,
  type ObservedSeries,
} from "./nn/observed-cell.js";
export {
  type Cell,
  endOfSequence,
  gruCell,
  lstmCell,
  type OverSequenceOptions,
  overSequence,
} from "./nn/recurrent.js";
export { type ReversibleBlocksOptions, reversibleBlocks } from "./nn/reversible.js";
export { residual, sequential } from "./nn/sequential.js";
