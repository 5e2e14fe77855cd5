import { tellingOf } from "../autodiff/region.js";
import { type AdjointSpec, chainMethodOf } from "../chains/adjoints.js";
import type { Chain } from "../chains/chain.js";
import { runChain } from "../chains/run-chain.js";
import type { FloatDType } from "../core/tensor.js";
import type { Values, VectorField } from "../fields/field.js";
import { guardedGradient } from "../gradients/reconstruction-limit.js";
import { storedCloser } from "../gradients/stored-closer.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { type Interval, isReversible, type Method, type State } from "../methods/method.js";
import type { SolvesInTraining } from "../nn/layer.js";
import { add } from "../ops/arithmetic.js";
import { gather } from "../ops/slicing.js";
import { systemIn } from "../programs/inputs.js";
import { solverChain } from "../programs/solver-chain.js";
import { relativeDrift } from "../programs/watch.js";

/** What a field that is driven from outside reads beside its parameters: u at the start of a step, u' along it, and where it starts. */
export const drivenBy = { start: "drive.start", slope: "drive.slope", from: "drive.from" } as const;

/** Where each sample steps: rows of steps, [steps, batch, 1] each. A step of length 0 leaves the state of a plain method as it is. */
export interface OwnSteps {
  /** times at which steps start */
  readonly t0: Value;
  readonly h: Value;
  /** what drives the field, linear along each step: [steps, batch, inputs]; `null` where nothing does */
  readonly drive: { readonly start: Value; readonly slope: Value } | null;
}

export interface OwnStepsOptions {
  /** θ of the field by name */
  readonly theta: Values;
  /** [batch, dim] */
  readonly y0: Value;
  readonly steps: OwnSteps;
  readonly adjoint?: AdjointSpec;
  /** as in `odeSolve` */
  readonly training?: SolvesInTraining | null;
}

interface Row extends Interval {
  readonly drive: { readonly start: Value; readonly slope: Value } | null;
}

/**
 * A solve of dy/dt = f(t, y, u(t); θ) with steps of each sample's own, as a part of a model: the states after each step,
 * [steps, batch, dim]. No sample takes the steps of another, so what comes of one does not depend on its batch; and no step
 * is taken for the sake of another's times.
 *
 * The chain is that of a solver, so that its gradient is what `adjoint` says: by stored steps, checkpoints, or undone steps
 * of a reversible method. The field is told times [batch, 1].
 */
export function odeOnOwnSteps(
  b: Builder,
  { field, method }: { readonly field: VectorField; readonly method: Method },
  { theta, y0, steps, adjoint = "direct", training = null }: OwnStepsOptions,
): Value {
  const { t0, h, drive } = steps;
  const rows: Row = { t0, t1: add(b, t0, h), h, drive };
  const first = (value: Value) => gather(b, value, 0);
  const driven =
    drive === null
      ? theta
      : withDrive(theta, { t0: first(t0), drive: { start: first(drive.start), slope: first(drive.slope) } });
  const start = method.start(systemIn(b, field, driven), first(t0), y0);
  const count = t0.shape[0] as number;
  const { saved, end } = runChain(
    b,
    drivenChain(field, method),
    { start, shared: theta, rows, steps: count },
    {
      adjoint: closeEnough({ method, dtype: y0.dtype as FloatDType }, adjoint, count, training),
      save: "every",
    },
  );
  const drift = relativeDrift(b, { method, dtype: y0.dtype as FloatDType }, y0, end, []);
  return drift === null ? saved[0]! : tellingOf(b, saved[0]!, "drift", drift);
}

/** How the chain is differentiated, with states stored where undoing so many steps would lose them, or has lost them. */
function closeEnough(
  of: { readonly method: Method; readonly dtype: FloatDType },
  adjoint: AdjointSpec,
  steps: number,
  training: SolvesInTraining | null,
): AdjointSpec {
  const asked = chainMethodOf(adjoint);
  if (asked.kind !== "reversible" || !isReversible(of.method)) return asked;
  const { gradient } = guardedGradient(asked, of.method, of.dtype, steps);
  return storedCloser(of, gradient, steps, training) as AdjointSpec;
}

/** The steps of a method, with what drives the field among what they share. */
function drivenChain(field: VectorField, method: Method): Chain<State, Values, Row> {
  const { step, undo, back, ...rest } = solverChain({ field, method });
  const own = <L extends { readonly shared: Values; readonly row: Row }>(link: L) => ({
    ...link,
    shared: withDrive(link.shared, link.row),
  });
  return {
    ...rest,
    step: (b, link, state) => step(b, own(link), state),
    ...(undo === undefined ? {} : { undo: (b, link, state) => undo(b, own(link), state) }),
    ...(back === undefined
      ? {}
      : {
          back(b, link, after, cotangents) {
            const found = back(b, own(link), after, cotangents);
            const shared = found.shared as Readonly<Record<string, Value | null>>;
            const names = Object.keys(link.shared);
            return {
              ...found,
              shared: Object.fromEntries(names.map((name) => [name, shared[name] ?? null])),
              row: null,
            };
          },
        }),
  };
}

function withDrive(theta: Values, { t0, drive }: Pick<Row, "t0" | "drive">): Values {
  if (drive === null) return theta;
  return { ...theta, [drivenBy.start]: drive.start, [drivenBy.slope]: drive.slope, [drivenBy.from]: t0 };
}
