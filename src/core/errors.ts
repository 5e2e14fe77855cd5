/**
 * The root of every error that revort throws on purpose. One class per cause, declared beside the code that
 * throws it; each message names what was given, what was expected, and the remedy.
 */
export class RevortError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}
