import { fixedPoint } from "../equilibrium/fixed-point.js";
import { implicitGradient } from "../equilibrium/gradient.js";
import { reversibleIteration } from "../equilibrium/reversible.js";
import { relaxedIteration } from "../equilibrium/solver.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { dropout } from "../nn/dropout.js";
import type { Training } from "../nn/layer.js";
import { add, mul } from "../ops/arithmetic.js";
import { zerosLike } from "../ops/generate.js";
import { reshape } from "../ops/reshape.js";
import { causal } from "./attention.js";
import type { Body } from "./body.js";
import { type Cell, cells } from "./cell.js";
import type { LanguageConfiguration } from "./configuration.js";

/** What a cell is given in a solve, beside its own parameters. */
const given = {
  input: "the embedded tokens",
  masks: ["what attention keeps", "what the perceptron keeps"],
} as const;

/**
 * The fixed point z = f(z, x) of one cell, by the coupled iteration whose steps are undone on the way back.
 *
 * @see McCallum, Arora & Foster 2025, arXiv:2509.12917
 */
export function reversibleBody(configuration: LanguageConfiguration): Body {
  const { relaxation, steps, state = "float64" } = configuration.equilibrium;
  const solver = reversibleIteration({ relaxation });
  return equilibriumBody(
    configuration,
    { solver, gradient: "reversible" as const, state },
    {
      attentions: 2 * steps,
      iterate(b, f, start) {
        let [y, z] = [start, start];
        for (let i = 0; i < steps; i++) {
          y = towards(b, y, f(z), relaxation);
          z = towards(b, z, f(y), relaxation);
        }
        return z;
      },
    },
  );
}

/**
 * The same by the relaxed iteration, differentiated by the implicit function theorem. No solver that mixes the places of a
 * window (Anderson's, Broyden's) is used: with it a place would depend on those after it.
 */
export function implicitBody(configuration: LanguageConfiguration): Body {
  const { relaxation, steps } = configuration.equilibrium;
  const solver = relaxedIteration({ relaxation });
  return equilibriumBody(
    configuration,
    { solver, gradient: implicitGradient(), keep: "last" as const },
    {
      attentions: steps,
      iterate(b, f, start) {
        let z = start;
        for (let i = 0; i < steps; i++) z = towards(b, z, f(z), relaxation);
        return z;
      },
    },
  );
}

/** (1 − β) z + β f(z) */
function towards(b: Builder, z: Value, fz: Value, relaxation: number): Value {
  return add(b, mul(b, z, 1 - relaxation), mul(b, fz, relaxation));
}

interface Unrolled {
  readonly attentions: number;
  readonly iterate: (b: Builder, f: (z: Value) => Value, start: Value) => Value;
}

type Solving = Pick<Parameters<typeof fixedPoint>[2], "solver" | "gradient" | "state" | "keep">;

function equilibriumBody(
  configuration: LanguageConfiguration,
  solving: Solving,
  { attentions, iterate }: Unrolled,
): Body {
  const { length, width, equilibrium } = configuration;
  const cell = cells[configuration.cell](configuration);
  return {
    parameters: cell.parameters,
    apply(b, theta, x, training) {
      const windows = reshape(b, x, [-1, length, width]);
      const masks = training && masksOf(b, configuration, x, training);
      const { z, residual, steps } = fixedPoint(
        b,
        { name: configuration.cell, apply: asFunction(cell, length) },
        {
          ...solving,
          given: { ...theta, [given.input]: x, ...masks },
          z0: zerosLike(b, windows),
          stop: { rtol: equilibrium.tolerance, atol: 0, maxSteps: equilibrium.steps },
          training,
        },
      );
      return { states: reshape(b, z, [-1, width]), solve: { residual, steps } };
    },
    attentions,
    unrolled: (b, theta, x, own, attend) =>
      iterate(
        b,
        (z) => cell.apply(b, theta, z, x, { length: own, attend, drop: (_, value) => value }),
        zerosLike(b, x),
      ),
  };
}

/** The cell on windows [batch, length, width]. */
function asFunction(cell: Cell, length: number) {
  return (b: Builder, values: Values, z: Value): Value => {
    const rows = reshape(b, z, [-1, z.shape.at(-1) as number]);
    const fz = cell.apply(b, values, rows, values[given.input]!, {
      ...{ length, attend: causal },
      drop(scope, value, which) {
        const mask = values[given.masks[which]];
        return mask === undefined ? value : mul(scope, value, mask);
      },
    });
    return reshape(b, fz, [-1, length, z.shape.at(-1) as number]);
  };
}

/** What is dropped, drawn once for all evaluations of a solve: without that there would be no fixed point. */
function masksOf(
  b: Builder,
  configuration: LanguageConfiguration,
  x: Value,
  training: Training,
): Values | null {
  if (configuration.dropout === 0) return null;
  const drop = dropout(configuration.dropout);
  const all = add(b, zerosLike(b, x), 1);
  return Object.fromEntries(given.masks.map((name) => [name, drop.apply(b, {}, all, training)]));
}
