// Input for every route made from its own schema in the OpenAPI document: what the schema refuses is refused and named,
// what it takes is never a fault of form by surprise. FUELGAUGE_BAD_INPUTS says how many for each route.
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { CREDIT, costing, type Enterprise, expectProblem, newEnterprise, operator, senderWith } from "./api.ts";
import { expectDocumented, printTally, stateOf } from "./expect-documented.ts";
import { type Made, madeFrom, type Schema } from "./input-from-schema.ts";
import { nameOf, pathOf, ROUTES, type Route } from "./routes.ts";

printTally();

const { BAD_INPUTS, BAD_INPUT_SEED } = env as unknown as { BAD_INPUTS: string; BAD_INPUT_SEED: string };
/** Generous to a busy machine. */
const TIMEOUT_MS = 60_000 + Number(BAD_INPUTS) * 50;
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

/** Sends what was made; what is wrong in it must be named, and must change nothing. */
async function hold(route: Route, path: string, { wrong }: Made, raw: string | undefined, what: string): Promise<void> {
  const before = await stateOf(e.id);
  const answer = await operator(route.method, path, raw);
  expectDocumented(answer, what);
  if (answer.status >= 400) expect([what, await stateOf(e.id)]).toEqual([what, before]);
  if (wrong.length === 0) return;
  const { errors } = expectProblem(answer, 422, "validation_failed");
  const named = errors.map(({ path: at }: { path: string }) => at);
  expect([what, named]).toEqual([what, expect.arrayContaining(wrong)]);
}

describe("a body made from the schema", () => {
  const routes = ROUTES.filter(({ body }) => body !== undefined);
  it.each(routes.map((route) => [nameOf(route), route] as const))("of %s", async (name, route) => {
    const { requestBody } = operationOf(route) as Required<Operation>;
    const { schema } = requestBody.content["application/json"];
    // A batch of debits is answered report by report; here one report is enough.
    const made = fc.sample(madeFrom(schema.anyOf?.[0] ?? schema, find), SIZE);
    const wrong = made.filter((body) => body.wrong.length > 0).length;
    expect(wrong).toBeGreaterThan(0);
    expect(wrong).toBeLessThan(made.length);
    for (const body of made) {
      await hold(route, pathOf(route, params()), body, body.raw, `${name} ${body.raw.slice(0, 300)}`);
    }
  });
});

describe("a query made from the schema", () => {
  const routes = ROUTES.filter(({ query }) => query !== undefined);
  it.each(routes.map((route) => [nameOf(route), route] as const))("of %s", async (name, route) => {
    const fields = (operationOf(route).parameters ?? []).filter((parameter) => parameter.in === "query");
    const made = madeFrom(
      { type: "object", properties: Object.fromEntries(fields.map((field) => [field.name, field.schema])) },
      find,
    );
    for (const { raw, wrong } of fc.sample(made, SIZE)) {
      if (wrong.includes("")) continue;
      const values = Object.entries(JSON.parse(raw) as Record<string, unknown>);
      // Half a surrogate pair cannot be written in an address.
      const text = (value: unknown) => (typeof value === "string" ? value.toWellFormed() : JSON.stringify(value));
      const query = values.map(([key, value]) => `${key}=${encodeURIComponent(text(value))}`).join("&");
      // What is of another type in JSON is text here, and may be right: only what is nobody's field is surely wrong.
      const strangers = wrong.filter((path) => !fields.some((field) => field.name === path));
      await hold(
        route,
        `${pathOf(route, params())}?${query}`,
        { raw, wrong: strangers },
        undefined,
        `${name}?${query}`,
      );
    }
  });
});

describe("a path made from the schema", () => {
  const routes = ROUTES.filter(({ path }) => path.includes("{") && !path.includes("/demo/"));
  it.each(routes.map((route) => [nameOf(route), route] as const))("of %s", async (name, route) => {
    const places = (operationOf(route).parameters ?? []).filter((parameter) => parameter.in === "path");
    for (const { name: place, schema } of places) {
      for (const { raw, wrong } of fc.sample(madeFrom(schema, find, [place]), { ...SIZE, numRuns: SIZE.numRuns / 4 })) {
        const value: unknown = JSON.parse(raw);
        if (wrong.length === 0 || typeof value !== "string" || value === "" || !value.isWellFormed()) continue;
        const path = pathOf(route, { ...params(), [place]: value });
        const before = await stateOf(e.id);
        const answer = await operator(route.method, path, route.body);
        expectDocumented(answer, `${name} ${path}`);
        expect([path, answer.status >= 400, await stateOf(e.id)]).toEqual([path, true, before]);
      }
    }
  });
});
