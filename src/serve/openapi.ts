import { z } from "zod";
import { version } from "../version.js";
import { datatypes } from "./datatypes.js";
import { inferRequestSchema } from "./infer-request.js";
import { onlyVersion } from "./models.js";
import { solveRequestSchema } from "./solve-request.js";

const schemaOf = (schema: z.ZodType) => {
  const { $schema: _, ...own } = z.toJSONSchema(schema, { io: "input" }) as Record<string, unknown>;
  return own;
};
const text = { type: "string" } as const;
const whole = { type: "integer" } as const;
const list = (items: object) => ({ type: "array", items });
const record = (properties: Record<string, object>, required = Object.keys(properties)) => ({
  ...{ type: "object", properties, required },
});
const binary = { type: "string", format: "binary" } as const;

const tensorType = record({ name: text, datatype: { enum: Object.values(datatypes) }, shape: list(whole) });
const found = {
  model: record({
    name: text,
    versions: list(text),
    platform: text,
    inputs: list(tensorType),
    outputs: list(tensorType),
  }),
  inferred: record(
    {
      ...{ model_name: text, model_version: text, id: text },
      outputs: list(
        record(
          {
            ...{ name: text, datatype: { enum: Object.values(datatypes) }, shape: list(whole) },
            ...{ data: list({}), parameters: { type: "object" } },
          },
          ["name", "datatype", "shape"],
        ),
      ),
    },
    ["model_name", "model_version", "outputs"],
  ),
  solved: record(
    {
      model_name: text,
      model_version: text,
      id: text,
      ts: list({ type: "number" }),
      ys: list({}),
      y1: list({}),
    },
    ["model_name", "model_version", "ts", "ys", "y1"],
  ),
};

const reasons: Readonly<Record<number, string>> = {
  400: "The request contradicts itself, the protocol or the model",
  401: "No token, or a wrong one",
  404: "There is no such model",
  408: "The request took too long to come",
  413: "The request or its answer is too large",
  415: "The request is packed",
  422: "The model fails with these inputs, or a solve gives up",
  500: "Workers ended while they ran the request",
  503: "Too many wait already, the model is being loaded, or the server stops",
  504: "It took too long",
};

function failures(statuses: readonly number[], hasToken: boolean) {
  const schema = record({ error: text });
  const all = hasToken ? [401, ...statuses] : statuses;
  return Object.fromEntries(
    all.map((status) => [
      String(status),
      {
        description: reasons[status]!,
        content: { "application/json": { schema } },
        ...(status === 503 ? { headers: { "Retry-After": { schema: whole, description: "seconds" } } } : {}),
      },
    ]),
  );
}

/** What the server answers, as OpenAPI 3.1 has it. @param models  the names of those that answer now */
export function openApi(hasToken: boolean, models: readonly string[]) {
  const answer = (schema: object, more = {}) => ({
    200: { description: "Done", content: { "application/json": { schema }, ...more } },
  });
  const get = (operationId: string, schema: object, statuses: readonly number[] = []) => ({
    get: { operationId, responses: { ...answer(schema), ...failures(statuses, hasToken) } },
  });
  const parameter = (name: string, values: readonly string[]) => ({
    ...{ name, in: "path", required: true },
    schema: values.length === 0 ? { type: "string", minLength: 1 } : { type: "string", enum: values },
  });
  const [named, versioned] = [[parameter("model", models)], [parameter("version", [onlyVersion])]];
  const worked = [400, 404, 408, 413, 415, 422, 500, 503, 504];
  const model = (suffix: string, parameters: readonly object[]) => ({
    "": { parameters, ...get(`metadata${suffix}`, found.model, [404, 503]) },
    "/ready": {
      parameters,
      ...get(`ready${suffix}`, record({ name: text, ready: { type: "boolean" } }), [404, 503]),
    },
    "/config": { parameters, ...get(`config${suffix}`, { type: "object" }, [404, 503]) },
    "/infer": {
      parameters,
      post: {
        operationId: `infer${suffix}`,
        description:
          "JSON, and after it the bytes of inputs with binary_data_size, where the header Inference-Header-Content-Length " +
          "says how many bytes the JSON has.",
        requestBody: {
          required: true,
          content: { "application/json": { schema: schemaOf(inferRequestSchema) } },
        },
        responses: {
          ...answer(found.inferred, { "application/octet-stream": { schema: binary } }),
          ...failures(worked, hasToken),
        },
      },
    },
    "/solve": {
      parameters,
      post: {
        operationId: `solve${suffix}`,
        description:
          "Solves dy/dt = f(t, y) from y0 at t0 (0 unless given) to t1: steps as in training, of stepSize, or chosen by " +
          "rtol and atol. Each state is solved as if it were alone.",
        requestBody: {
          required: true,
          content: { "application/json": { schema: schemaOf(solveRequestSchema) } },
        },
        responses: { ...answer(found.solved), ...failures(worked, hasToken) },
      },
    },
  });
  const state = record({ name: text, version: text, state: text, reason: text });
  return {
    openapi: "3.1.0",
    info: { title: "revort serve", version, description: "Models behind the Open Inference Protocol v2." },
    ...(hasToken ? { security: [{ token: [] }] } : {}),
    paths: {
      "/v2/health/live": {
        get: { ...open, operationId: "live", responses: answer(record({ live: { type: "boolean" } })) },
      },
      "/v2/health/ready": {
        get: {
          ...open,
          operationId: "ready",
          responses: {
            ...answer(record({ ready: { type: "boolean" } })),
            503: {
              description: "Models are being loaded",
              content: { "application/json": { schema: record({ ready: { type: "boolean" } }) } },
            },
          },
        },
      },
      "/v2": get("server", record({ name: text, version: text, extensions: list(text) })),
      "/v2/models": get("models", record({ models: list(text) })),
      "/v2/repository/index": {
        post: { operationId: "index", responses: { ...answer(list(state)), ...failures([], hasToken) } },
      },
      ...Object.fromEntries(
        Object.entries(model("", named)).map(([path, item]) => [`/v2/models/{model}${path}`, item]),
      ),
      ...Object.fromEntries(
        Object.entries(model("Version", [...named, ...versioned])).map(([path, item]) => [
          `/v2/models/{model}/versions/{version}${path}`,
          item,
        ]),
      ),
      "/metrics": {
        get: {
          operationId: "metrics",
          responses: {
            200: { description: "For Prometheus", content: { "text/plain": { schema: text } } },
            ...failures([], hasToken),
          },
        },
      },
    },
    ...(hasToken ? { components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } } } : {}),
  };
}

const open = { security: [] } as const;
