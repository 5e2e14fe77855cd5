import { bosh3, euler, heun, midpoint, ralston, ralston3, rk4, rk38, ssprk3 } from "./tableaux/classic.js";
import { dopri8 } from "./tableaux/dopri8.js";
import { ees25, ees27 } from "./tableaux/effectively-symmetric.js";
import { cashKarp, dopri5, fehlberg45, tsit5 } from "./tableaux/fifth-order.js";
import type { Tableau } from "./tableaux/tableau.js";

// Adding a solver is adding one record to a file of tableaux/, and to this list: the tests check its conditions and
// measure its order.

export type { DenseOutput, EmbeddedError, Tableau } from "./tableaux/tableau.js";
export {
  bosh3,
  cashKarp,
  dopri5,
  dopri8,
  ees25,
  ees27,
  euler,
  fehlberg45,
  heun,
  midpoint,
  ralston,
  ralston3,
  rk4,
  rk38,
  ssprk3,
  tsit5,
};

/** All tableaux that are undone by coupling them, or not at all; for command lines and tests. */
export const tableaux: readonly Tableau[] = [
  ...[euler, midpoint, heun, ralston, ralston3, ssprk3, bosh3, rk4, rk38],
  ...[fehlberg45, cashKarp, dopri5, tsit5, dopri8],
];

/** Those whose steps are undone by steps back. */
export const symmetricTableaux: readonly Tableau[] = [ees25, ees27];
