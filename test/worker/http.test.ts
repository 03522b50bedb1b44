// HTTP: body sizes and types, methods, ids in paths, and the OpenAPI document.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import {
  CREDIT,
  costing,
  expectProblem,
  freshId,
  invalidPaths,
  newEnterprise,
  objectOf,
  operator,
  report,
  senderWith,
  start,
} from "./api.ts";
import { nameOf, pathOf, ROUTES } from "./routes.ts";

const MEGABYTE = 1_048_576;
const anonymous = senderWith(null);

describe("a body", () => {
  const padded = (bytes: number) => JSON.stringify(costing(1)).padEnd(bytes, " ");
  const streamOf = (text: string) => new Blob([text]).stream();

  it("may have 1,048,576 bytes; one more is 413, with or without Content-Length", async () => {
    const { agent, path, gauge } = await newEnterprise();
    for (const send of [(text: string) => text, streamOf]) {
      expect((await agent("POST", `${path}/debits`, send(padded(MEGABYTE)))).status).toBe(200);
      expectProblem(await agent("POST", `${path}/debits`, send(padded(MEGABYTE + 1))), 413, "body_too_large");
      expectProblem(await agent("POST", `${path}/runs`, send(padded(MEGABYTE + 1))), 413, "body_too_large");
    }
    expect((await gauge()).used_micros).toBe(CREDIT);
  });

  it("must be JSON by its media type, else 415", async () => {
    const { agent, path } = await newEnterprise();
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"]) {
      const init = { headers: { "Content-Type": type } };
      expectProblem(await agent("POST", `${path}/debits`, costing(1), init), 415, "unsupported_media_type");
      expectProblem(await agent("POST", `${path}/runs`, start(), init), 415, "unsupported_media_type");
      expectProblem(await operator("PUT", path, { name: "X" }, init), 415, "unsupported_media_type");
    }
    for (const type of ["application/json; charset=utf-8", "Application/JSON", "application/problem+json"]) {
      const init = { headers: { "Content-Type": type } };
      expect((await agent("POST", `${path}/debits`, costing(1), init)).status).toBe(200);
      expect((await agent("POST", `${path}/runs`, start(), init)).status).toBe(200);
    }
  });

  it("that is not JSON is 400, and invalid JSON content is 422", async () => {
    const { agent, path, gauge } = await newEnterprise();
    const before = await gauge();
    const nan = JSON.stringify(costing(1)).replace('"final"', '"x"').replace("1000", "NaN");
    for (const text of ["", " ", "{", "NaN", "undefined", nan, '{"run":}', "{'run':1}", '{"a":1}x', "\u0000"]) {
      expectProblem(await agent("POST", `${path}/debits`, text), 400, "malformed_json");
      expectProblem(await agent("POST", `${path}/runs`, text), 400, "malformed_json");
    }
    for (const text of ['"NaN"', "null", "[]", "7", "true", "{}"]) {
      expectProblem(await agent("POST", `${path}/debits`, text), 422, "validation_failed");
      expectProblem(await agent("POST", `${path}/runs`, text), 422, "validation_failed");
    }
    const named = await agent("POST", `${path}/debits`, report({ usage: { input_tokens: "NaN", output_tokens: -1 } }));
    expect(invalidPaths(named)).toEqual(["usage.input_tokens", "usage.output_tokens"]);
    expect(await gauge()).toEqual(before);
  });

  it("that breaks off is 400, with or without Content-Length, and is not logged as an error", async () => {
    const { agent, path, gauge } = await newEnterprise();
    const logged = vi.spyOn(console, "error");
    const broken = () => {
      let started = false;
      return new ReadableStream({
        pull: (controller) => {
          if (started) controller.error(new Error("Network connection lost."));
          else controller.enqueue(new TextEncoder().encode('{"run":'));
          started = true;
        },
      });
    };
    for (const headers of [{}, { "Content-Length": "400" }]) {
      for (const rest of ["debits", "runs"]) {
        expectProblem(await agent("POST", `${path}/${rest}`, broken(), { headers }), 400, "malformed_json");
      }
    }
    expect(logged).not.toHaveBeenCalled();
    expect((await gauge()).used_micros).toBe(0);
  });

  it("may be omitted by POST routes without parameters, and is refused there if it has fields", async () => {
    const { path, grant } = await newEnterprise();
    await grant({ id: "g" });
    for (const rest of ["grants/g/void", "rebuild"]) {
      expect((await operator("POST", `${path}/${rest}`)).status).toBe(200);
      expect((await operator("POST", `${path}/${rest}`, {})).status).toBe(200);
    }
    for (const rest of ["grants/g/void", "rebuild", "webhooks/test"]) {
      expectProblem(await operator("POST", `${path}/${rest}`, "{"), 400, "malformed_json");
      expect(invalidPaths(await operator("POST", `${path}/${rest}`, { note: "x" }))).toEqual(["note"]);
    }
    const declared = { headers: { "Content-Type": "application/json" } };
    expect((await operator("POST", `${path}/rebuild`, undefined, declared)).status).toBe(200);
    expect(invalidPaths(await operator("POST", `${path}/grants`))).toEqual(["amount_micros", "id", "source"]);
  });

  it("with a directory is answered 200, even if it is empty", async () => {
    const { path } = await newEnterprise();
    expect((await operator("PUT", `${path}/directory`, { users: [{ id: "u1", name: "Ada" }] })).status).toBe(200);
    expect((await operator("PUT", `${path}/directory`, {})).status).toBe(200);
  });
});

describe("an id", () => {
  const ODD = "A1_.:@/-/x";

  it("may contain a slash, which is percent-encoded in paths", async () => {
    const e = await newEnterprise({}, `acme/${freshId()}`);
    expect((await e.gauge()).enterprise).toBe(e.id);
    expect((await e.start(start({ run: ODD, workspace: ODD, user: ODD, group: ODD, hold_micros: 1 }))).status).toBe(
      201,
    );
    await e.debit(costing(1, { run: ODD, workspace: ODD, user: ODD }));
    expect(await e.receipt(ODD)).toMatchObject({ run: ODD, workspace: ODD, user: ODD, group: ODD });
    expect((await e.agent("DELETE", `${e.path}/runs/${encodeURIComponent(ODD)}/hold`)).status).toBe(200);
    await e.grant({ id: ODD });
    expect((await operator("POST", `${e.path}/grants/${encodeURIComponent(ODD)}/void`)).body.id).toBe(ODD);
    expectProblem(await e.agent("GET", `${e.path}/runs/${ODD}`), 404, "not_found");
  });

  it("has 1 to 128 characters of its alphabet and is neither . nor ..", async () => {
    const e = await newEnterprise();
    const long = "x".repeat(128);
    expect((await e.debit(costing(1, { run: long, workspace: long, user: long, group: long }))).status).toBe(200);
    for (const bad of ["", `${long}x`, "a b", "a\n", "ä", "a%2Fb", "a+b", "*", ".", "..", "\u202e", "😀"]) {
      for (const field of ["run", "model", "workspace", "user", "group"]) {
        expect(invalidPaths(await e.debit(costing(1, { [field]: bad })))).toEqual([field]);
      }
    }
    expect((await e.debit(costing(1, { run: "...", workspace: ".a", user: "-" }))).status).toBe(200);
  });

  it("that is invalid creates no enterprise", async () => {
    const settings = { name: "Acme", billing_model: "credits", plan: "pro" };
    for (const bad of ["a b", "x".repeat(129), "ä", "a+b", "a\\b", "%"]) {
      const answer = await operator("PUT", `/v1/enterprises/${encodeURIComponent(bad)}`, settings);
      expect(invalidPaths(answer)).toEqual(["e"]);
    }
    // URLs resolve such segments, so another path is requested.
    for (const dots of [".", "..", "%2e", "%2E%2e"]) {
      expect((await operator("PUT", `/v1/enterprises/${dots}`, settings)).status).toBeGreaterThanOrEqual(404);
    }
  });
});

describe("a URL", () => {
  it("without a route is 404, and a wrong method is 405 with the allowed ones", async () => {
    const { path } = await newEnterprise();
    for (const nowhere of ["/v1", "/v1/", "/v2/enterprises", `${path}/`, `${path}/nothing`, "/v1/enterprises/"]) {
      expectProblem(await operator("GET", nowhere), 404, "not_found");
    }
    for (const [method, where, allow] of [
      ["PATCH", path, "GET, PUT"],
      ["DELETE", path, "GET, PUT"],
      ["POST", path, "GET, PUT"],
      ["GET", `${path}/debits`, "POST"],
      ["PUT", `${path}/runs`, "GET, POST"],
      ["DELETE", `${path}/runs/run-1`, "GET"],
      ["POST", "/v1/price-book", "GET, PUT"],
      ["PUT", "/v1/referrals", "POST"],
      ["POST", "/healthz", "GET"],
      ["POST", "/openapi.json", "GET"],
    ] as const) {
      const answer = await operator(method, where);
      expectProblem(answer, 405, "method_not_allowed");
      expect(answer.headers.get("Allow")).toBe(allow);
    }
  });

  it("/healthz answers without a key", async () => {
    const { status, headers } = await anonymous("GET", "/healthz");
    expect(status).toBe(200);
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
  });

  it("answers HEAD as GET, without the body", async () => {
    const { agent, path } = await newEnterprise();
    expect(await agent("HEAD", `${path}/gauge`)).toMatchObject({ status: 200, text: "" });
    expect(await anonymous("HEAD", `${path}/gauge`)).toMatchObject({ status: 401, text: "" });
  });
});

describe("the OpenAPI document", () => {
  const documentOf = async () => (await anonymous("GET", "/openapi.json")).body;

  it("describes every route with its parameters, body, answers and security", async () => {
    const { openapi, paths, info } = await documentOf();
    expect(openapi).toMatch(/^3\.1/);
    expect(info).toMatchObject({ title: expect.any(String), version: expect.any(String) });
    const named = Object.entries(paths as Record<string, Record<string, unknown>>).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const hidden = ["POST /v1/enterprises/{e}/demo/follow-real-clock"];
    const served = [...ROUTES.map(nameOf), "GET /healthz", "GET /openapi.json"];
    expect(named.sort()).toEqual(served.filter((name) => !hidden.includes(name)).sort());
    for (const route of ROUTES.filter((candidate) => !hidden.includes(nameOf(candidate)))) {
      const operation = paths[route.path][route.method.toLowerCase()];
      const parameters = (operation.parameters ?? []) as {
        name: string;
        in: string;
        schema: unknown;
        required?: boolean;
      }[];
      const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(parameters.filter((p) => p.in === "path").map((p) => p.name)).toEqual(inPath);
      for (const parameter of parameters) expect(parameter.schema).toBeTypeOf("object");
      expect(
        parameters
          .filter((p) => p.in === "query")
          .map((p) => p.name)
          .sort(),
      ).toEqual([...(route.query ?? [])].sort());
      expect(operation.requestBody !== undefined).toBe(route.body !== undefined);
      const statuses = Object.keys(operation.responses);
      expect(statuses).toContain("default");
      expect(statuses.some((status) => /^[12]/.test(status))).toBe(true);
      expect(operation.summary).toEqual(expect.any(String));
      const scope = { "any key": [], operator: null }[route.needs as string] ?? [route.needs];
      expect(operation.security).toEqual([
        ...(route.needs === "operator" ? [] : [{ key: scope }]),
        { operator_key: [] },
        ...(route.embed ? [{ embed_token: [] }] : []),
        ...(route.needs === "read" || route.needs === "any key" ? [{ session: [] }] : []),
      ]);
    }
  });

  it("describes the routes that need no key", async () => {
    const { paths } = await documentOf();
    for (const path of ["/healthz", "/openapi.json"]) {
      expect(paths[path].get).toMatchObject({ summary: expect.any(String), responses: { 200: expect.any(Object) } });
      expect(paths[path].get.security).toEqual([]);
    }
  });

  it("resolves all its references and has no unused schema", async () => {
    const document = await documentOf();
    const used = new Set<string>();
    const visit = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      for (const [name, inner] of Object.entries(value)) {
        if (name === "$ref") {
          const found = (inner as string)
            .slice(2)
            .split("/")
            .reduce((at, part) => at?.[part], document);
          expect([inner, typeof found]).toEqual([inner, "object"]);
          used.add(inner as string);
        } else visit(inner);
      }
    };
    visit(document);
    for (const name of Object.keys(document.components.schemas)) expect(used).toContain(`#/components/schemas/${name}`);
  });

  it("matches the answers that the routes give", async () => {
    const { paths, components } = await documentOf();
    const e = await newEnterprise({ billing_model: "byom" });
    await e.debit(costing(1));
    const mismatchesOf = (schema: Record<string, unknown>, value: unknown, at: string): string[] => {
      if (typeof schema.$ref === "string")
        return mismatchesOf(components.schemas[schema.$ref.split("/").at(-1) as string], value, at);
      const choices = (schema.anyOf ?? schema.oneOf) as Record<string, unknown>[] | undefined;
      if (choices !== undefined) {
        return choices.some((choice) => mismatchesOf(choice, value, at).length === 0) ? [] : [`${at}: no choice fits`];
      }
      const types = [schema.type].flat();
      const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
      const fits = types.includes(type) || (type === "number" && types.includes("integer") && Number.isInteger(value));
      if (schema.type !== undefined && !fits) return [`${at}: ${type}, not ${types}`];
      if (Array.isArray(schema.enum) && !schema.enum.includes(value)) return [`${at}: ${value}`];
      if (type === "array") {
        return (value as unknown[]).flatMap((item, i) =>
          mismatchesOf(schema.items as Record<string, unknown>, item, `${at}.${i}`),
        );
      }
      if (type !== "object" || schema.properties === undefined) return [];
      const properties = schema.properties as Record<string, Record<string, unknown>>;
      const required = (schema.required ?? []) as string[];
      const missing = required
        .filter((name) => !Object.hasOwn(value as object, name))
        .map((name) => `${at}.${name}: missing`);
      const inner = Object.entries(value as object).flatMap(([name, part]) => {
        if (properties[name] !== undefined) return mismatchesOf(properties[name], part, `${at}.${name}`);
        return schema.additionalProperties === undefined ? [`${at}.${name}: not described`] : [];
      });
      return [...missing, ...inner];
    };
    const needMore = ["/v1/referrals", "/v1/enterprises/{e}/webhooks/test"];
    for (const route of ROUTES.filter(({ path, mayBeMissing }) => !mayBeMissing && !needMore.includes(path))) {
      const id = route.path.includes("grants") ? "g" : "none";
      const answer = await operator(route.method, pathOf(route, { e: e.id, run: "run-1", id }), route.body);
      if (answer.status === 426 || answer.body === null) continue;
      const operation = paths[route.path][route.method.toLowerCase()];
      const described = operation.responses[answer.status];
      expect(`${nameOf(route)} ${answer.status} ${described === undefined ? answer.text : "described"}`).toMatch(
        /described$/,
      );
      expect(mismatchesOf(described.content["application/json"].schema, answer.body, nameOf(route))).toEqual([]);
    }
  });
});

// This must come last: it breaks an enterprise that the list would show.
describe("an internal error", () => {
  it("is answered as internal, without details", async () => {
    const e = await newEnterprise();
    await runInDurableObject(objectOf(e.id), (_, { storage }) =>
      storage.sql.exec("UPDATE enterprise SET settings = 'confidential'"),
    );
    await evictDurableObject(objectOf(e.id));
    const broken = await e.agent("GET", `${e.path}/gauge`);
    expect(Object.keys(expectProblem(broken, 500, "internal")).sort()).toEqual([
      "code",
      "detail",
      "status",
      "title",
      "type",
    ]);
    expect(broken.text).not.toMatch(/confidential|JSON|SQL|\.ts/);
  });
});
