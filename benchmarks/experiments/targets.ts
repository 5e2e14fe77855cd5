import { type Target, target, unmeasured } from "../result.js";
import type { ExperimentRow } from "./contest.js";

/** How many times as fast as the fastest of others an update is to be. */
const wanted = 2;

const own = (rows: readonly ExperimentRow[]) => rows.filter(({ library }) => library === "revort");
const fastest = (rows: readonly ExperimentRow[]) =>
  [...rows].sort((one, other) => one.seconds - other.seconds)[0];

export function showRow({ library, scheme, gradient, threads }: ExperimentRow): string {
  return `${library}, ${scheme}, ${gradient}${threads > 1 ? `, ${threads} threads` : ""}`;
}

interface Question {
  readonly name: string;
  readonly what: string;
  readonly atLeast: number;
  /** which of the others count; all by default */
  readonly theirs?: (row: ExperimentRow) => boolean;
}

const questions: Readonly<Record<string, readonly Question[]>> = {
  "two-moons": [
    {
      name: "diffrax",
      what: "two-moons, reversible: faster than diffrax with vmap over points, its faster adjoint",
      atLeast: 5,
      theirs: ({ library, gradient }) => library === "diffrax" && gradient.startsWith("vmap"),
    },
    {
      name: "jax",
      what: "two-moons, reversible: not slower than the flow as batched products in bare JAX",
      atLeast: 1,
      theirs: ({ library }) => library === "JAX",
    },
  ],
};

/**
 * How fast updates of a case are, beside those of others: of revort the way of the experiment, on however many threads.
 *
 * @param way  the gradient of the experiment
 */
export function speedTargets(name: string, rows: readonly ExperimentRow[], way: string): Target[] {
  const asked = questions[name] ?? [
    {
      ...{ name: "any", atLeast: wanted },
      what: `${name}, ${way}: faster than the fastest of diffrax, torchdiffeq, torchcde and torchsde`,
      theirs: ({ library }: ExperimentRow) => library !== "JAX",
    },
  ];
  return asked.map(({ name: short, what, atLeast, theirs = () => true }) => {
    const about = { name: `experiment-peers/${name}/${short}`, what, wanted: { atLeast } };
    const ours = fastest(own(rows).filter(({ gradient }) => gradient === way));
    const best = fastest(rows.filter((row) => row.library !== "revort" && theirs(row)));
    if (ours === undefined || best === undefined) {
      return unmeasured(about, `${ours === undefined ? "revort" : "the peers"} could not be measured`);
    }
    return target(about, best.seconds / ours.seconds, `${showRow(best)} ÷ ${showRow(ours)}`);
  });
}

/**
 * How fast plain stored steps are, which is what most of the others take, beside the fastest of them; none where an experiment
 * is trained so anyway, or has no plain scheme.
 */
export function plainTargets(name: string, rows: readonly ExperimentRow[]): Target[] {
  const isPlain = ({ scheme, gradient }: ExperimentRow) => scheme === "plain" && gradient === "direct";
  if (own(rows).every(isPlain) || !own(rows).some(isPlain)) return [];
  const about = {
    name: `experiment-peers/${name}/plain`,
    what: `${name}, plain stored steps: faster than the fastest of the other libraries, whatever it does`,
    wanted: { atLeast: wanted },
  };
  const ours = fastest(own(rows).filter(isPlain))!;
  const best = fastest(rows.filter(({ library }) => library !== "revort" && library !== "JAX"));
  if (best === undefined) return [unmeasured(about, "the peers could not be measured")];
  return [target(about, best.seconds / ours.seconds, `${showRow(best)} ÷ ${showRow(ours)}`)];
}

/** Whether undoing steps takes a fifth of the memory of storing them. */
export function storedTarget(name: string, rows: readonly ExperimentRow[]): Target {
  const about = {
    name: `experiments/${name}/memory`,
    what: `${name}: memory of an update that undoes its steps, as a share of one that stores them`,
    wanted: { atMost: 0.2 },
  };
  const of = (gradient: string) =>
    own(rows).find((row) => row.scheme === "coupled" && row.gradient === gradient && row.batch === "whole");
  const [undone, stored] = [of("reversible"), of("direct")];
  if (undone === undefined || stored === undefined)
    return unmeasured(about, "one of the two was not measured");
  return target(
    about,
    undone.peakMebibytes / stored.peakMebibytes,
    `whole processes, ${undone.peakMebibytes.toFixed(0)} MiB ÷ ${stored.peakMebibytes.toFixed(0)} MiB`,
  );
}

/** Backprop through all that eager solvers compute, which is what the published memory of stored steps is of. */
const storing: Readonly<Record<string, string>> = {
  "two-moons": "odeint",
  "character-trajectories": "cdeint",
};

/** Whether undoing steps takes a fifth of the memory of backprop through an eager solver; none where that is not asked. */
export function eagerTargets(name: string, rows: readonly ExperimentRow[], way: string): Target[] {
  const eager = storing[name];
  if (eager === undefined) return [];
  const about = {
    name: `experiment-peers/${name}/memory`,
    what: `${name}, ${way}: memory as a share of backprop through ${eager} in PyTorch`,
    wanted: { atMost: 0.2 },
  };
  const ours = own(rows).find(({ gradient, threads }) => gradient === way && threads === 1);
  const theirs = rows.find(({ library, gradient }) => library !== "revort" && gradient === eager);
  if (ours === undefined || theirs === undefined)
    return [unmeasured(about, "one of the two was not measured")];
  const shown = [ours, theirs].map(({ peakMebibytes }) => `${peakMebibytes.toFixed(0)} MiB`);
  return [target(about, ours.peakMebibytes / theirs.peakMebibytes, `whole processes, ${shown.join(" ÷ ")}`)];
}

/** Whether memory stays as it is with more steps. */
export function growthTarget(name: string, finer: number, few: number, many: number): Target {
  return target(
    {
      name: `experiments/${name}/growth`,
      what: `${name}, reversible: memory of the whole process over ${finer} times as many steps`,
      wanted: { atMost: 1.1 },
    },
    many / few,
    `${many.toFixed(0)} MiB ÷ ${few.toFixed(0)} MiB`,
  );
}
