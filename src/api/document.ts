/**
 * The OpenAPI document: what the routes declare, completed with what is common to them. Who may enter becomes security
 * requirements; the codes that a route can refuse with become responses by status; each operation gets a line of curl.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { ApiDocument, ApiOperation, Json } from "../wire/api-document.ts";
import { PROBLEMS, type ProblemCode } from "../wire/problem-catalogue.ts";
import type { ApiEnv, Entrance } from "./auth.ts";

const INFO = {
  title: "Fuelgauge",
  version: "1.0.0",
  description: [
    "The credit ledger for platforms on which AI agents work. Everything is JSON in snake_case; times are ISO 8601 in",
    "UTC, amounts integers of micros: 1 credit, or 1 US dollar, is 1,000,000 micros. Unknown fields are refused.",
    "Send `Authorization: Bearer KEY`. Errors are `application/problem+json` with a stable `code`. Lists answer",
    "`{rows, next_cursor}`; pass `cursor` to go on. An id in a path is percent-encoded.",
  ].join(" "),
};

const TAGS = [
  { name: "Agents", description: "May a run start, and what it uses. For keys of scope `debit`." },
  { name: "Readers", description: "The state, the usage, and where every micro went. For keys of scope `read`." },
  { name: "Operator", description: "Enterprises, credits, keys, prices. For the operator key; some for `admin` keys." },
  { name: "Service", description: "The deployment itself." },
];

const SECURITY_SCHEMES = {
  key: { type: "http", scheme: "bearer", description: "A key of the enterprise, with the scopes that are named." },
  operator_key: { type: "http", scheme: "bearer", description: "The operator key; it may do everything." },
  embed_token: { type: "http", scheme: "bearer", description: "A token of the usage bar, on its own origin only." },
  session: { type: "apiKey", in: "cookie", name: "__Host-fuelgauge", description: "A signed-in browser; it may read." },
};

/** What a route declares of its entrance, and whether it takes a body that says nothing. */
type Declared = Entrance & { empty?: boolean };

/** Makes the document of an app whose routes are all declared. */
export function documentOf(app: OpenAPIHono<ApiEnv>): ApiDocument {
  for (const [name, scheme] of Object.entries(SECURITY_SCHEMES)) {
    app.openAPIRegistry.registerComponent("securitySchemes", name, scheme as never);
  }
  const generated = app.getOpenAPI31Document({ openapi: "3.1.0", info: INFO, tags: TAGS, servers: [{ url: "/" }] });
  const document = JSON.parse(JSON.stringify(generated)) as ApiDocument;
  document["x-problem-codes"] = Object.fromEntries(
    Object.entries(PROBLEMS).map(([code, { status, meaning, remedy }]) => [code, { status, what: meaning, remedy }]),
  );
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) complete(operation, method, path);
  }
  return document;
}

function complete(operation: ApiOperation, method: string, path: string): void {
  const { "x-entrance": entrance, "x-refusals": refusals, middleware: _, ...rest } = operation as ApiOperation & Json;
  for (const name of Object.keys(operation)) delete (operation as Json)[name];
  Object.assign(operation, rest);
  operation.security = entrance === undefined ? [] : securityOf(entrance as Entrance);
  if (entrance !== undefined) {
    const codes = [...commonCodes(operation, entrance as Declared, path), ...(refusals as ProblemCode[])];
    operation.responses = { ...operation.responses, ...problemResponses(codes) };
  }
  if (operation["x-websocket"] === undefined) {
    operation["x-codeSamples"] = [{ lang: "Shell", label: "curl", source: curlOf(operation, method, path) }];
  }
}

function securityOf({ scope, session, embed }: Entrance): Record<string, string[]>[] {
  if (scope === "operator") return [{ operator_key: [] }];
  const scopes = scope === "any" ? [] : [scope];
  return [
    { key: scopes },
    { operator_key: [] },
    ...(embed === true ? [{ embed_token: [] }] : []),
    ...(session === true ? [{ session: [] }] : []),
  ];
}

/** What any route of this kind may refuse with, apart from what is its own. */
function commonCodes({ parameters = [], requestBody }: ApiOperation, entrance: Declared, path: string): ProblemCode[] {
  const { empty } = entrance;
  return [
    "key_missing",
    "key_invalid",
    ...(entrance.scope === "operator" ? [] : (["key_expired", "key_revoked"] as const)),
    ...(entrance.scope === "any" ? [] : (["scope_denied"] as const)),
    ...(entrance.embed === true ? (["origin_not_allowed"] as const) : []),
    ...(path.includes("{") ? (["not_found"] as const) : []),
    ...(requestBody === undefined ? [] : (["unsupported_media_type"] as const)),
    ...(requestBody === undefined && empty !== true ? [] : (["malformed_json", "body_too_large"] as const)),
    ...(requestBody === undefined && parameters.length === 0 ? [] : (["validation_failed"] as const)),
    "rate_limited",
    "internal",
    "ledger_busy",
  ];
}

function problemResponses(codes: readonly ProblemCode[]): ApiOperation["responses"] {
  const byStatus = Map.groupBy([...new Set(codes)].sort(), (code) => PROBLEMS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, those]) => [
      status,
      {
        description: those.map((code) => `\`${code}\`: ${PROBLEMS[code].meaning}`).join(" "),
        ...(status === 429 || status === 503
          ? { headers: { "Retry-After": { description: "Seconds to wait.", schema: { type: "integer" } } } }
          : {}),
        content: { "application/problem+json": { schema: problemSchemaOf(status, those) } },
      },
    ]),
  );
}

function problemSchemaOf(status: number, codes: readonly ProblemCode[]): Json {
  const own = { status: { const: status }, code: { enum: codes } };
  return {
    allOf: [
      { $ref: "#/components/schemas/Problem" },
      { type: "object", properties: status === 402 ? { ...own, ...TURNED_AWAY } : own },
    ],
  };
}

/** What a 402 adds, so that the caller can go on. */
const TURNED_AWAY = {
  available_micros: { type: "integer" },
  upgrade_url: { type: "string" },
  resets_at: { type: "string", format: "date-time" },
  gauge: { $ref: "#/components/schemas/Gauge" },
};

/** A command that does it, with the examples of the parameters and of the body. */
function curlOf(operation: ApiOperation, method: string, path: string): string {
  const { parameters = [], requestBody, security } = operation;
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const parameter = parameters.find((candidate) => candidate.in === "path" && candidate.name === name);
    return encodeURIComponent(String(parameter?.schema.example));
  });
  const key = security.some((requirement) => "key" in requirement) ? "$KEY" : "$OPERATOR_KEY";
  const verb = method === "get" ? "-s" : `-sX ${method.toUpperCase()}`;
  const header = security.length === 0 ? "" : ` -H "Authorization: Bearer ${key}"`;
  const sent = requestBody?.content["application/json"]?.example;
  const body =
    sent === undefined
      ? ""
      : ` -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(sent, null, 1).replaceAll(/\n */g, " ")}'`;
  return `curl ${verb} $URL${filled}${header}${body}`;
}
