import { type Control, givenTimes } from "../control/control.js";
import { castTensor, numbers, type Tensor, tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { SolveError } from "../integrate/failures.js";
import { type NeuralOde, neuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import type { Runtime } from "../runtime/runtime.js";
import { withSensitivities } from "../systems/sensitivities.js";
import type { Trajectories } from "./data.js";
import { type Estimation, type EstimationOptions, estimation, roundingOf } from "./estimation.js";
import type { Residuals } from "./least-squares.js";

/** What is estimated, from where: the scalars that `names` has, of all parameters of the field; other arrays are held. */
export interface EstimateRequest extends EstimationOptions {
  readonly runtime: Runtime;
  readonly parameters: Tensors;
  /** initial states, [N, dim] */
  readonly y0: Tensor;
  /** whether the initial states are estimated with them */
  readonly ofStart: boolean;
  /** how steps are chosen, where they are */
  readonly control?: Control | undefined;
}

export interface Estimate extends Estimation {
  readonly parameters: Tensors;
  readonly y0: Tensor;
}

/**
 * The scalar parameters of a fit, brought to the minimum of least squares where that is wanted, with their confidence
 * intervals ({@link estimation}). Residuals are rₖᵢ = (y(tₖ) − data)ᵢ / sᵢ; their Jacobian is that of the solver's
 * steps, by forward sensitivities.
 *
 * @returns `null` if the equation has no solution at the parameters given
 * @throws {ShapeError} unless states are rows of a batch
 */
export async function estimate(
  ode: NeuralOde,
  data: Trajectories,
  request: EstimateRequest,
): Promise<Estimate | null> {
  const point = new Point(ode, data, request);
  try {
    const found = await estimation(
      {
        ...{ start: point.start, components: point.components, dim: data.y0.shape[1]! },
        rounding: point.rounding,
        residuals: (x) => point.residuals(x),
      },
      request,
    );
    return found === null ? null : { ...found, ...point.at(found.x) };
  } finally {
    await point.release();
  }
}

/** Residuals and their Jacobian, at vectors of parameters and initial states. */
class Point {
  readonly y0: readonly number[];
  readonly start: readonly number[];
  /** of each residual, which component it is of */
  readonly components: readonly number[];
  /** residuals that are nothing but rounding */
  readonly rounding: number;
  readonly #ode: NeuralOde;
  readonly #plain: NeuralOde;
  readonly #data: Trajectories;
  readonly #request: EstimateRequest;
  readonly #sensitivities: ReturnType<typeof withSensitivities>;
  readonly #observed: readonly number[];
  /** places of what was observed among all observations */
  readonly #places: readonly number[];

  constructor(ode: NeuralOde, data: Trajectories, request: EstimateRequest) {
    const { parameters, names, ofStart } = request;
    this.#data = data;
    this.#request = request;
    this.#sensitivities = withSensitivities(ode.field, names, { ofStart });
    const { method, stepSize, dtype } = ode;
    this.#plain = ode;
    this.#ode = neuralOde({ field: this.#sensitivities.field, method, stepSize, dtype });
    this.y0 = numbers(request.y0);
    this.start = [...names.map((name) => Number(parameters[name]!.data[0])), ...(ofStart ? this.y0 : [])];
    this.#observed = numbers(data.observations);
    this.#places = this.#observed.flatMap((value, i) => (Number.isNaN(value) ? [] : [i]));
    const dim = data.y0.shape[1]!;
    this.components = this.#places.map((i) => i % dim);
    this.rounding = roundingOf(
      this.#places.map((i) => ({ value: this.#observed[i]!, s: request.scale?.[i % dim] ?? 1 })),
      dtype,
    );
  }

  /** Parameters and initial states of a vector. */
  at(x: readonly number[]): { parameters: Tensors; y0: Tensor } {
    const { names, parameters, ofStart, y0 } = this.#request;
    const own = names.map((name, j) => [name, tensor(parameters[name]!.dtype as "float64", [], [x[j]!])]);
    return {
      parameters: { ...parameters, ...Object.fromEntries(own) },
      y0: ofStart ? tensor(y0.dtype as "float64", y0.shape, x.slice(names.length)) : y0,
    };
  }

  async residuals(x: readonly number[]): Promise<Residuals | null> {
    try {
      return await this.#solved(x);
    } catch (error) {
      // a step too far leads to where there is no solution
      if (error instanceof SolveError) return null;
      throw error;
    }
  }

  async #solved(x: readonly number[]): Promise<Residuals> {
    const { runtime, names, ofStart, scale, control } = this.#request;
    const { t0, times } = this.#data;
    const { parameters, y0 } = this.at(x);
    const [count, dim] = y0.shape as [number, number];
    const rows = numbers(y0);
    const start = Array.from({ length: count }, (_, n) => rows.slice(n * dim, (n + 1) * dim));
    const { columns } = this.#sensitivities;
    const { dtype } = this.#ode;
    const asked = { runtime, parameters, t0, saveAt: times };
    // derivatives are those of the steps that y takes
    const steps =
      control && (await solve(this.#plain, { ...asked, y0: castTensor(y0, dtype), control })).grid;
    const { ys } = await solve(this.#ode, {
      ...asked,
      y0: tensor(dtype, [count, dim * (1 + columns)], start.flatMap(this.#sensitivities.start)),
      ...(steps ? { control: givenTimes(steps.times) } : {}),
    });
    const values = numbers(ys);
    const places = this.#places.map((place) => {
      const [row, i] = [Math.floor(place / dim), place % dim];
      return { place, n: row % count, i, from: row * dim * (1 + columns) + i, s: scale?.[i] ?? 1 };
    });
    const ofParameter = (j: number) => places.map(({ from, s }) => values[from + dim * (1 + j)]! / s);
    const ofInitial = (n: number, i: number) =>
      places.map(({ n: own, from, s }) => (own === n ? values[from + dim * (1 + names.length + i)]! / s : 0));
    return {
      residuals: places.map(({ place, from, s }) => (values[from]! - this.#observed[place]!) / s),
      jacobian: [
        ...names.map((_, j) => ofParameter(j)),
        ...(ofStart ? rows.map((_, at) => ofInitial(Math.floor(at / dim), at % dim)) : []),
      ],
    };
  }

  release(): Promise<void> {
    return this.#ode.cache.release();
  }
}
