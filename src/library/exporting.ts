import { checkOptions } from "../core/options.js";
import * as solveFile from "../deploy/solve-file.js";
import * as trainFile from "../deploy/train-step-file.js";
import type { Tensors } from "../fields/field.js";
import type { GradientChoice } from "../gradients/choice.js";
import type { Graph } from "../graph/graph.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import type { Loss, losses } from "../learning/losses.js";
import type { Optimiser, optimisers } from "../learning/optimisers.js";
import { type ParametersLike, parametersOf } from "./equation.js";
import { lossOf, optimiserOf, type Trajectories, trajectoriesOf } from "./training.js";

// The portable files, from what users write.

/** What a training step is exported with, as {@link trainFile.TrainStepOptions}, losses and optimisers also by name. */
export interface TrainStepOptions extends Omit<trainFile.TrainStepOptions, "loss" | "optimiser"> {
  readonly loss?: Loss | keyof typeof losses;
  readonly optimiser?: Optimiser | keyof typeof optimisers;
}

/** The same with where it starts. */
export interface TrainStartOptions
  extends Omit<trainFile.TrainStartOptions, "loss" | "optimiser" | "parameters">,
    TrainStepOptions {
  /** θ before the first update; drawn from the seed where not given */
  readonly parameters?: ParametersLike;
}

const solveNames = {
  ...{ control: true, maxSteps: true, defaults: true, openParameters: true, metadata: true },
} satisfies Record<keyof solveFile.SolveFileOptions, true>;
const stepNames = {
  ...{ loss: true, optimiser: true, gradient: true, memoryBudget: true, control: true, clip: true },
  ...{ trainY0: true, batchSize: true, many: true, metadata: true },
} satisfies Record<keyof TrainStepOptions, true>;
const startNames = {
  ...stepNames,
  ...{ seed: true, parameters: true, resume: true, schedule: true, updates: true },
} satisfies Record<keyof TrainStartOptions, true>;
const elsewhere = {
  ...{ rtol: "tolerances belong to a control, control: pid({ rtol: 1e-8 })", steps: "say updates" },
  ...{ learningRate: "it belongs to the optimiser, adamw({ learningRate: 1e-3 })" },
};

/**
 * A whole solve of a trained equation as one `.onnx` of standard operators, which any ONNX Runtime runs without revort.
 *
 * @see solveFile.encodeSolve
 */
export function encodeSolve(
  ode: NeuralOde,
  parameters: ParametersLike,
  options: solveFile.SolveFileOptions = {},
): Uint8Array {
  checkOptions("encodeSolve", options, solveNames, elsewhere);
  return solveFile.encodeSolve(ode, parametersOf(ode, parameters, 0), options);
}

/**
 * A training step as one `.onnx` of standard operators, which any ONNX Runtime runs without revort.
 *
 * @see trainFile.encodeTrainStep
 */
export function encodeTrainStep(
  ode: NeuralOde,
  data: Trajectories,
  options: TrainStepOptions = {},
): Uint8Array {
  return trainFile.encodeTrainStep(...trainArguments("encodeTrainStep", ode, data, options));
}

/** The graph of a training step. @see trainFile.trainStepGraph */
export function trainStepGraph(ode: NeuralOde, data: Trajectories, options: TrainStepOptions = {}): Graph {
  return trainFile.trainStepGraph(...trainArguments("trainStepGraph", ode, data, options));
}

/** Everything that a training step takes before its first update, or where a run has stopped, by the names of inputs. */
export function trainStart(ode: NeuralOde, data: Trajectories, options: TrainStartOptions = {}): Tensors {
  return trainFile.trainStart(...trainArguments("trainStart", ode, data, options));
}

/** How a training step is differentiated, and why it is so where that is not what was asked for. */
export function trainStepGradient(
  ode: NeuralOde,
  data: Trajectories,
  options: TrainStepOptions = {},
): GradientChoice {
  return trainFile.trainStepGradient(...trainArguments("trainStepGradient", ode, data, options));
}

/** What the functions of a training step take, made of what people write. */
function trainArguments(caller: string, ode: NeuralOde, data: Trajectories, options: TrainStartOptions) {
  checkOptions(caller, options, startNames, elsewhere);
  return [ode, trajectoriesOf(ode, data), startOf(ode, options)] as const;
}

function startOf(ode: NeuralOde, options: TrainStartOptions): trainFile.TrainStartOptions {
  const { loss, optimiser, parameters, seed = 0, ...rest } = options;
  return {
    ...rest,
    seed,
    ...(loss === undefined ? {} : { loss: lossOf(loss) }),
    ...(optimiser === undefined ? {} : { optimiser: optimiserOf(optimiser) }),
    ...(parameters === undefined ? {} : { parameters: parametersOf(ode, parameters, seed) }),
  };
}
