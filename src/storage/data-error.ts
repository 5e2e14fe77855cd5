import { RevortError } from "../core/errors.js";
import { shown } from "../core/printable.js";

/** Where in the data something is wrong; lines count from 1, as editors show them. */
export interface Place {
  /** The file, or whatever the text came from, as people know it. */
  readonly source: string;
  readonly line?: number;
  /** The name of the column, or its number where it has none. */
  readonly column?: string;
}

/** Data that cannot be used as it is. */
export class DataError extends RevortError {
  readonly place: Place;

  /** @param problem what is wrong and what to do about it; a sentence without its full stop */
  constructor(place: Place, problem: string, options?: ErrorOptions) {
    const line = place.line === undefined ? "" : `, line ${place.line}`;
    const column = place.column === undefined ? "" : `, column ${shown(place.column)}`;
    super(`${place.source}${line}${column}: ${problem}.`, options);
    this.place = place;
  }
}
