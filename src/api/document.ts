/**
 * Builds the OpenAPI document from the declarations of the routes. Adds security requirements from each route's access,
 * responses from its problem codes, and a curl command for each operation.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { DAY_MS } from "../ledger/time.ts";
import type { ApiDocument, ApiOperation, Json } from "../wire/api-document.ts";
import { PROBLEMS, type ProblemCode } from "../wire/problem-catalogue.ts";
import { formatIso } from "../wire/time.ts";
import type { Access, ApiEnv } from "./auth.ts";
import { EXAMPLE_DAY } from "./history.ts";
import { describeWebhooks } from "./webhook-document.ts";

const INFO = {
  title: "Fuelgauge",
  version: "1.0.0",
  description: [
    "The credit ledger for platforms on which AI agents work. Requests and responses are JSON in snake_case. Times are",
    "ISO 8601 in UTC. Amounts are integers in micros: 1 credit, or 1 US dollar, is 1,000,000 micros. Unknown fields are",
    "refused. Send `Authorization: Bearer KEY`. Errors are `application/problem+json` with a stable `code`. Lists return",
    "`{rows, next_cursor}`; pass `next_cursor` as `cursor` to get the next page. Percent-encode ids in paths.",
  ].join(" "),
};

const TAGS = [
  {
    name: "Agents",
    description: "Ask whether a run may start, and report what it uses. For keys with the scope `debit`.",
  },
  {
    name: "Readers",
    description: "Read the balance, the usage, and the explanation of every micro. For keys with the scope `read`.",
  },
  {
    name: "Operator",
    description:
      "Manage enterprises, credits, keys and prices. For the operator key; some operations also for `admin` keys.",
  },
  { name: "Service", description: "The deployment itself." },
];

const SECURITY_SCHEMES = {
  key: { type: "http", scheme: "bearer", description: "A key of the enterprise, with the listed scopes." },
  operator_key: { type: "http", scheme: "bearer", description: "The operator key, which may do everything." },
  embed_token: { type: "http", scheme: "bearer", description: "A token for the usage bar, valid on one origin only." },
  session: {
    type: "apiKey",
    in: "cookie",
    name: "__Host-fuelgauge",
    description: "A signed-in browser, which may read.",
  },
};

type DeclaredAccess = Access & { empty?: boolean };

/** Returns the OpenAPI document of an app. Call it after all routes have been declared. */
export function documentOf(app: OpenAPIHono<ApiEnv>): ApiDocument {
  for (const [name, scheme] of Object.entries(SECURITY_SCHEMES)) {
    app.openAPIRegistry.registerComponent("securitySchemes", name, scheme as never);
  }
  describeWebhooks(app);
  const generated = app.getOpenAPI31Document({ openapi: "3.1.0", info: INFO, tags: TAGS, servers: [{ url: "/" }] });
  const text = JSON.stringify(generated).replaceAll(
    `"${EXAMPLE_DAY}"`,
    `"${formatIso(Date.now() - 60 * DAY_MS).slice(0, EXAMPLE_DAY.length)}"`,
  );
  const document = JSON.parse(text) as ApiDocument;
  document["x-problem-codes"] = Object.fromEntries(
    Object.entries(PROBLEMS).map(([code, { status, meaning, remedy }]) => [code, { status, what: meaning, remedy }]),
  );
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) complete(operation, method, path);
  }
  return document;
}

function complete(operation: ApiOperation, method: string, path: string): void {
  const { "x-access": access, "x-refusals": refusals, middleware: _, ...rest } = operation as ApiOperation & Json;
  for (const name of Object.keys(operation)) delete (operation as Json)[name];
  Object.assign(operation, rest);
  const { operatorScopes = [] } = (access ?? {}) as Partial<Access>;
  if (operatorScopes.length > 0) operation["x-operator-scopes"] = operatorScopes;
  operation.security = access === undefined ? [] : securityOf(access as Access);
  if (access !== undefined) {
    const codes = [...commonCodes(operation, access as DeclaredAccess, path), ...(refusals as ProblemCode[])];
    operation.responses = { ...operation.responses, ...problemResponses(codes) };
  }
  if (operation["x-websocket"] === undefined) {
    operation["x-codeSamples"] = [{ lang: "Shell", label: "curl", source: curlOf(operation, method, path) }];
  }
}

function securityOf({ scope, session, embed }: Access): Record<string, string[]>[] {
  if (scope === "operator") return [{ operator_key: [] }];
  const scopes = scope === "any" ? [] : [scope];
  return [
    { key: scopes },
    { operator_key: [] },
    ...(embed === true ? [{ embed_token: [] }] : []),
    ...(session === true ? [{ session: [] }] : []),
  ];
}

/** Returns the problem codes that follow from the route's access, path and request. Excludes the route's own codes. */
function commonCodes(
  { parameters = [], requestBody }: ApiOperation,
  access: DeclaredAccess,
  path: string,
): ProblemCode[] {
  const { empty } = access;
  return [
    "key_missing",
    "key_invalid",
    "key_expired",
    "key_revoked",
    ...(access.scope === "any" ? [] : (["scope_denied"] as const)),
    ...(access.embed === true ? (["origin_not_allowed"] as const) : []),
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
      { type: "object", properties: status === 402 ? { ...own, ...MEMBERS_OF_402 } : own },
    ],
  };
}

/** The extra fields of a 402. They show what is left, when the cycle resets, and where to get more credits. */
const MEMBERS_OF_402 = {
  available_micros: { type: "integer" },
  upgrade_url: { type: "string" },
  resets_at: { type: ["string", "null"], format: "date-time" },
  gauge: { $ref: "#/components/schemas/Gauge" },
};

/** Returns a curl command for the operation, with the examples of its parameters and body. */
function curlOf(operation: ApiOperation, method: string, path: string): string {
  const { parameters = [], requestBody, security } = operation;
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const parameter = parameters.find((candidate) => candidate.in === "path" && candidate.name === name);
    return encodeURIComponent(String(parameter?.schema.example));
  });
  const asked = parameters
    .filter((parameter) => parameter.in === "query" && parameter.required === true)
    .map(({ name, schema }) => `${name}=${encodeURIComponent(String(schema.example))}`);
  const url = asked.length === 0 ? `$URL${filled}` : `"$URL${filled}?${asked.join("&")}"`;
  const key = security.some((requirement) => "key" in requirement) ? "$KEY" : "$OPERATOR_KEY";
  const verb = method === "get" ? "-s" : `-sX ${method.toUpperCase()}`;
  const header = security.length === 0 ? "" : ` -H "Authorization: Bearer ${key}"`;
  const sent = requestBody?.content["application/json"]?.example;
  const body =
    sent === undefined
      ? ""
      : ` -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(sent, null, 1).replaceAll(/\n */g, " ")}'`;
  return `curl ${verb} ${url}${header}${body}`;
}
