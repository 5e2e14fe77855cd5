import { checkOptions, OptionError, showValue } from "../../core/options.js";
import { shown } from "../../core/printable.js";
import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/graph.js";
import { add } from "../../ops/arithmetic.js";
import { expandTo } from "../../ops/broadcast.js";
import { concat, split } from "../../ops/slicing.js";
import { type Activation, activations } from "../activations.js";
import type { Parameter, Values, VectorField } from "../field.js";
import { perceptron } from "../mlp.js";
import { graphOf, type Network, type Scope } from "./expression.js";
import { type NetworkScaling, scaledStates } from "./network-scaling.js";
import { type Equations, parseEquations, timeName } from "./parse.js";
import { EquationError } from "./syntax-error.js";

/** A parameter of equations: where it starts, and between which numbers it stays. */
export interface NamedParameter {
  readonly guess: number;
  readonly low: number;
  readonly high: number;
  /** what it is measured in, as it was said */
  readonly unit: string | null;
}

export interface SymbolicFieldOptions {
  /** guesses of parameters, with bounds or without; 1 for those that are not named */
  readonly parameters?: Readonly<Record<string, number | Partial<NamedParameter>>>;
  /** of networks, mlp:16; tanh by default */
  readonly activation?: Activation;
  /** of what networks see and give; by default states are of order one, as are their derivatives */
  readonly scaling?: NetworkScaling;
  /** the states in the order of the components of the state; that of the equations by default */
  readonly order?: readonly string[];
  /** names that are no parameters, but known functions of time that drive the equations */
  readonly inputs?: SymbolicInputs;
  readonly name?: string;
}

/** What drives equations from outside. */
export interface SymbolicInputs {
  readonly names: readonly string[];
  /** their values at t, [batch, names] */
  readonly at: (b: Builder, theta: Values, t: Value) => Value;
}

/** A field of equations, with what is known of its named parameters. */
export interface SymbolicField extends VectorField {
  readonly components: readonly string[];
  readonly named: Readonly<Record<string, NamedParameter>>;
  /** whether there are neural networks among the terms */
  readonly hasNetworks: boolean;
}

/** Whether a field is one of equations. */
export function isSymbolic(field: VectorField): field is SymbolicField {
  return "named" in field && "hasNetworks" in field;
}

const optionNames = {
  ...{ parameters: true, activation: true, scaling: true, order: true, inputs: true, name: true },
} satisfies Record<keyof SymbolicFieldOptions, true>;

/** Names that inputs and outputs of files have. */
const taken = ["y", "dydt"];

/**
 * A vector field from equations as they are written:
 *
 *   symbolicField("dx = a*x - b*x*y; dy = -c*y + d*x*y", { parameters: { a: 0.5, b: { guess: 0.02, low: 0 } } })
 *
 * One equation for each state (`dx = …`, `dx/dt = …` or `x' = …`), separated by `;` or line ends, of + − * / ^, round
 * brackets, exp, log, sin, cos, tan, tanh, sqrt, abs and pow(x, y); `t` is time and `pi` is π. All other names are
 * parameters, scalars that are trained. `mlp:16` is a perceptron of the states with a hidden layer of 16 units: as a
 * term, with one output; as `+ mlp:16` in place of an equation, with one for each equation, to which they are added. It
 * is 0 before training, so that training starts from the mechanism alone.
 *
 * States are [batch, states], in the order of the equations unless another is given.
 *
 * @throws {EquationError} for what cannot be read, with its place
 * @throws {OptionError} for a parameter that the equations do not have, or a guess beyond its bounds
 */
export function symbolicField(text: string, options: SymbolicFieldOptions = {}): SymbolicField {
  if (typeof text !== "string") {
    throw new OptionError(
      `symbolicField takes equations as a text, "dx = -k*x", but ${showValue(text)} was given.`,
    );
  }
  checkOptions("symbolicField", options, optionNames, { guesses: "say parameters", guess: "say parameters" });
  const { activation = "tanh", scaling, name = text.trim().replace(/\s+/g, " ") } = options;
  if (!Object.hasOwn(activations, activation)) {
    throw new OptionError(
      `There is no activation ${showValue(activation)}; there are ${Object.keys(activations).join(", ")}.`,
    );
  }
  const read = parseEquations(text);
  const states = orderOf(read, options.order);
  const inputs = inputsOf(read, options.inputs);
  const named = namedParameters(read, options.parameters ?? {}, inputs);
  const networks = networksOf(read, states.length, activation);
  const parameters: Record<string, Parameter> = {};
  for (const [own, { guess }] of Object.entries(named))
    parameters[own] = { shape: [], initial: () => [guess] };
  for (const [prefix, network] of networks) {
    for (const [own, parameter] of Object.entries(network.parameters))
      parameters[`${prefix}.${own}`] = parameter;
  }
  const seen = scaledStates(scaling, states.length);
  return {
    name: name.length > 200 ? `${name.slice(0, 200)}…` : name,
    state: ["batch", states.length],
    components: states,
    named,
    hasNetworks: networks.size > 0,
    parameters,
    apply(b, theta, t, y) {
      const columns = split(b, y, 1, new Array<number>(states.length).fill(1));
      const network = (_: Builder, { name: prefix, of }: Network): Value => {
        const z = networks.get(prefix)!.apply(b, partOf(theta, prefix), seen.inputs(b, y));
        return seen.outputs(b, z, of === null ? null : states.indexOf(of));
      };
      const scope: Scope = {
        names: new Map([
          ...Object.keys(named).map((own) => [own, theta[own]!] as const),
          ...states.map((state, i) => [state, columns[i]!] as const),
          ...drives(b, theta, t, inputs),
          [timeName, t],
        ]),
        network,
        constant: (value) => b.scalar(y.dtype as "float64", value),
      };
      const slopes = states.map((state) =>
        expandTo(b, graphOf(b, read.equations.get(state)!, scope), columns[0]!),
      );
      const mechanism = slopes.length === 1 ? slopes[0]! : concat(b, slopes, 1);
      return read.remainder === null ? mechanism : add(b, mechanism, network(b, read.remainder));
    },
  };
}

function orderOf({ equations }: Equations, order: readonly string[] | undefined): readonly string[] {
  const states = [...equations.keys()];
  if (order === undefined) return states;
  if (order.length === states.length && states.every((state) => order.includes(state))) return order;
  throw new OptionError(
    `The order must have each of the states ${states.join(", ")} once, but ${showValue(order)} was given.`,
  );
}

/** The inputs that the equations have a name for. @throws {OptionError} for one that is a state */
function inputsOf(
  { equations, parameters }: Equations,
  inputs: SymbolicInputs | undefined,
): SymbolicInputs | null {
  const state = inputs?.names.find((name) => equations.has(name));
  if (state !== undefined) {
    throw new OptionError(`${shown(state)} has an equation, so it is no input. Leave out one of the two.`);
  }
  return inputs?.names.some((name) => parameters.has(name)) ? inputs : null;
}

/** Inputs by name, as columns. */
function drives(b: Builder, theta: Values, t: Value, inputs: SymbolicInputs | null): [string, Value][] {
  if (inputs === null) return [];
  const { names, at } = inputs;
  const columns = split(b, at(b, theta, t), 1, new Array<number>(names.length).fill(1));
  return names.map((name, i) => [name, columns[i]!]);
}

function partOf(theta: Values, prefix: string): Values {
  const start = `${prefix}.`;
  return Object.fromEntries(
    Object.entries(theta).flatMap(([name, value]) =>
      name.startsWith(start) ? [[name.slice(start.length), value]] : [],
    ),
  );
}

function networksOf({ networks, remainder }: Equations, states: number, activation: Activation) {
  const all = remainder === null ? networks : [...networks, remainder];
  return new Map(
    all.map(({ name, hidden, of }) => [
      name,
      perceptron({
        inputs: states,
        hidden,
        outputs: of === null ? states : 1,
        activation,
        startsAtZero: true,
      }),
    ]),
  );
}

function namedParameters(
  { text, parameters }: Equations,
  given: NonNullable<SymbolicFieldOptions["parameters"]>,
  inputs: SymbolicInputs | null,
): Readonly<Record<string, NamedParameter>> {
  const own = [...parameters].filter(([name]) => !inputs?.names.includes(name));
  const names = own.map(([name]) => name);
  const foreign = Object.keys(given).find((name) => !names.includes(name));
  if (foreign !== undefined) {
    throw new OptionError(
      `The equations have no parameter ${shown(foreign)}; ` +
        `${names.length === 0 ? "they have none" : `theirs are ${names.join(", ")}`}.`,
    );
  }
  return Object.fromEntries(
    own.map(([name, at]) => {
      if (name === "e" && !Object.hasOwn(given, name)) {
        throw new EquationError(
          text,
          at,
          "e is not Euler's number here, write exp(…). If it is a parameter, give it a guess.",
        );
      }
      if (taken.includes(name)) {
        const what = `there is no equation of ${name}, and a parameter cannot be called so: the files of a field have that name. Call it otherwise.`;
        throw new EquationError(text, at, what, name.length);
      }
      return [name, checkedParameter(name, given[name] ?? 1)];
    }),
  );
}

function checkedParameter(name: string, given: number | Partial<NamedParameter>): NamedParameter {
  const {
    guess,
    low = -Infinity,
    high = Infinity,
    unit = null,
  } = typeof given === "number" ? { guess: given } : given;
  if (Number.isNaN(low) || Number.isNaN(high) || !(low < high)) {
    throw new OptionError(
      `The parameter ${name} needs a lower bound below its upper one, but ${low} and ${high} were given.`,
    );
  }
  const start = guess ?? startWithin(low, high);
  if (!(Number.isFinite(start) && start >= low && start <= high)) {
    const wanted =
      low === -Infinity && high === Infinity ? "that is a number" : `between its bounds ${low} and ${high}`;
    throw new OptionError(`The parameter ${name} needs a guess ${wanted}, but ${start} was given.`);
  }
  return { guess: start, low, high, unit };
}

/** 1, or what is nearest to it well within the bounds. */
function startWithin(low: number, high: number): number {
  if (low < 1 && high > 1) return 1;
  if (Number.isFinite(low) && Number.isFinite(high)) return (low + high) / 2;
  return low >= 1 ? 2 * low : high - 1;
}
