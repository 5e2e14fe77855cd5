import { oneLine } from "./printable.js";

/**
 * The root of every error that revort throws on purpose. One class per cause, declared beside the code that
 * throws it; each message names what was given, what was expected, and the remedy. What it quotes may come from a
 * file that nobody has looked at, so a message is made one line that is safe to show, whoever shows it.
 */
export class RevortError extends Error {
  constructor(message?: string, options?: ErrorOptions) {
    super(message === undefined ? undefined : oneLine(message), options);
  }

  override get name(): string {
    return this.constructor.name;
  }
}
