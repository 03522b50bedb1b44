// The OpenAPI document, held to what it is: valid by a validator of others, its examples taken, its commands run, and
// every answer of the server as its schema says.
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiDocument, ApiOperation } from "../../src/wire/api-document.ts";
import { type Answer, OPERATOR_KEY, type Server, startServer } from "./server.ts";

type Place = { method: string; path: string; operation: ApiOperation };

let server: Server;
let document: ApiDocument;
let places: Place[];
let keys: { debit: string; read: string; foreign: string; revoked: { id: string } };

beforeAll(async () => {
  server = await startServer();
  document = (await server.call(null, "GET", "/openapi.json")).body;
  places = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const { key: debit } = await server.newEnterprise("acme", { webhook_url: "https://hooks.example.com/usage" });
  const { key: read } = await server.newKey("acme", ["read"]);
  const { key: foreign } = await server.newEnterprise("globex", { billing_model: "byom" }, ["admin", "debit"]);
  await server.newEnterprise("tester", { test_clock: "2030-01-01T00:00:00Z" });
  keys = { debit, read, foreign, revoked: await server.newKey("acme", ["read"]) };
}, 120_000);
afterAll(() => server.stop());

/** Checks a value against a schema of the document; fields that the schema does not name are faults too. */
function faultsOf(schema: object, value: unknown): string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const components = closed(document.components);
  const check = ajv.compile({ ...(closed(schema) as object), components });
  return check(value) ? [] : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** The same schema, but an object that names its fields has no others, unless it says so. */
function closed(value: unknown, within = false): unknown {
  if (Array.isArray(value)) return value.map((item) => closed(item, within));
  if (typeof value !== "object" || value === null) return value;
  const schema = value as Record<string, unknown>;
  // A part of a whole is open: it is the whole that names all the fields.
  if (typeof schema.$ref === "string" && within) {
    return closed(document.components.schemas[schema.$ref.split("/").at(-1) ?? ""], true);
  }
  const copy = Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, closed(part, key === "allOf")]));
  if (schema.allOf !== undefined && !("properties" in schema)) return { ...copy, unevaluatedProperties: false };
  const open = schema.properties === undefined || "additionalProperties" in schema || within;
  return open || typeof schema.properties !== "object" ? copy : { ...copy, additionalProperties: false };
}

function expectDescribed({ method, path, operation }: Place, { status, type, body }: Answer): void {
  const described = operation.responses[status];
  const what = `${method} ${path} ${status}`;
  expect(`${what}: ${described === undefined ? JSON.stringify(body) : "described"}`).toBe(`${what}: described`);
  const content = Object.entries(described?.content ?? {})[0];
  if (content === undefined) return;
  expect(`${what} ${type.split(";")[0]}`).toBe(`${what} ${content[0]}`);
  expect([what, faultsOf(content[1].schema, body)]).toEqual([what, []]);
}

it("is a valid document of OpenAPI 3.1, by a validator that is not ours", async () => {
  expect(await new Validator().validate(structuredClone(document) as never)).toEqual({ valid: true });
});

it("names every operation once, and gives each body an example that its own schema takes", () => {
  const names = places.map(({ operation }) => operation.operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const { operation } of places) {
    const body = operation.requestBody?.content["application/json"];
    if (body === undefined) continue;
    expect([operation.operationId, faultsOf(body.schema, body.example)]).toEqual([operation.operationId, []]);
  }
});

describe("the command beside an operation", () => {
  const FIRST = ["startRun", "reportDebits", "addGrant"];
  const LAST = ["revokeKey", "putPriceBook"];

  /** What cannot be an example for everyone: ids that were made here, and an enterprise of the right kind. */
  async function fitted(name: string, source: string): Promise<string> {
    if (name === "setSpendCap") return source.replace("/acme/", "/globex/").replace("$KEY", "$OPERATOR_KEY");
    if (name === "moveTestClock") return source.replace("/acme/", "/tester/");
    if (name === "revokeKey") return source.replace(/keys\/[^ ]+/, `keys/${keys.revoked.id}`);
    if (name === "addReferral") {
      const { body } = await server.call(OPERATOR_KEY, "GET", "/v1/enterprises/acme");
      return source.replace(/acme~\w+/, body.referral_code);
    }
    return source;
  }

  it("does it, and is answered as described", async () => {
    const { key: admin } = await server.newKey("acme", ["admin"]);
    const rank = ({ operation: { operationId } }: Place) =>
      FIRST.includes(operationId) ? FIRST.indexOf(operationId) : LAST.includes(operationId) ? 99 : 50;
    const ordered = places.filter(({ operation }) => operation["x-websocket"] === undefined);
    for (const place of ordered.toSorted((a, b) => rank(a) - rank(b))) {
      const { operationId, security } = place.operation;
      const source = place.operation["x-codeSamples"]?.[0]?.source ?? "";
      const needs = security.flatMap((requirement) => requirement.key ?? [])[0];
      const KEY = needs === "admin" ? admin : keys.debit;
      const command = await fitted(operationId, source);
      const { out, err, status } = await server.shell(`${command} -w '\\n%{http_code} %{content_type}'`, { KEY });
      expect([operationId, status, err]).toEqual([operationId, 0, ""]);
      const [, text = "", code, type = ""] = /^(.*)\n(\d+) (.*)$/s.exec(out) ?? [];
      expect([operationId, Number(code) < 300 ? "" : text]).toEqual([operationId, ""]);
      expectDescribed(place, { status: Number(code), type, body: type.includes("json") ? JSON.parse(text) : text });
    }
  });
});

describe("a refusal", () => {
  const filled = (path: string) => path.replace("{e}", "acme").replaceAll(/\{\w+\}/g, "none");
  const codeOf = ({ body }: Answer) => body?.code;

  it("is a described problem, whatever is wrong: the key, its scope, the path, the body", async () => {
    for (const place of places.filter(({ operation }) => operation.security.length > 0)) {
      const { method, path, operation } = place;
      const ask = async (key: string | null, body?: unknown, type?: string) => {
        const answer = await server.call(key, method, filled(path), body, type);
        expectDescribed(place, answer);
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
      expect(await ask(OPERATOR_KEY, { unheard: 1 })).toBe("validation_failed");
    }
  });

  it("for lack of credit says what is left and when there is more", async () => {
    const place = places.find(({ operation }) => operation.operationId === "startRun") as Place;
    const ask = { run: "dear", surface: "cli", workspace: "w", user: "u", hold_micros: 9_000_000_000_000 };
    const answer = await server.call(keys.debit, "POST", "/v1/enterprises/acme/runs", ask);
    expect(answer.body).toMatchObject({ code: "insufficient_credits", available_micros: expect.any(Number) });
    expectDescribed(place, answer);
  });
});

describe("a socket", () => {
  /** The messages that come until there are so many. */
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

  it("says what the schema of its messages says", async () => {
    const socketOf = (name: string) =>
      places.find(({ operation }) => operation.operationId === name)?.operation["x-websocket"];
    const [gauge] = await messagesOf("live", 1);
    expect(faultsOf(socketOf("watchGauge")?.receives ?? {}, gauge)).toEqual([]);
    const report = { run: "s", model: "claude-sonnet-4-6", usage: { input_tokens: 1, output_tokens: 1 } };
    const where = { surface: "cli", workspace: "w", user: "u" };
    const sent = [
      { id: 1, ...report, ...where },
      { id: "two", reports: [{ ...report, ...where }, { run: "x" }] },
      { id: 3, ...report, run: "unknown" },
    ];
    const { sends, receives } = socketOf("streamDebits") ?? {};
    for (const message of [sent[0], sent[2]]) expect(faultsOf(sends ?? {}, message)).toEqual([]);
    const replies = await messagesOf("debits/stream", 4, [...sent.map((message) => JSON.stringify(message)), "?"]);
    for (const reply of replies) expect(faultsOf(receives ?? {}, reply)).toEqual([]);
  });
});
