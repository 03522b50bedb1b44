/**
 * Checks the OpenAPI document: an independent validator accepts it, the server accepts its examples, its commands run,
 * and every answer of the server fits its schema.
 */
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { ApiDocument, ApiOperation, ApiWebhook } from "../../src/wire/api-document.ts";
import { type Answer, OPERATOR_KEY, type Server, startServer } from "./server.ts";

type RouteOperation = { method: string; path: string; operation: ApiOperation };

let server: Server;
let document: ApiDocument;
let operations: RouteOperation[];
let keys: { debit: string; read: string; foreign: string; revoked: { id: string } };

beforeAll(async () => {
  server = await startServer();
  document = (await server.call(null, "GET", "/openapi.json")).body;
  operations = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const { key: debit } = await server.newEnterprise("acme", { webhook_url: "https://hooks.example.com/usage" });
  const { key: read } = await server.newKey("acme", ["read"]);
  const { key: foreign } = await server.newEnterprise("globex", { billing_model: "byom" }, ["admin", "debit"]);
  await server.newEnterprise("tester", { test_clock: "2030-01-01T00:00:00Z" });
  keys = { debit, read, foreign, revoked: await server.newKey("acme", ["read"]) };
});
afterAll(() => server?.stop());

/** Checks values by the schemas of the document. Each schema is compiled once, because that takes most of the time. */
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
const checks = new Map<object, ValidateFunction>();

/** What is wrong with a value by a schema of the document. Fields that the schema does not name are faults too. */
function schemaErrors(schema: object, value: unknown): string[] {
  if (checks.size === 0) ajv.addSchema(inDocument({ components: closeObjects(document.components) }), "document");
  const check = checks.get(schema) ?? ajv.compile(inDocument(closeObjects(schema)));
  checks.set(schema, check);
  return check(value) ? [] : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** The same schema, whose references name the document instead of the schema itself. */
function inDocument(schema: unknown): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/'));
}

/** The same schema, but objects that name their fields allow no others, unless they say so. */
function closeObjects(value: unknown, within = false): unknown {
  if (Array.isArray(value)) return value.map((item) => closeObjects(item, within));
  if (typeof value !== "object" || value === null) return value;
  const schema = value as Record<string, unknown>;
  // A part of an `allOf` stays open, because only the whole names all fields.
  if (typeof schema.$ref === "string" && within) {
    return closeObjects(document.components.schemas[schema.$ref.split("/").at(-1) ?? ""], true);
  }
  const copy = Object.fromEntries(
    Object.entries(schema).map(([key, part]) => [key, closeObjects(part, key === "allOf")]),
  );
  if (schema.allOf !== undefined && !("properties" in schema)) return { ...copy, unevaluatedProperties: false };
  const open = schema.properties === undefined || "additionalProperties" in schema || within;
  return open || typeof schema.properties !== "object" ? copy : { ...copy, additionalProperties: false };
}

function expectDocumented({ method, path, operation }: RouteOperation, { status, type, body }: Answer): void {
  const documented = operation.responses[status];
  const what = `${method} ${path} ${status}`;
  expect(`${what}: ${documented === undefined ? JSON.stringify(body) : "documented"}`).toBe(`${what}: documented`);
  const content = Object.entries(documented?.content ?? {})[0];
  if (content === undefined) return;
  expect(`${what} ${type.split(";")[0]}`).toBe(`${what} ${content[0]}`);
  expect([what, schemaErrors(content[1].schema, body)]).toEqual([what, []]);
}

it("is valid OpenAPI 3.1 for an independent validator", async () => {
  expect(await new Validator().validate(structuredClone(document) as never)).toEqual({ valid: true });
});

it("names every operation once, and has an example for each body that fits its schema", () => {
  const names = operations.map(({ operation }) => operation.operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const { operation } of operations) {
    const body = operation.requestBody?.content["application/json"];
    if (body === undefined) continue;
    expect([operation.operationId, schemaErrors(body.schema, body.example)]).toEqual([operation.operationId, []]);
  }
});

it("says for every list what its items are", () => {
  const unnamed: string[] = [];
  const look = (value: unknown, path: string): void => {
    if (typeof value !== "object" || value === null) return;
    const { type, items } = value as { type?: unknown; items?: unknown };
    if ([type].flat().includes("array") && items === undefined) unnamed.push(path);
    for (const [key, inner] of Object.entries(value)) if (key !== "example") look(inner, `${path}/${key}`);
  };
  look(document, "");
  expect(unnamed).toEqual([]);
});

describe("a webhook", () => {
  it("has a sample that fits its schema and whose signature the library of the spec accepts", () => {
    const types = Object.keys(document.webhooks);
    expect(types.sort()).toEqual([
      "balance.exhausted",
      "balance.recovered",
      "bonus.expiring",
      "budget.crossed",
      "cycle.reported",
      "forecast.changed",
      "test",
      "threshold.crossed",
    ]);
    for (const [type, operations] of Object.entries(document.webhooks)) {
      const { requestBody, "x-sample": sample } = operations.post as ApiWebhook;
      const { schema, example } = requestBody.content["application/json"] as { schema: object; example: unknown };
      expect([type, schemaErrors(schema, example)]).toEqual([type, []]);
      expect(JSON.parse(sample.body)).toEqual(example);
      // The library refuses a signature that is older than five minutes.
      vi.setSystemTime(Number(sample.headers["webhook-timestamp"]) * 1000);
      expect(new Webhook(sample.secret).verify(sample.body, sample.headers)).toEqual(example);
      expect(() => new Webhook(sample.secret).verify(`${sample.body} `, sample.headers)).toThrow();
      vi.useRealTimers();
    }
  });
});

describe("the curl command of an operation", () => {
  const FIRST = ["startRun", "reportDebits", "addGrant"];
  const LAST = ["deleteChannel", "deleteBudget", "revokeKey", "putPriceBook", "eraseUser", "deleteEnterprise"];
  /** What is refused here: no enterprise is large enough for a job, and there is no recovery and no second database. */
  const REFUSED: Readonly<Record<string, string>> = { readJob: "404", restoreEnterprise: "501", moveCopy: "422" };

  /** The command with the ids that exist here, and with an enterprise of the right kind. */
  async function adaptCommand(name: string, source: string): Promise<string> {
    if (name === "setSpendCap") return source.replace("/acme/", "/globex/").replace("$KEY", "$OPERATOR_KEY");
    if (name === "deleteEnterprise") return source.replaceAll("acme", "tester");
    if (name === "moveTestClock") return source.replace("/acme/", "/tester/");
    if (name === "revokeKey") return source.replace(/keys\/[^ ]+/, `keys/${keys.revoked.id}`);
    if (name === "revokeOperatorKey") {
      const key = { name: "to revoke", scopes: ["metrics"] };
      const { body } = await server.call(OPERATOR_KEY, "POST", "/v1/operator-keys", key);
      return source.replace(/operator-keys\/[^ ]+/, `operator-keys/${body.id}`);
    }
    if (name === "addReferral") {
      const { body } = await server.call(OPERATOR_KEY, "GET", "/v1/enterprises/acme");
      return source.replace(/acme~\w+/, body.referral_code);
    }
    return source;
  }

  it("succeeds, and its answer fits the schema", async () => {
    const { key: admin } = await server.newKey("acme", ["admin"]);
    const rank = ({ operation: { operationId } }: RouteOperation) =>
      FIRST.includes(operationId) ? FIRST.indexOf(operationId) : LAST.includes(operationId) ? 99 : 50;
    const ordered = operations.filter(({ operation }) => operation["x-websocket"] === undefined);
    for (const route of ordered.toSorted((a, b) => rank(a) - rank(b))) {
      const { operationId, security } = route.operation;
      const source = route.operation["x-codeSamples"]?.[0]?.source ?? "";
      const needs = security.flatMap((requirement) => requirement.key ?? [])[0];
      const KEY = needs === "admin" ? admin : keys.debit;
      const command = await adaptCommand(operationId, source);
      const { out, err, status } = await server.shell(`${command} -w '\\n%{http_code} %{content_type}'`, { KEY });
      expect([operationId, status, err]).toEqual([operationId, 0, ""]);
      const [, text = "", code, type = ""] = /^(.*)\n(\d+) (.*)$/s.exec(out) ?? [];
      const refused = REFUSED[operationId];
      const expected = refused === undefined ? Number(code) < 300 : code === refused;
      expect([operationId, expected ? "" : text]).toEqual([operationId, ""]);
      expectDocumented(route, { status: Number(code), type, body: /[/+]json/.test(type) ? JSON.parse(text) : text });
    }
  });
});

describe("a refusal", () => {
  const fillPath = (path: string) =>
    path
      .replace("{e}", "acme")
      .replace("{dimension}", "user")
      .replace("{period}", "day")
      .replaceAll(/\{\w+\}/g, "none");
  const codeOf = ({ body }: Answer) => body?.code;

  it("is a documented problem when the key, its scope, the path or the body is wrong", async () => {
    for (const route of operations.filter(({ operation }) => operation.security.length > 0)) {
      const { method, path, operation } = route;
      const ask = async (key: string | null, body?: unknown, type?: string) => {
        const answer = await server.call(key, method, fillPath(path), body, type);
        expectDocumented(route, answer);
        return codeOf(answer);
      };
      expect(await ask(null)).toBe("key_missing");
      expect(await ask("nonsense")).toBe("key_invalid");
      const tenant = path.includes("{e}");
      const operators = operation.security.every((requirement) => "operator_key" in requirement);
      if (tenant) expect(await ask(keys.foreign)).toBe("not_found");
      else if (operators) expect(await ask(keys.foreign)).toBe("scope_denied");
      if (operation.requestBody === undefined) continue;
      expect(await ask(OPERATOR_KEY, "{")).toBe("malformed_json");
      expect(await ask(OPERATOR_KEY, "{}", "text/plain")).toBe("unsupported_media_type");
      expect(await ask(OPERATOR_KEY, { unknown_field: 1 })).toBe("validation_failed");
    }
  });

  it("for lack of credit shows what is available and when it resets", async () => {
    const route = operations.find(({ operation }) => operation.operationId === "startRun") as RouteOperation;
    const ask = { run: "dear", surface: "cli", workspace: "w", user: "u", hold_micros: 9_000_000_000_000 };
    const answer = await server.call(keys.debit, "POST", "/v1/enterprises/acme/runs", ask);
    expect(answer.body).toMatchObject({ code: "insufficient_credits", available_micros: expect.any(Number) });
    expectDocumented(route, answer);
  });
});

describe("a socket", () => {
  /** The first `count` messages that a socket receives. */
  async function messagesOf(path: string, count: number, sent: string[] = []): Promise<unknown[]> {
    const address = `${server.url.replace("http", "ws")}/v1/enterprises/acme/${path}`;
    const init = { headers: { Authorization: `Bearer ${keys.debit}` } };
    const socket = new WebSocket(address, init as never);
    const messages: unknown[] = [];
    await new Promise<void>((enough, failed) => {
      socket.onopen = () => sent.forEach((message) => void socket.send(message));
      socket.onerror = () => failed(new Error("the socket failed"));
      socket.onmessage = ({ data }) => {
        if (messages.push(JSON.parse(data)) === count) enough();
      };
    });
    socket.close();
    return messages;
  }

  it("sends only messages that fit their schema", async () => {
    const socketOf = (name: string) =>
      operations.find(({ operation }) => operation.operationId === name)?.operation["x-websocket"];
    const [gauge] = await messagesOf("live", 1);
    expect(schemaErrors(socketOf("watchGauge")?.receives ?? {}, gauge)).toEqual([]);
    const report = { run: "s", model: "claude-sonnet-4-6", usage: { input_tokens: 1, output_tokens: 1 } };
    const where = { surface: "cli", workspace: "w", user: "u" };
    const sent = [
      { id: 1, ...report, ...where },
      { id: "two", reports: [{ ...report, ...where }, { run: "x" }] },
      { id: 3, ...report, run: "unknown" },
    ];
    const { sends, receives } = socketOf("streamDebits") ?? {};
    for (const message of [sent[0], sent[2]]) expect(schemaErrors(sends ?? {}, message)).toEqual([]);
    const replies = await messagesOf("debits/stream", 4, [...sent.map((message) => JSON.stringify(message)), "?"]);
    for (const reply of replies) expect(schemaErrors(receives ?? {}, reply)).toEqual([]);
  });
});
