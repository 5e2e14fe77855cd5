import { coupledOscillator } from "./coupled-oscillator.js";
import { doublePendulum } from "./double-pendulum.js";
import type { Experiment } from "./experiment.js";
import { hareLynx } from "./hare-lynx.js";
import { influenza } from "./influenza.js";
import { whiteDwarf } from "./white-dwarf.js";

/** The experiments that have a name. */
export const experiments: readonly Experiment[] = [
  influenza,
  hareLynx,
  whiteDwarf,
  coupledOscillator,
  doublePendulum,
];
