import { RevortError } from "../core/errors.js";

/** A request that is not answered as it asks, with the HTTP status that says whose fault that is. */
export class RequestError extends RevortError {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** A request that contradicts itself, the protocol or the model. */
export function badRequest(message: string): RequestError {
  return new RequestError(400, message);
}
