import { ModelDefinitionError } from "./check-definition.js";

/** Values by name that a function is given, and what messages say of them. */
export interface Readable<T> {
  /** as it stands before a name: "the output" */
  readonly kind: string;
  /** of what there is: "the model gives" */
  readonly there: string;
  readonly values: T;
}

/**
 * What a function makes of values by name. Where it fails after it has read a name that there is not, that is said in place
 * of what went wrong with `undefined`.
 *
 * @param who  as it begins a sentence: 'The loss of a task with the model "m"'
 * @throws {ModelDefinitionError} naming what was read and is not there
 */
export function reading<T extends readonly object[], R>(
  who: string,
  given: { readonly [K in keyof T]: Readable<T[K]> },
  work: (...values: T) => R,
): R {
  let missed: string | undefined;
  const watched = given.map(
    ({ kind, there, values }) =>
      new Proxy(values as object, {
        get(target, name, receiver) {
          if (typeof name === "string" && !(name in target)) {
            const names = Object.keys(target).join(", ") || "none";
            missed ??= `${who} reads ${kind} "${name}", but ${there} ${names}.`;
          }
          return Reflect.get(target, name, receiver);
        },
      }),
  );
  let result: R;
  try {
    result = work(...(watched as unknown as T));
  } catch (cause) {
    if (missed === undefined || !(cause instanceof TypeError)) throw cause;
    throw new ModelDefinitionError(missed, { cause });
  }
  if (result === undefined && missed !== undefined) throw new ModelDefinitionError(missed);
  return result;
}
