import { whiteDwarf as experiment } from "../experiments/white-dwarf.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { explicit } from "../methods/explicit.js";
import type { Method } from "../methods/method.js";
import { reversible } from "../methods/reversible.js";
import { euler, midpoint, ralston3, rk4, type Tableau } from "../methods/tableaux.js";
import type { Color } from "../plot/chart.js";
import type { Runtime } from "../runtime/runtime.js";
import { train } from "../train/train.js";
import { type Figure, marked } from "./figure.js";
import { processorTime } from "./processor-time.js";
import { methodOf, reversibleSchemes } from "./schemes.js";

const colors = ["green", "purple", "orange", "sky", "black"] as const;
const checkpoints = [44, 32, 16, 8, 4, 2];
const tableaux: readonly Tableau[] = [euler, midpoint, ralston3, rk4];
const updates = 1000;
/** Checkpointed gradients are exact, so a few updates tell their time, and one training their loss. */
const timedUpdates = 200;
/** Updates between two looks at the clock. */
const updatesPerRun = (states: number | null) => (states !== null && states <= 4 ? 1 : 5);
const minutesPublished: Readonly<Record<string, readonly [number, number, number]>> = {
  euler: [1.52, 5.22, 264],
  midpoint: [1.74, 5.45, 280],
  ralston3: [1.81, 4.9, 260],
  rk4: [2.21, 4.95, 254],
};

/**
 * The velocity is damped by 2 / (t + ½), a rate of 0.96 on average. So little is not stiff: after Lawson with −1 it is shown what the change
 * of variables costs, not what it is good for.
 */
const rates = "0,-1";

interface Row extends Awaited<ReturnType<typeof measured>> {
  readonly solver: string;
  readonly gradient: string;
  readonly minutesPublished: number | null;
}

/** The white-dwarf table: loss after 1000 updates, and time and evaluations of an update by gradient method. */
export const whiteDwarfTable: Figure = {
  name: "white-dwarf",
  about: "the white-dwarf table: reversible schemes and 2 to 44 checkpoints (McCallum & Foster 2024)",
  async make({ runtime, progress, ...given }) {
    const rows: Row[] = [];
    const coupling = given.coupling ?? experiment.protocol.coupling;
    const [, ...others] = reversibleSchemes({ coupling, rates });
    const total = tableaux.length * (1 + checkpoints.length) + others.length;
    for (const tableau of tableaux) {
      const first = await measured(runtime, reversible(tableau, { coupling }), null, updates);
      rows.push({
        solver: tableau.name,
        gradient: "reversible",
        ...first,
        minutesPublished: minutesPublished[tableau.name]![0],
      });
      progress(rows.length, total);
      for (const states of checkpoints) {
        const found = await measured(runtime, explicit(tableau), states, timedUpdates);
        const published = states === 44 ? 1 : states === 2 ? 2 : null;
        rows.push({
          solver: tableau.name,
          gradient: `checkpoint:${states}`,
          ...found,
          minutesPublished: published === null ? null : minutesPublished[tableau.name]![published],
        });
        progress(rows.length, total);
      }
    }
    for (const scheme of others) {
      const found = await measured(runtime, methodOf(scheme), null, updates);
      rows.push({ solver: scheme.name, gradient: "reversible", ...found, minutesPublished: null });
      progress(rows.length, total);
    }
    const of = (solver: string) => rows.filter((row) => row.solver === solver);
    /** what stores one state, drawn across */
    const across = (name: string, solver: string, color: Color) => ({
      ...{ kind: "line" as const, name, color, dashed: true, x: [1, 44] },
      y: [of(solver)[0]!.millisecondsPerUpdate, of(solver)[0]!.millisecondsPerUpdate],
    });
    const times = rows.map((row) => row.millisecondsPerUpdate);
    const domain = [Math.min(...times) / 1.3, Math.max(...times) * 1.3] as const;
    return {
      chart: {
        title: "White dwarf: processor time of an update by gradient method",
        subtitle: `1000 steps, ${runtime.name}; what undoes its steps stores one state and is drawn across`,
        panels: tableaux.map(({ name }) => ({
          title: name,
          x: { title: "states stored", scale: "log" as const },
          // one scale for all, so that panels can be compared
          y: { title: "processor time", unit: "ms", scale: "log" as const, domain },
          layers: [
            across("coupled", name, "blue"),
            ...marked({
              kind: "line",
              name: "checkpointing",
              color: "vermillion",
              x: checkpoints,
              y: of(name)
                .slice(1)
                .map((row) => row.millisecondsPerUpdate),
            }),
            // of its order
            ...(name === "midpoint" ? others.map(({ name: own }, i) => across(own, own, colors[i]!)) : []),
          ],
        })),
      },
      data: { runtime: runtime.name, steps: 1000, seed: 0, rows },
    };
  },
};

/** @param states  those stored; `null` where steps are undone */
async function measured(runtime: Runtime, method: Method, states: number | null, steps: number) {
  const { protocol } = experiment;
  const ode = neuralOde({ field: experiment.field(), method, stepSize: protocol.stepSize });
  const ends: number[] = [];
  const result = await train(ode, await experiment.data({ ode, runtime, file: null }), {
    runtime,
    gradient: states === null ? "reversible" : `checkpoint:${states}`,
    optimiser: protocol.optimiser({}),
    steps,
    updatesPerRun: updatesPerRun(states),
    onUpdate: () => {
      ends.push(processorTime());
    },
  });
  // updates of one run end together; the first ones compile
  const each = updatesPerRun(states);
  const later = ends.slice(Math.floor(ends.length / 2));
  const seconds = later.slice(each).map((end, i) => (end - later[i]!) / each);
  return {
    updates: result.losses.length,
    lossMin: result.losses.reduce((least, loss) => Math.min(least, loss), Number.POSITIVE_INFINITY),
    // the least, for what else a machine does only ever adds to a time
    millisecondsPerUpdate: 1000 * Math.min(...seconds),
    evaluations: result.evaluations,
    storedStates: result.storedStates,
  };
}
