import type { DataFile, TaskExperiment, TaskProtocol } from "../../src/experiments/task-experiment.js";

// Experiments as small as they can be made without being other ones: longer steps, few samples, data of a few lines.

interface Tiny {
  readonly protocol?: Partial<TaskProtocol>;
  readonly files?: readonly DataFile[];
}

const file = (name: string, text: string): DataFile => ({ name, bytes: new TextEncoder().encode(text) });

/** Circles run through either way, as a letter of each. */
const circles = Array.from({ length: 12 }, (_, i) => ({
  label: "lr"[i % 2]!,
  x: Array.from({ length: 9 }, (__, k) => {
    const angle = 0.5 * k * (i % 2 === 0 ? 1 : -1) + i;
    return [Math.cos(angle), Math.sin(angle)];
  }),
}));
const archive = (name: string) => {
  const lines = circles.map(
    ({ label, x }) => `${[0, 1].map((c) => x.map((row) => row[c]).join()).join(":")}:${label}`,
  );
  return file(name, `@problemName A\n@data\n${lines.join("\n")}\n`);
};

const few = { samples: 4, stepSize: 0.5 };
/** What is undone and stored is to be the same method, so those that are not coupled are. */
const coupled = { coupling: 0.999, gradient: "reversible" } as const;

const all: Readonly<Record<string, Tiny>> = {
  "two-moons": { protocol: { stepSize: 0.25 } },
  "character-trajectories": {
    protocol: { stepSize: 0.25 },
    files: [file("series.json", JSON.stringify(circles))],
  },
  uea: { files: [archive("A_TRAIN.ts"), archive("A_TEST.ts")] },
  "latent-sde": { protocol: { stepSize: 0.25 } },
  "ou-sde-gan": {},
  spirals: {},
  "latent-spirals": { protocol: coupled },
  "irregular-periodic": { protocol: coupled },
  heat: {},
  burgers: {},
  "gray-scott": {},
  "mnist-ode": { protocol: few },
  "cifar-ode": { protocol: few },
  "deq-mnist": { protocol: { samples: 4 } },
  "deq-cifar": { protocol: { samples: 4 } },
  turbulence: { protocol: { stepSize: 0.1 } },
};

/** @throws {Error} for an experiment that is not listed here */
export function tinyOf({ name }: TaskExperiment): Required<Tiny> {
  const tiny = all[name];
  if (tiny === undefined) throw new Error(`Say in test/experiments/tiny.ts how small "${name}" can be made.`);
  return { protocol: {}, files: [], ...tiny };
}
