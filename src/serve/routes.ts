import type { FastifyReply, FastifyRequest } from "fastify";
import { version } from "../version.js";
import { askedOutputs, inferAnswer } from "./infer-answer.js";
import { checkInputs, jsonIn, parseInferRequest } from "./infer-request.js";
import type { Tensors } from "./messages.js";
import type { Metrics } from "./metrics.js";
import { configOf, metadataOf } from "./model-answers.js";
import type { Models, ServedModel } from "./models.js";
import { openApi } from "./openapi.js";
import { mostJson } from "./options.js";
import { RequestError } from "./request-error.js";
import type { Scheduler } from "./scheduler.js";
import { parseSolveRequest, solveAnswer } from "./solve-request.js";
import { prepareSolve } from "./solve-task.js";

/** What answers are made with. */
export interface Context {
  readonly models: Models;
  readonly scheduler: Scheduler;
  readonly metrics: Metrics;
  /** whether the folder has been looked at */
  readonly ready: () => boolean;
  readonly hasToken: boolean;
  /** bytes of a request at most */
  readonly body: number;
}

type Handler = (context: Context, request: FastifyRequest, reply: FastifyReply) => unknown;

export interface Route {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly handler: Handler;
  /** whether it is answered without a token */
  readonly open?: true;
}

const both = (method: Route["method"], path: string, handler: Handler): Route[] => [
  { method, url: `/v2/models/:model${path}`, handler },
  { method, url: `/v2/models/:model/versions/:version${path}`, handler },
];

/** All that is answered: the Open Inference Protocol v2, solves, and what operators ask. */
export const routes: readonly Route[] = [
  { method: "GET", url: "/v2/health/live", handler: () => ({ live: true }), open: true },
  { method: "GET", url: "/v2/health/ready", handler: ready, open: true },
  { method: "GET", url: "/v2", handler: () => server },
  { method: "GET", url: "/v2/models", handler: ({ models }) => ({ models: namesOf(models) }) },
  { method: "POST", url: "/v2/repository/index", handler: ({ models }) => index(models) },
  ...both("GET", "", (context, request) => metadataOf(modelOf(context, request))),
  ...both("GET", "/ready", (context, request) => ({ name: modelOf(context, request).name, ready: true })),
  ...both("GET", "/config", (context, request) => configOf(modelOf(context, request))),
  ...both("POST", "/infer", infer),
  ...both("POST", "/solve", solve),
  { method: "GET", url: "/metrics", handler: metrics },
  {
    method: "GET",
    url: "/openapi.json",
    handler: ({ hasToken, models }) => openApi(hasToken, namesOf(models)),
  },
];

const server = {
  ...{ name: "revort", version },
  extensions: ["binary_tensor_data", "model_repository", "model_configuration", "solve"],
};

function ready({ ready }: Context, _: FastifyRequest, reply: FastifyReply) {
  return reply.code(ready() ? 200 : 503).send({ ready: ready() });
}

function namesOf(models: Models): string[] {
  return models.states.flatMap(({ name, state }) => (state === "READY" ? [name] : [])).sort();
}

function index(models: Models) {
  return models.states.map(({ name, state, reason }) => ({ name, version: "1", state, reason }));
}

async function metrics({ metrics }: Context, _: FastifyRequest, reply: FastifyReply) {
  return reply.type(metrics.contentType).send(await metrics.text());
}

function modelOf({ models }: Context, request: FastifyRequest): ServedModel {
  const { model, version: asked } = request.params as { model: string; version?: string };
  return models.named(model, asked);
}

async function infer(context: Context, request: FastifyRequest, reply: FastifyReply) {
  const { scheduler, body: most } = context;
  const model = modelOf(context, request);
  scheduler.checkRoom();
  const length = request.headers["inference-header-content-length"];
  const limits = { json: mostJson, elements: most };
  const asked = parseInferRequest(bodyOf(request), Array.isArray(length) ? length[0] : length, limits);
  const { description, infer: served } = model;
  checkInputs(description.inputs, asked.inputs, new Set(description.inside));
  const names = askedOutputs(
    asked,
    description.outputs.map(({ name }) => name),
  );
  const feeds: Tensors = Object.fromEntries(asked.inputs);
  const rows = served.tile === null ? null : commonRows(served.rowInputs, feeds);
  const results = await scheduler.run({ served, kind: "run", feeds, rows, signal: departure(reply) });
  const wanted = Object.fromEntries(names.map((name) => [name, results[name]!]));
  const { body, headers } = inferAnswer(asked, model, wanted);
  return reply.headers(headers).send(body);
}

/** Rows of the samples of a request; `null` where its inputs do not agree on them, of which the model is to complain. */
function commonRows(names: readonly string[], feeds: Tensors): number | null {
  const [first = 0, ...others] = names.map((name) => feeds[name]!.shape[0]!);
  return first > 0 && others.every((rows) => rows === first) ? first : null;
}

async function solve(context: Context, request: FastifyRequest, reply: FastifyReply) {
  const { scheduler } = context;
  const model = modelOf(context, request);
  scheduler.checkRoom();
  const asked = parseSolveRequest(jsonIn(bodyOf(request), mostJson));
  const { task, rowsFirst, isOne } = await prepareSolve(model, asked);
  const results = rowsFirst(await scheduler.run({ ...task, signal: departure(reply) }));
  const answer = solveAnswer(asked, results, isOne);
  const { id } = asked;
  return {
    model_name: model.name,
    model_version: model.version,
    ...(id === undefined ? {} : { id }),
    ...answer,
  };
}

/** @throws {RequestError} for a body that is packed */
function bodyOf({ headers, body }: FastifyRequest): Uint8Array {
  const packed = headers["content-encoding"];
  if (packed === undefined || packed === "identity")
    return (body as Uint8Array | undefined) ?? new Uint8Array();
  throw new RequestError(
    415,
    `The request is packed (${packed}), which is not taken here. Send it as it is.`,
    {
      "accept-encoding": "identity",
    },
  );
}

/** Aborted when the client goes away before it has its answer. */
function departure({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.on("close", () => {
    if (!raw.writableEnded) gone.abort();
  });
  return gone.signal;
}
