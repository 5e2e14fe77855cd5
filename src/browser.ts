// The public names of revort that a browser can have: `revort/browser`. Nothing here needs a module of Node.

import { callsOn } from "./library/calls.js";
import { jit } from "./runtimes/jit/jit.js";
import { oneThread } from "./runtimes/threads.js";

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
} = callsOn(() => jit(), oneThread);

export { type RegionRule, region, stopGradient, withoutRegions } from "./autodiff/region.js";
export { MissingRuleError, pullback, vjp } from "./autodiff/vjp.js";
export { type AdjointSpec, type ChainMethod, chainAdjoints } from "./chains/adjoints.js";
export { type Back, type Chain, ChainError, type ChainInputs, type Link } from "./chains/chain.js";
export { reconstructionLimit } from "./chains/lost.js";
export type { RunChainOptions } from "./chains/options.js";
export { type ChainResult, runChain } from "./chains/run-chain.js";
export { GradientMethodError } from "./chains/syntax.js";
export {
  type Control,
  ControlError,
  type ControllerName,
  constantStep,
  controllers,
  givenTimes,
  pid,
} from "./control/control.js";
export { RevortError } from "./core/errors.js";
export { OptionError } from "./core/options.js";
export { Random } from "./core/random.js";
export { SizeError } from "./core/size.js";
export {
  type DType,
  DTypeError,
  type FloatDType,
  fromNested,
  numbers,
  ShapeError,
  scalar,
  type Tensor,
  tensor,
  toNested,
} from "./core/tensor.js";
export { decodeCheckpoint, encodeCheckpoint } from "./deploy/checkpoint-file.js";
export {
  checkFieldFile,
  encodeField,
  FieldFileError,
  type FieldMetadata,
  fieldGraph,
} from "./deploy/field-file.js";
export { inspectModel } from "./deploy/inspect.js";
export { type LoadModelOptions, loadModel, type ModelSource } from "./deploy/load-model-web.js";
export {
  encodeFitSteps,
  encodePrediction,
  type FitStartOptions,
  type FitStepOptions,
  fitStart,
  type PredictionOptions,
} from "./deploy/model-file.js";
export { type SolveFileOptions, solveGraph } from "./deploy/solve-file.js";
export { encodeTrainStart } from "./deploy/train-step-file.js";
export { type AndersonOptions, anderson } from "./equilibrium/anderson.js";
export { type BroydenOptions, broyden } from "./equilibrium/broyden.js";
export { type Cell as FixedPointCell, FixedPointError } from "./equilibrium/cell.js";
export { type DeqCell, type DeqOptions, deq } from "./equilibrium/deq.js";
export { type FixedPoint, type FixedPointOptions, fixedPoint } from "./equilibrium/fixed-point.js";
export {
  type FixedPointGradient,
  type FixedPointGradientRequest,
  implicitGradient,
  phantomGradient,
} from "./equilibrium/gradient.js";
export { jacobianPenalty, jacobianSpectralRadius } from "./equilibrium/jacobian.js";
export { undoableSteps } from "./equilibrium/reconstruction.js";
export { type ReversibleSolver, reversibleIteration } from "./equilibrium/reversible.js";
export { type FixedPointSolver, relaxedIteration, simpleIteration } from "./equilibrium/solver.js";
export { publishedStopRule, type StopRule, stopRule } from "./equilibrium/stop.js";
export { type Event, EventError } from "./events/event.js";
export { type Activation, activations } from "./fields/activations.js";
export { chainOf, sumOf } from "./fields/combine.js";
export { type ConvFieldOptions, convField } from "./fields/convolutional.js";
export {
  initialParameters,
  type Parameter,
  stateOf,
  type Tensors,
  type Values,
  type VectorField,
} from "./fields/field.js";
export { type Boundary, type GridOptions, laplacian, slopeAlong } from "./fields/grid.js";
export { type ImportOptions, importedField } from "./fields/imported.js";
export { type MlpOptions, mlp } from "./fields/mlp.js";
export {
  burgers,
  type GrayScottOptions,
  grayScott,
  heat,
  type LineOptions,
} from "./fields/partial-differential.js";
export { lotkaVolterra, sir, whiteDwarf } from "./fields/physical.js";
export {
  type ArrayShapes,
  defineField,
  type Each,
  FieldArgumentError,
  type FieldDefinition,
  type RecordField,
} from "./fields/record-field.js";
export { rescaled, type Scaling } from "./fields/rescaled.js";
export { type Selection, type TrainableOptions, UnmatchedPatternError } from "./fields/selection.js";
export type { NetworkScaling } from "./fields/symbolic/network-scaling.js";
export {
  type NamedParameter,
  type SymbolicField,
  type SymbolicFieldOptions,
  symbolicField,
} from "./fields/symbolic/symbolic-field.js";
export { EquationError } from "./fields/symbolic/syntax-error.js";
export {
  chooseGradient,
  type GradientChoice,
  type GradientTask,
  MemoryBudgetError,
} from "./gradients/choice.js";
export type { Differentiator, Fit, Gradients } from "./gradients/evaluate.js";
export {
  type GradientMethod,
  type GradientRequest,
  type GradientSpec,
  parseGradientMethod,
  showGradientMethod,
} from "./gradients/method.js";
export { parallelDifferentiator } from "./gradients/parallel.js";
export { ReconstructionError } from "./gradients/reconstruction-limit.js";
export { Builder } from "./graph/builder.js";
export { decode } from "./graph/decode.js";
export { type EncodeOptions, encode } from "./graph/encode.js";
export { type Graph, GraphError, type Node, type Op, type Value, type ValueType } from "./graph/graph.js";
export { type Model, ModelError } from "./graph/model.js";
export { decompose, inline, rebuild } from "./graph/passes.js";
export { instantiate } from "./import/instantiate.js";
export { toGraph } from "./import/to-graph.js";
export { type Accuracy, type AccurateSolution, solveAccurately } from "./integrate/accurate.js";
export type { CouplingChoice } from "./integrate/coupling-choice.js";
export { DenseSolution } from "./integrate/dense-solution.js";
export { type EventGradientOptions, eventGradient } from "./integrate/event-gradient.js";
export {
  DriftError,
  EventBracketError,
  MaxStepsError,
  NonFiniteFieldError,
  SolveError,
  StepUnderflowError,
} from "./integrate/failures.js";
export { type NeuralOde, type NeuralOdeOptions, neuralOde } from "./integrate/neural-ode.js";
export { type NeuralSde, type NeuralSdeOptions, neuralSde } from "./integrate/neural-sde.js";
export type { Save } from "./integrate/saves.js";
export { DivergenceError, ParameterError, type Solution, type SolveStats } from "./integrate/solve.js";
export type { SolveWarning, WarningCode } from "./integrate/solve-warning.js";
export { StrictError } from "./integrate/warnings.js";
export { withinBounds } from "./learning/bounds.js";
export { type Evidence, type EvidenceOptions, evidence } from "./learning/evidence.js";
export { inGroups, type ParameterGroup } from "./learning/groups.js";
export {
  accuracy,
  binaryCrossEntropy,
  categoricalDivergence,
  crossEntropy,
  type Normal,
  negativeLogLikelihood,
  normalDivergence,
  normalNegativeLogDensity,
  standardNormalDivergence,
} from "./learning/likelihoods.js";
export { huber, type Loss, l1, mse, scaledLoss } from "./learning/losses.js";
export { adam, adamax, adamw, type Optimiser, rmsprop, sgd } from "./learning/optimisers.js";
export {
  constant,
  cosine,
  exponentialDecay,
  plateau,
  type Schedule,
  type Seen,
  stepDecay,
  warmedUp,
} from "./learning/schedules.js";
export { controlPath } from "./library/control-paths.js";
export type { DatasetLike } from "./library/datasets.js";
export { defineSde, type SdeDefinition } from "./library/define-sde.js";
export type {
  DifferentiatorOptions,
  GradientOptions,
  RecordGradientOptions,
  RecordGradients,
} from "./library/differentiating.js";
export type { EquationOptions, ParametersLike } from "./library/equation.js";
export {
  encodeSolve,
  encodeTrainStep,
  type TrainStartOptions,
  type TrainStepOptions,
  trainStart,
  trainStepGradient,
  trainStepGraph,
} from "./library/exporting.js";
export type { FitOptions } from "./library/fitting.js";
export {
  ConvergenceError,
  type FixedPointSolution,
  type FixedPointWarning,
  type SolveFixedPointOptions,
} from "./library/fixed-points.js";
export type { Nested, ObservationsLike, TensorLike, TimesLike } from "./library/given.js";
export type { EvaluateOptions, PredictOptions } from "./library/measuring.js";
export type { ArgsOption, EachLike, RecordSolution } from "./library/records.js";
export type { SdeSolution, SolveSdeOptions } from "./library/sde.js";
export type { OfRecords, SolveEachOptions, SolveOptions } from "./library/solving.js";
export type { FitCheckOptions, TrainOptions, Trajectories } from "./library/training.js";
export { alf } from "./methods/alf.js";
export { checkTableau, TableauError } from "./methods/check-tableau.js";
export { effectivelySymmetric, SymmetryError } from "./methods/effectively-symmetric.js";
export { explicit } from "./methods/explicit.js";
export { eulerMaruyama, milstein } from "./methods/ito.js";
export { lawson } from "./methods/lawson.js";
export { leapfrogMidpoint } from "./methods/leapfrog-midpoint.js";
export { type LinearPart, LinearPartError } from "./methods/linear-part.js";
export type { Interval, Method, ReversibleMethod, State, System } from "./methods/method.js";
export { methodNamed, solverNames } from "./methods/named.js";
export { CouplingError, reversible } from "./methods/reversible.js";
export { reversibleHeun } from "./methods/reversible-heun.js";
export { CalculusError, type DrivenStep, type SdeMethod } from "./methods/sde-method.js";
export { sdeMethodNamed, sdeMethodNames } from "./methods/sde-named.js";
export { semiImplicitEuler } from "./methods/semi-implicit-euler.js";
export { spectralRadius, stabilityArea } from "./methods/stability.js";
export { reversibleHeunSde, stratonovich } from "./methods/stratonovich.js";
export {
  bosh3,
  cashKarp,
  dopri5,
  dopri8,
  ees25,
  ees27,
  euler,
  fehlberg45,
  heun,
  midpoint,
  ralston,
  ralston3,
  rk4,
  rk38,
  ssprk3,
  symmetricTableaux,
  type Tableau,
  tableaux,
  tsit5,
} from "./methods/tableaux.js";
export { type CdeSolveOptions, cdeSolve, type NeuralCde } from "./models/cde-solve.js";
export {
  type CausalInterpolation,
  type CdeStream,
  type CdeStreamOptions,
  type CdeStreamState,
  cdeStream,
} from "./models/cde-stream.js";
export type { DataStream } from "./models/data-stream.js";
export { type Dataset, DatasetError, splitDataset } from "./models/dataset.js";
export type { FitResult, Validation } from "./models/fit.js";
export {
  type BaseDistribution,
  type DensityRequest,
  type Flow,
  type FlowOptions,
  type FoundDensity,
  normalisingFlow,
  standardNormal,
} from "./models/flow.js";
export { type ImplicitResNetOptions, implicitResNet } from "./models/implicit-resnet.js";
export { normalFrom, reparametrised } from "./models/latent.js";
export type { Evaluated, Measures } from "./models/measuring.js";
export {
  defineModel,
  type Model as ModelDefinition,
  ModelDefinitionError,
  type Named,
  type SampleType,
  type SampleTypes,
} from "./models/model.js";
export { type OdeRnnOptions, odeRnnCell } from "./models/ode-rnn.js";
export { type OdeSolveOptions, odeSolve } from "./models/ode-solve.js";
export type { OpenStream, OpenStreamOptions } from "./models/open-stream.js";
export {
  type OdeAtOwnTimesOptions,
  type OdeOverOptions,
  odeAtOwnTimes,
  odeOver,
} from "./models/own-times.js";
export { drawKeys, type SdeSolveOptions, sdeSolve } from "./models/sde-solve.js";
export { convolutionalCell, type SingleDeqOptions, singleDeq } from "./models/single-deq.js";
export { type Compared, defineTask, type Measure, type Task } from "./models/task.js";
export { type Grid, gridThrough, TimeError } from "./programs/grid.js";
export {
  CompileError,
  type CompileOptions,
  type DeviceTensor,
  type DeviceTensors,
  type Executable,
  InputError,
  RunError,
  type Runtime,
  RuntimeUnavailableError,
} from "./runtime/runtime.js";
export { unroll, unrolled } from "./runtime/unroll.js";
export { auto } from "./runtimes/auto.js";
export { type JitOptions, jit } from "./runtimes/jit/jit.js";
export {
  ortWasm,
  ortWebGpu,
  type WasmOptions,
  type WasmPaths,
  type WebGpuInBrowserOptions,
} from "./runtimes/ort-web.js";
export type { WebGpuOptions } from "./runtimes/ort-webgpu.js";
export { decodeSafetensors, encodeSafetensors } from "./storage/safetensors.js";
export {
  BrownianError,
  type BrownianMotion,
  type BrownianTreeOptions,
  keyedIncrements,
  type NoiseStep,
  startingNoise,
  virtualBrownianTree,
} from "./systems/brownian.js";
export type { ControlledField } from "./systems/cde.js";
export {
  type ControlPath,
  type ControlPathOptions,
  pathDerivative,
  pathValue,
} from "./systems/control-path.js";
export { DensityError, type Trace, withDensity } from "./systems/divergence.js";
export { type Interpolation, PathError } from "./systems/interpolation.js";
export { withPathDivergence } from "./systems/path-divergence.js";
export { type PathCoefficientsOptions, pathCoefficients } from "./systems/path-in-graph.js";
export {
  type Calculus,
  type NoiseKind,
  type Sde,
  SdeError,
} from "./systems/sde.js";
export type { Checkpoint } from "./train/checkpoint.js";
export { TrainingDataError, targetsOf } from "./train/data.js";
export type { FitCheck } from "./train/fit-check.js";
export type { TrainNote } from "./train/scheme.js";
export { TrainingError, type TrainResult, type UpdateReport } from "./train/train.js";
export { version } from "./version.js";
