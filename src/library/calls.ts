import type { Tensor } from "../core/tensor.js";
import type { Cell } from "../equilibrium/cell.js";
import type { VectorField } from "../fields/field.js";
import { type ArrayShapes, isRecordField, type RecordField } from "../fields/record-field.js";
import * as gradients from "../gradients/evaluate.js";
import type { Value } from "../graph/graph.js";
import { isField, type NeuralOde } from "../integrate/neural-ode.js";
import type { NeuralSde } from "../integrate/neural-sde.js";
import type { Solution } from "../integrate/solution.js";
import * as solves from "../integrate/solve.js";
import type { CdeStream } from "../models/cde-stream.js";
import type { DataStream } from "../models/data-stream.js";
import { type FitResult, fit } from "../models/fit.js";
import { type Evaluated, evaluate, predict } from "../models/measuring.js";
import type { Model, SampleTypes } from "../models/model.js";
import { type OpenStream, type OpenStreamOptions, openStream } from "../models/open-stream.js";
import type { AnyTask, Task } from "../models/task.js";
import type { Runtime } from "../runtime/runtime.js";
import { checkFit, type FitCheck } from "../train/fit-check.js";
import { type TrainResult, train } from "../train/train.js";
import { type DatasetLike, datasetOf } from "./datasets.js";
import {
  checkGradientOptions,
  type DifferentiatorOptions,
  differentiatorOptionsOf,
  type GradientOptions,
  type RecordGradientOptions,
  type RecordGradients,
  recordGradientOf,
} from "./differentiating.js";
import { type EquationOptions, type OpenRuntime, parametersOf, withEquation as work } from "./equation.js";
import { type FitOptions, fitArguments } from "./fitting.js";
import { type FixedPointSolution, type SolveFixedPointOptions, solveFixedPoint } from "./fixed-points.js";
import {
  checkModel,
  checkTask,
  type EvaluateOptions,
  measuringOptionsOf,
  type PredictOptions,
} from "./measuring.js";
import { type RecordSolution, recordSolution } from "./records.js";
import { type SdeSolution, type SolveSdeOptions, solveSde } from "./sde.js";
import {
  checkSolveOptions,
  equationOf,
  type OfRecords,
  type SolveEachOptions,
  type SolveOptions,
  sideBySide,
  solveEachOptionsOf,
  solveOptionsOf,
} from "./solving.js";
import { type OpenThreads, withThreads } from "./threads.js";
import {
  checkFitCheckOptions,
  checkTrainOptions,
  type FitCheckOptions,
  fitCheckOptionsOf,
  type TrainOptions,
  type Trajectories,
  trainOptionsOf,
  trajectoriesOf,
} from "./training.js";

/**
 * What the package offers for solving and learning. Each takes an equation; or a bare vector field, which is solved by
 * Tsit5 with steps chosen by its error to 1e−6, unless `method`, `stepSize` or `dtype` are given beside. States and
 * data are tensors or nested arrays; parameters that are not given are drawn from a seed, 0 if none is given.
 *
 * Options that there are not are refused by name (OptionError).
 */
export interface Calls {
  /**
   * Solves dy/dt = f(t, y; θ), y(t0) = y0, forwards or backwards in time.
   *
   * @throws {TimeError} for times out of order
   * @throws {ControlError} for a control that the method cannot follow
   * @throws {ShapeError} if y0 is no state of the field
   * @throws {ParameterError} for parameters that do not fit the field
   * @throws {SolveError} if the solve does not get to its end, naming time, step and size of y; with `strict`, also if
   *   the solution is unreliable
   */
  solve<S extends ArrayShapes, A extends ArrayShapes>(
    ode: NeuralOde<RecordField<S, A>>,
    options: OfRecords<SolveOptions, NoInfer<S>, NoInfer<A>>,
  ): Promise<RecordSolution<S>>;
  solve<S extends ArrayShapes, A extends ArrayShapes>(
    field: RecordField<S, A>,
    options: OfRecords<SolveOptions, NoInfer<S>, NoInfer<A>> & EquationOptions,
  ): Promise<RecordSolution<S>>;
  solve(ode: NeuralOde, options: SolveOptions): Promise<Solution>;
  solve(field: VectorField, options: SolveOptions & EquationOptions): Promise<Solution>;
  /**
   * Solves for each trajectory of a batch by itself: with its own steps, accepted and rejected by its own error, and its
   * own times, as if it were alone; but all of them in one graph, so that a step of all costs one evaluation of the
   * field on the batch.
   *
   * @returns a solution for each trajectory, with states of shape [1, …]
   * @throws as `solve` does; the errors of a solve say which trajectory failed
   */
  solveEach<S extends ArrayShapes, A extends ArrayShapes>(
    ode: NeuralOde<RecordField<S, A>>,
    options: OfRecords<SolveEachOptions, NoInfer<S>, NoInfer<A>>,
  ): Promise<RecordSolution<S>[]>;
  solveEach<S extends ArrayShapes, A extends ArrayShapes>(
    field: RecordField<S, A>,
    options: OfRecords<SolveEachOptions, NoInfer<S>, NoInfer<A>> & EquationOptions,
  ): Promise<RecordSolution<S>[]>;
  solveEach(ode: NeuralOde, options: SolveEachOptions): Promise<Solution[]>;
  solveEach(field: VectorField, options: SolveEachOptions & EquationOptions): Promise<Solution[]>;
  /**
   * Finds z = f(z, x; θ) from z0: the state, how far it is from a fixed point, and how the iteration came there.
   *
   * @throws {FixedPointError} for a state that is no batch of floats, or a cell that changes its type
   * @throws {ConvergenceError} if a sample does not converge, with `strict`; otherwise that is a warning
   */
  solveFixedPoint(cell: Cell, options: SolveFixedPointOptions): Promise<FixedPointSolution>;
  /**
   * Paths of dy = f(t, y; θ) dt + g(t, y; θ) dW, the same ones for the same seed on every runtime.
   *
   * @throws {ShapeError | ParameterError | TimeError} for states, parameters or times that do not fit the equation
   * @throws {BrownianError} for times that its Brownian motion does not reach
   */
  solveSde(equation: NeuralSde, options: SolveSdeOptions): Promise<SdeSolution>;
  /**
   * Fits the parameters of an equation to trajectories.
   *
   * @throws {ShapeError | ParameterError | TimeError | TrainingDataError} for data or parameters that do not fit
   * @throws {SplitError} if there are more helpers than the batch has parts for
   * @throws {DivergenceError} if a solve leaves the finite numbers, naming the update, step and time
   * @throws {TrainingError} if the loss or its gradient leaves them although the solve does not
   */
  train(ode: NeuralOde, data: Trajectories, options: TrainOptions): Promise<TrainResult>;
  train(
    field: VectorField,
    data: Trajectories,
    options: TrainOptions & EquationOptions,
  ): Promise<TrainResult>;
  /** Loss and gradients at given parameters, once. */
  gradientOf<S extends ArrayShapes, A extends ArrayShapes>(
    ode: NeuralOde<RecordField<S, A>>,
    options: RecordGradientOptions<NoInfer<S>, NoInfer<A>>,
  ): Promise<RecordGradients<S, A>>;
  gradientOf<S extends ArrayShapes, A extends ArrayShapes>(
    field: RecordField<S, A>,
    options: RecordGradientOptions<NoInfer<S>, NoInfer<A>> & EquationOptions,
  ): Promise<RecordGradients<S, A>>;
  gradientOf(ode: NeuralOde, options: GradientOptions): Promise<gradients.Gradients>;
  gradientOf(field: VectorField, options: GradientOptions & EquationOptions): Promise<gradients.Gradients>;
  /**
   * Compiles the gradient of a loss of a solve, to be taken at many parameters.
   *
   * @throws {GradientMethodError} if there is no such gradient, or the solver cannot be differentiated by it
   * @throws {ControlError} if steps are to be chosen by a method that cannot say what its error is
   */
  differentiator(ode: NeuralOde, options: DifferentiatorOptions): Promise<gradients.Differentiator>;
  /**
   * Solves a trained field accurately, and compares loss and states with those of the solver that trained it. `train`
   * does so by itself at its end.
   */
  checkFit(ode: NeuralOde, data: Trajectories, options: FitCheckOptions): Promise<FitCheck>;
  /**
   * Trains a model for a task, on data that are all there, or that come in pieces as they are needed.
   *
   * @throws {OptionError} for an option that there is not, or one with a value that it cannot have
   * @throws {DatasetError} for data that do not fit the task
   * @throws {ModelDefinitionError | LayerError} for a model that cannot be built
   * @throws {TrainingError} if the loss or its gradient is not finite, naming the update
   * @throws {ReconstructionError} if the steps of a solve inside cannot be undone, however many states are stored
   */
  fit<Inputs extends SampleTypes, Targets extends SampleTypes, Outputs extends Outcome>(
    task: Task<Inputs, Targets, Outputs>,
    data: DatasetLike | DataStream,
    options: WithRuntime<FitOptions>,
  ): Promise<FitResult>;
  /**
   * Loss and metrics of a model on data, as after training: of more than 256 samples as the mean of those of parts, where they are means
   * over samples or over what the task says (`weigh`), and else of all at once, which `notes` say.
   *
   * @throws {OptionError} for an option that there is not, or parameters that are missing
   * @throws {ParameterError} for parameters that do not fit the model
   * @throws {DatasetError} for data that do not fit the task
   */
  evaluate<Inputs extends SampleTypes, Targets extends SampleTypes, Outputs extends Outcome>(
    task: Task<Inputs, Targets, Outputs>,
    data: DatasetLike,
    options: EvaluateOptions,
  ): Promise<Evaluated>;
  /**
   * The outputs of a model for given inputs, as after training: each [samples, …], by name.
   *
   * @throws {OptionError} for an option that there is not, or parameters that are missing
   * @throws {ParameterError} for parameters that do not fit the model
   * @throws {DatasetError} for inputs that do not fit the model
   */
  predict<Inputs extends SampleTypes, Outputs extends Outcome>(
    model: Model<Inputs, Outputs>,
    inputs: DatasetLike,
    options: PredictOptions,
  ): Promise<Readonly<Record<keyof Outputs & string, Tensor>>>;
  /**
   * Opens a stream of points that arrive one by one ({@link cdeStream}): its step is compiled once, its state stays.
   *
   * @throws {ParameterError} unless all parameters are there
   * @throws {DatasetError} for a state of another stream
   */
  openStream(stream: CdeStream, options: WithRuntime<OpenStreamOptions>): Promise<OpenStream>;
}

type Outcome = Readonly<Record<string, Value>>;

/** Options of which the runtime may be left out. */
type WithRuntime<Options extends { readonly runtime: Runtime }> = Omit<Options, "runtime"> & {
  readonly runtime?: Runtime;
};

/** Whether something is a bare field, and whether states are records of arrays. */
function kindOf(given: NeuralOde | VectorField): { isBare: boolean; isRecord: boolean } {
  const isBare = isField(given);
  const field = isBare ? given : (given as NeuralOde | null)?.field;
  return { isBare, isRecord: field !== undefined && isRecordField(field) };
}

/** The functions of the package, with a runtime and threads of their own where a call gives none. */
export function callsOn(open: OpenRuntime, openThreads: OpenThreads): Calls {
  return {
    solve: (async (given: NeuralOde | VectorField, options: SolveOptions & EquationOptions) => {
      checkSolveOptions("solve", options, kindOf(given));
      return work("solve", given, equationOf(options), open, async (ode, runtime) => {
        const { field } = ode;
        if (!isRecordField(field)) return solves.solve(ode, solveOptionsOf(ode, options, runtime));
        const flat = sideBySide(ode, field, options);
        const solution = await solves.solve(flat.equation, solveOptionsOf(ode, flat.options, runtime));
        return recordSolution(field, solution);
      });
    }) as Calls["solve"],
    solveEach: (async (given: NeuralOde | VectorField, options: SolveEachOptions & EquationOptions) => {
      checkSolveOptions("solveEach", options, kindOf(given));
      return work("solveEach", given, equationOf(options), open, async (ode, runtime) => {
        const { field } = ode;
        if (!isRecordField(field)) return solves.solveEach(ode, solveEachOptionsOf(ode, options, runtime));
        const flat = sideBySide(ode, field, options);
        const each = await solves.solveEach(flat.equation, solveEachOptionsOf(ode, flat.options, runtime));
        return each.map((solution) => recordSolution(field, solution));
      });
    }) as Calls["solveEach"],
    solveFixedPoint: (cell, options) => solveFixedPoint(open, cell, options),
    async train(given: NeuralOde | VectorField, data: Trajectories, options: TrainOptions & EquationOptions) {
      checkTrainOptions(options, isField(given));
      return work("train", given, equationOf(options), open, (ode, runtime) =>
        withThreads("train", options, openThreads, (threads) =>
          train(ode, trajectoriesOf(ode, data), trainOptionsOf(ode, options, runtime, threads)),
        ),
      );
    },
    gradientOf: (async (given: NeuralOde | VectorField, options: GradientOptions & EquationOptions) => {
      checkGradientOptions("gradientOf", options, isField(given));
      return work("gradientOf", given, equationOf(options), open, async (ode, runtime) => {
        const { field } = ode;
        if (isRecordField(field)) return recordGradientOf(ode, field, options, runtime);
        const parameters = parametersOf(ode, options.parameters, options.seed ?? 0);
        return gradients.gradientOf(ode, {
          ...differentiatorOptionsOf(ode, options, runtime),
          parameters: solves.checkParameters(field, parameters, ode),
        });
      });
    }) as Calls["gradientOf"],
    async checkFit(ode: NeuralOde, data: Trajectories, options: FitCheckOptions) {
      checkFitCheckOptions(options);
      return work("checkFit", ode, equationOf(options), open, (equation, runtime) =>
        checkFit(equation, trajectoriesOf(equation, data), fitCheckOptionsOf(equation, options, runtime)),
      );
    },
    async fit(task, data, options) {
      const given = fitArguments(task as unknown as AnyTask, data, options);
      const runtime = options.runtime ?? (await open());
      return withThreads("fit", options, openThreads, (threads) =>
        fit(task, given.data, { ...given.options, runtime, threads }),
      );
    },
    solveSde: (equation, options) => solveSde(open, equation, options),
    async evaluate(task, data, options) {
      checkTask("evaluate", task);
      const { model, targets } = task as unknown as AnyTask;
      const found = await measuringOptionsOf("evaluate", model, options, open);
      const types = { ...model.inputs, ...targets };
      return evaluate(task, datasetOf("The data", data, types, found.dtype!), found);
    },
    async predict(model, inputs, options) {
      checkModel("predict", model);
      const found = await measuringOptionsOf("predict", model, options, open);
      return predict(model, datasetOf("The inputs", inputs, model.inputs, found.dtype!), found);
    },
    async openStream(stream, options) {
      return openStream(stream, { ...options, runtime: options.runtime ?? (await open()) });
    },
    async differentiator(ode: NeuralOde, options: DifferentiatorOptions) {
      checkGradientOptions("differentiator", options, false);
      return work("differentiator", ode, equationOf(options), open, (equation, runtime) =>
        gradients.differentiator(equation, differentiatorOptionsOf(equation, options, runtime)),
      );
    },
  };
}
