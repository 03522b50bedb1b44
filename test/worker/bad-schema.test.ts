// Sends every route input generated from its own schema in the OpenAPI document. The answer must name what the schema
// calls invalid. FUELGAUGE_BAD_INPUTS sets the number of inputs per route.
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { CREDIT, costing, type Enterprise, expectProblem, newEnterprise, operator, senderWith } from "./api.ts";
import { expectDocumented, printSummary, readState } from "./expect-documented.ts";
import { inputFrom, type Schema } from "./input-from-schema.ts";
import { nameOf, pathOf, ROUTES, type Route } from "./routes.ts";

printSummary();

const { BAD_INPUTS, BAD_INPUT_SEED } = env as unknown as { BAD_INPUTS: string; BAD_INPUT_SEED: string };
/** Generous, for a busy machine. */
const TIMEOUT_MS = 180_000 + Number(BAD_INPUTS) * 200;
vi.setConfig({ testTimeout: TIMEOUT_MS });
const SIZE = { numRuns: Number(BAD_INPUTS), seed: Number(BAD_INPUT_SEED) };

type Operation = {
  parameters?: { name: string; in: "path" | "query"; schema: Schema }[];
  requestBody?: { content: { "application/json": { schema: Schema } } };
};
type Document = { paths: Record<string, Record<string, Operation>>; components: { schemas: Record<string, Schema> } };

let document: Document;
let e: Enterprise;
beforeAll(async () => {
  document = (await senderWith(null)("GET", "/openapi.json")).body;
  e = await newEnterprise();
  await e.debit(costing(3, { run: "known", final: false }));
  await e.grant({ id: "given", amount_micros: 5 * CREDIT });
});

const find = (ref: string) => document.components.schemas[ref.split("/").at(-1) as string] as Schema;
const operationOf = ({ method, path }: Route) => document.paths[path]?.[method.toLowerCase()] as Operation;
const params = () => ({ e: e.id, run: "known", id: "given" });

/** Sends the input. The answer must name each of the invalid paths, and a refusal must change nothing. */
async function sendAndCheck(
  route: Route,
  path: string,
  invalid: string[],
  raw: string | undefined,
  what: string,
): Promise<void> {
  const before = await readState(e.id);
  const answer = await operator(route.method, path, raw);
  expectDocumented(answer, what);
  if (answer.status >= 400) expect([what, await readState(e.id)]).toEqual([what, before]);
  if (invalid.length === 0) return;
  const { errors } = expectProblem(answer, 422, "validation_failed");
  const named = errors.map(({ path: at }: { path: string }) => at);
  expect([what, named]).toEqual([what, expect.arrayContaining(invalid)]);
}

describe("a body generated from the schema", () => {
  // A few inputs of one route may all be valid or all be invalid.
  const counts = { valid: 0, invalid: 0 };
  const routes = ROUTES.filter(({ body }) => body !== undefined);
  it.each(routes.map((route) => [nameOf(route), route] as const))(
    "is refused by name if invalid: %s",
    async (name, route) => {
      const { requestBody } = operationOf(route) as Required<Operation>;
      const { schema } = requestBody.content["application/json"];
      // A batch of debits is answered report by report. One report is enough here.
      const inputs = fc.sample(inputFrom(schema.anyOf?.[0] ?? schema, find), SIZE);
      const invalidInputs = inputs.filter(({ invalidPaths }) => invalidPaths.length > 0).length;
      counts.valid += inputs.length - invalidInputs;
      counts.invalid += invalidInputs;
      for (const { raw, invalidPaths } of inputs) {
        await sendAndCheck(route, pathOf(route, params()), invalidPaths, raw, `${name} ${raw.slice(0, 300)}`);
      }
    },
  );

  it("is valid in some cases and invalid in others", () => {
    expect(counts.valid).toBeGreaterThan(routes.length);
    expect(counts.invalid).toBeGreaterThan(routes.length);
  });
});

describe("a body with very many faults", () => {
  const routes = ROUTES.filter(({ body }) => body !== undefined);
  const MAX_ANSWER_CHARS = 50_000;

  function propertiesOf(schema: Schema): Record<string, Schema> {
    const { $ref, anyOf = [], properties = {} } = schema as Schema & { $ref?: string };
    if ($ref !== undefined) return propertiesOf(find($ref));
    return Object.assign({}, ...anyOf.map(propertiesOf), properties);
  }

  it.each(routes.map((route) => [nameOf(route), route] as const))(
    "is refused with a short answer: %s",
    async (name, route) => {
      const { requestBody } = operationOf(route) as Required<Operation>;
      const properties = propertiesOf(requestBody.content["application/json"].schema);
      const lists = Object.entries(properties).filter(([, { type }]) => [type].flat().includes("array"));
      const unknown = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`k${i}`, 1]));
      const bodies = [unknown, ...lists.map(([list]) => ({ [list]: Array(200_000).fill("x") }))];
      for (const body of bodies) {
        const { status, text } = await operator(route.method, pathOf(route, params()), JSON.stringify(body));
        expect([name, status]).toEqual([name, 422]);
        expect(text.length).toBeLessThan(MAX_ANSWER_CHARS);
      }
    },
  );

  it("makes each result of a batch short", async () => {
    const report = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`k${i}`, 1]));
    const { body, text } = await e.agent("POST", `${e.path}/debits`, { reports: Array(1_000).fill(report) });
    expect(body.results).toHaveLength(1_000);
    expect(body.results[0].errors.at(-1)).toEqual({
      path: "",
      message: expect.stringMatching(/^and \d+ more errors$/),
    });
    expect(text.length).toBeLessThan(1_500_000);
  });
});

describe("a query generated from the schema", () => {
  const routes = ROUTES.filter(({ query }) => query !== undefined);
  it.each(routes.map((route) => [nameOf(route), route] as const))(
    "is refused by name if invalid: %s",
    async (name, route) => {
      const fields = (operationOf(route).parameters ?? []).filter((parameter) => parameter.in === "query");
      const inputs = inputFrom(
        { type: "object", properties: Object.fromEntries(fields.map((field) => [field.name, field.schema])) },
        find,
      );
      for (const { raw, invalidPaths } of fc.sample(inputs, SIZE)) {
        if (invalidPaths.includes("")) continue;
        const values = Object.entries(JSON.parse(raw) as Record<string, unknown>);
        // A lone surrogate cannot be encoded in a URL.
        const text = (value: unknown) => (typeof value === "string" ? value.toWellFormed() : JSON.stringify(value));
        const query = values.map(([key, value]) => `${key}=${encodeURIComponent(text(value))}`).join("&");
        // A value of another JSON type is text in a query and may be valid. Only unknown fields are certainly invalid.
        const unknown = invalidPaths.filter((path) => !fields.some((field) => field.name === path));
        await sendAndCheck(route, `${pathOf(route, params())}?${query}`, unknown, undefined, `${name}?${query}`);
      }
    },
  );
});

describe("a path generated from the schema", () => {
  const routes = ROUTES.filter(({ path }) => path.includes("{") && !path.includes("/demo/"));
  it.each(routes.map((route) => [nameOf(route), route] as const))("is refused if invalid: %s", async (name, route) => {
    const parameters = (operationOf(route).parameters ?? []).filter((parameter) => parameter.in === "path");
    for (const { name: parameter, schema } of parameters) {
      for (const { raw, invalidPaths } of fc.sample(inputFrom(schema, find, [parameter]), {
        ...SIZE,
        numRuns: SIZE.numRuns / 4,
      })) {
        const value: unknown = JSON.parse(raw);
        if (invalidPaths.length === 0 || typeof value !== "string" || value === "" || !value.isWellFormed()) continue;
        const path = pathOf(route, { ...params(), [parameter]: value });
        const before = await readState(e.id);
        const answer = await operator(route.method, path, route.body);
        expectDocumented(answer, `${name} ${path}`);
        expect([path, answer.status >= 400, await readState(e.id)]).toEqual([path, true, before]);
      }
    }
  });
});
