import { RuntimeUnavailableError } from "../runtime/runtime.js";

/** What only a server needs is not installed with revort. @throws {RuntimeUnavailableError} saying how to */
export async function serverPackages() {
  try {
    const [{ fastify }, prometheus] = await Promise.all([import("fastify"), import("prom-client")]);
    return { fastify, prometheus: prometheus.default };
  } catch (cause) {
    throw new RuntimeUnavailableError(
      `A server needs packages that are not here (${(cause as Error).message.split("\n")[0]}). ` +
        "Install them beside revort with `npm install fastify@5 prom-client@15`.",
      { cause },
    );
  }
}
