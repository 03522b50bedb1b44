// The OpenAPI document: complete, consistent, and true of the answers that the routes give.
import { describe, expect, it } from "vitest";
import { costing, newEnterprise, operator, senderWith } from "./api.ts";
import { nameOf, pathOf, ROUTES } from "./routes.ts";

const anonymous = senderWith(null);

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

  it("says for every route with a key that the key may have expired or been revoked", async () => {
    const paths = (await documentOf()).paths as Record<string, Record<string, { responses: Record<string, unknown> }>>;
    const secured = Object.entries(paths).flatMap(([path, item]) =>
      Object.values(item).flatMap(({ responses }) => (responses[401] === undefined ? [] : [[path, responses[401]]])),
    );
    expect(secured.length).toBeGreaterThan(60);
    for (const [path, response] of secured) {
      const codes = ["key_expired", "key_revoked"].filter((code) => JSON.stringify(response).includes(code));
      expect([path, codes]).toEqual([path, ["key_expired", "key_revoked"]]);
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
      if (type === "array" && schema.items === undefined) return [`${at}: no items`];
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
    const needMore = ["/v1/enterprises/{e}/move-copy", "/v1/referrals", "/v1/enterprises/{e}/webhooks/test"];
    for (const route of ROUTES.filter(
      ({ path, mayBeMissing, missing }) => !(mayBeMissing || missing) && !needMore.includes(path),
    )) {
      const id = route.path.includes("grants") ? "g" : "none";
      const answer = await operator(route.method, pathOf(route, { e: e.id, run: "run-1", id }), route.body);
      if (answer.status === 426 || answer.body === null) continue;
      const operation = paths[route.path][route.method.toLowerCase()];
      const described = operation.responses[answer.status];
      expect(`${nameOf(route)} ${answer.status} ${described === undefined ? answer.text : "described"}`).toMatch(
        /described$/,
      );
      if (answer.status >= 400) continue;
      expect(mismatchesOf(described.content["application/json"].schema, answer.body, nameOf(route))).toEqual([]);
    }
  });
});
