import { whiteDwarf as experiment } from "../experiments/white-dwarf.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { explicit } from "../methods/explicit.js";
import { reversible } from "../methods/reversible.js";
import { euler, midpoint, ralston3, rk4, type Tableau } from "../methods/tableaux.js";
import type { Runtime } from "../runtime/runtime.js";
import { train } from "../train/train.js";
import { type Figure, marked } from "./figure.js";

const checkpoints = [44, 32, 16, 8, 4, 2];
const tableaux: readonly Tableau[] = [euler, midpoint, ralston3, rk4];
const updates = 1000;
/** Checkpointed gradients are exact, so a few updates tell their time, and one training their loss. */
const timedUpdates = 200;
/** Updates between two looks at the clock: few, so that some of them run while the machine does nothing else. */
const updatesPerRun = (states: number | null) => (states !== null && states <= 4 ? 1 : 5);
const minutesPublished: Readonly<Record<string, readonly [number, number, number]>> = {
  euler: [1.52, 5.22, 264],
  midpoint: [1.74, 5.45, 280],
  ralston3: [1.81, 4.9, 260],
  rk4: [2.21, 4.95, 254],
};

interface Row extends Awaited<ReturnType<typeof measured>> {
  readonly solver: string;
  readonly gradient: string;
  readonly minutesPublished: number | null;
}

/** The white-dwarf table: loss after 1000 updates, and time and evaluations of an update by gradient method. */
export const whiteDwarfTable: Figure = {
  name: "white-dwarf",
  about: "the white-dwarf table: reversible gradients and 2 to 44 checkpoints (McCallum & Foster 2024)",
  async make({ runtime, progress }) {
    const rows: Row[] = [];
    const total = tableaux.length * (1 + checkpoints.length);
    for (const tableau of tableaux) {
      const first = await measured(runtime, tableau, null, updates);
      rows.push({
        solver: tableau.name,
        gradient: "reversible",
        ...first,
        minutesPublished: minutesPublished[tableau.name]![0],
      });
      progress(rows.length, total);
      for (const states of checkpoints) {
        const found = await measured(runtime, tableau, states, timedUpdates);
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
    const of = (solver: string) => rows.filter((row) => row.solver === solver);
    const times = rows.map((row) => row.millisecondsPerUpdate);
    const domain = [Math.min(...times) / 1.3, Math.max(...times) * 1.3] as const;
    return {
      chart: {
        title: "White dwarf: time of an update by gradient method",
        subtitle: `1000 steps, ${runtime.name}; the reversible gradient stores one state and is drawn across`,
        panels: tableaux.map(({ name }) => ({
          title: name,
          x: { title: "states stored", scale: "log" as const },
          // one scale for all, so that panels can be compared
          y: { title: "time of an update", unit: "ms", scale: "log" as const, domain },
          layers: [
            {
              kind: "line" as const,
              name: "reversible",
              color: "blue" as const,
              dashed: true,
              x: [1, 44],
              y: [of(name)[0]!.millisecondsPerUpdate, of(name)[0]!.millisecondsPerUpdate],
            },
            ...marked({
              kind: "line",
              name: "checkpointing",
              color: "vermillion",
              x: checkpoints,
              y: of(name)
                .slice(1)
                .map((row) => row.millisecondsPerUpdate),
            }),
          ],
        })),
      },
      data: { runtime: runtime.name, steps: 1000, seed: 0, rows },
    };
  },
};

async function measured(runtime: Runtime, tableau: Tableau, states: number | null, steps: number) {
  const { protocol } = experiment;
  const ode = neuralOde({
    field: experiment.field(),
    method: states === null ? reversible(tableau, { coupling: protocol.coupling }) : explicit(tableau),
    stepSize: protocol.stepSize,
  });
  const seconds: number[] = [];
  const result = await train(ode, await experiment.data({ ode, runtime, file: null }), {
    runtime,
    gradient: states === null ? "reversible" : `checkpoint:${states}`,
    optimiser: protocol.optimiser({}),
    steps,
    updatesPerRun: updatesPerRun(states),
    onUpdate: (report) => {
      seconds.push(report.seconds);
    },
  });
  // the first updates compile
  const warm = seconds.slice(Math.floor(seconds.length / 2)).sort((a, b) => a - b);
  return {
    updates: result.losses.length,
    lossMin: result.losses.reduce((least, loss) => Math.min(least, loss), Number.POSITIVE_INFINITY),
    // the least, for what else a machine does only ever adds to a time
    millisecondsPerUpdate: 1000 * warm[0]!,
    evaluations: result.evaluations,
    storedStates: result.storedStates,
  };
}
