import { createHash, timingSafeEqual } from "node:crypto";
import type { AddressInfo } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { printable } from "../core/printable.js";
import { metricsOf } from "./metrics.js";
import { type ModelState, Models, modelOfKey } from "./models.js";
import { mostConnections, type ServeOptions } from "./options.js";
import { serverPackages } from "./packages.js";
import { RequestError } from "./request-error.js";
import { type Context, routes } from "./routes.js";
import { Scheduler } from "./scheduler.js";

/** A server that listens. */
export interface Server {
  readonly url: string;
  readonly models: readonly ModelState[];
  readonly scheduler: Scheduler;
  /** Looks at the folder now. */
  look(): Promise<void>;
  /** Takes no more requests, answers those that have come, and ends its workers. */
  close(): Promise<void>;
}

/**
 * Serves the models of a folder by the Open Inference Protocol v2. It listens when all that is there has been loaded, or
 * found to be impossible to load.
 *
 * @param log  where a line of JSON for each event goes
 * @throws {RuntimeUnavailableError} where the packages that it needs are not installed
 * @throws {Error} of Node's, where it cannot listen: EADDRINUSE, EACCES
 */
export async function startServer(
  folder: string,
  options: ServeOptions,
  log: (line: string) => void,
): Promise<Server> {
  const { fastify, prometheus } = await serverPackages();
  const milliseconds = options.timeout * 1000;
  const app = fastify({
    logger: { level: options.logLevel, stream: { write: log } },
    bodyLimit: options.body,
    requestTimeout: milliseconds,
    // a connection on which nothing moves for longer than a request may wait and run, twice each
    connectionTimeout: 5 * milliseconds,
    keepAliveTimeout: 30_000,
    return503OnClosing: true,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 500 },
    http: {
      headersTimeout: Math.min(milliseconds, 10_000),
      connectionsCheckingInterval: Math.min(milliseconds / 4, 1000),
    },
  });
  const scheduler = new Scheduler(
    { ...options, timeout: milliseconds },
    {
      ran: (key, tasks, rows, seconds) => metrics.ran(modelOfKey(key), tasks, rows, seconds),
      replaced(reason) {
        metrics.replaced();
        app.log.warn({ reason }, "a worker was replaced");
      },
    },
  );
  const models = new Models(folder, scheduler, {
    loaded: (model, { alone }) => app.log.info({ model, ...(alone === null ? {} : { alone }) }, "loaded"),
    unloaded: (model) => app.log.info({ model }, "unloaded"),
    failed: (model, reason) => app.log.error({ model, reason: printable(reason) }, "cannot be served"),
  });
  const count = () => models.states.filter(({ state }) => state === "READY").length;
  const metrics = metricsOf(prometheus, () => scheduler, count);
  let isReady = false;
  const { token, body } = options;
  const context = { models, scheduler, metrics, ready: () => isReady, hasToken: token !== null, body };
  prepare(app as unknown as FastifyInstance, context, token);

  try {
    await models.look();
    isReady = true;
    app.server.maxConnections = mostConnections;
    await app.listen({ host: options.host, port: options.port });
  } catch (cause) {
    await scheduler.close();
    throw cause;
  }
  const watching = setInterval(() => {
    models.look().catch((cause) => app.log.error(cause, "the folder could not be looked at"));
  }, options.look * 1000);
  return {
    url: urlOf(app.server.address() as AddressInfo),
    get models() {
      return models.states;
    },
    scheduler,
    look: () => models.look(),
    async close() {
      clearInterval(watching);
      isReady = false;
      // a connection that is kept alive would be waited for when its last answer is out
      const parting = setInterval(() => app.server.closeIdleConnections(), 50);
      await app.close();
      clearInterval(parting);
      await scheduler.close();
    },
  };
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

/** Routes, tokens and failures. */
function prepare(app: FastifyInstance, context: Context, token: string | null): void {
  app.removeAllContentTypeParsers();
  // clients send none, or any
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body, done) => done(null, body));
  const open = new Set(routes.flatMap((route) => (route.open ? [route.url] : [])));
  if (token !== null) {
    app.addHook("onRequest", async (request) => {
      if (!open.has(request.routeOptions.url ?? "")) checkToken(request.headers.authorization, token);
    });
  }
  app.addHook("onResponse", async (request, reply) => {
    const { model = "" } = (request.params ?? {}) as { model?: string };
    const known = context.models.states.some(({ name }) => name === model);
    const route = request.routeOptions.url ?? "";
    context.metrics.answered(known ? model : "", route, reply.statusCode, reply.elapsedTime / 1000);
  });
  for (const { method, url, handler } of routes)
    app.route({ method, url, handler: (request, reply) => handler(context, request, reply) });
  // before the body is looked at, of which a method that is not for this may want something
  app.addHook("onRequest", async (request) => {
    if (request.is404) throw notThere(request);
  });
  app.setErrorHandler(fail);
}

const paths = routes.map(({ method, url }) => ({
  method,
  pattern: new RegExp(`^${url.replace(/:[a-z]+/g, "[^/]+")}$`),
}));

/** Why there is no route for a request: nothing is there, or it is there for other methods. */
function notThere({ method, url }: FastifyRequest): RequestError {
  const path = url.split("?")[0]!;
  const methods = paths.filter(({ pattern }) => pattern.test(path)).map((route) => route.method);
  if (methods.length === 0)
    return new RequestError(404, `There is nothing at ${path.slice(0, 200)}; see /openapi.json.`);
  const allowed = methods.includes("GET") ? ["GET", "HEAD"] : methods;
  const verb = allowed.length > 1 ? "are" : "is";
  return new RequestError(405, `${method} is not for this; ${allowed.join(" and ")} ${verb}.`, {
    allow: allowed.join(", "),
  });
}

/** @throws {RequestError} 401, in a time that says nothing of how much of a token is right */
function checkToken(header: string | undefined, token: string): void {
  const given = /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1] ?? "";
  const digest = (text: string) => createHash("sha256").update(text).digest();
  if (timingSafeEqual(digest(given), digest(token))) return;
  throw new RequestError(401, "This server wants a token: Authorization: Bearer TOKEN.", {
    "www-authenticate": 'Bearer realm="revort"',
  });
}

function fail(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) {
  if (error instanceof RequestError)
    return reply.code(error.status).headers(error.headers).send({ error: error.message });
  const status = "statusCode" in error ? (error.statusCode ?? 500) : 500;
  if (status < 500) return reply.code(status).send({ error: error.message });
  request.log.error(error, "unexpected failure");
  return reply
    .code(status)
    .send({ error: status === 503 ? error.message : "The server failed; its log says how." });
}
