// The client's types are written by hand so that the client has no dependencies. These tests compare them with the
// schemas of the interface, by the compiler and by the OpenAPI document of the running Worker.
import { exports } from "cloudflare:workers";
import type { z } from "@hono/zod-openapi";
import { expect, it } from "vitest";
import type * as client from "../../packages/client/src/wire.ts";
import type { startedSchema, startSchema } from "../../src/api/runs.ts";
import type { gaugeSchema } from "../../src/wire/gauge.ts";
import type { DEBITS_DOC } from "../../src/wire/report.ts";

type Fits<A, B> = [A] extends [B] ? true : false;
type SentReport = Extract<z.input<typeof DEBITS_DOC.body>, { run: string }>;
type Answer = Exclude<z.output<typeof DEBITS_DOC.answer>, { results: unknown }>;
type Items = Extract<z.output<typeof DEBITS_DOC.answer>, { results: unknown }>["results"];
type Gauge = z.output<typeof gaugeSchema>;

it("gives the client the same types as the interface's schemas", () => {
  const fits: true[] = [
    true satisfies Fits<client.Report, SentReport>,
    true satisfies Fits<Answer, client.DebitAnswer>,
    true satisfies Fits<client.DebitAnswer, Answer>,
    true satisfies Fits<Items, (client.DebitAnswer | client.ItemRefusal)[]>,
    true satisfies Fits<(client.DebitAnswer | client.ItemRefusal)[], Items>,
    true satisfies Fits<client.StartRequest, z.input<typeof startSchema>>,
    true satisfies Fits<z.output<typeof startedSchema>, client.RunStarted>,
    true satisfies Fits<client.RunStarted, z.output<typeof startedSchema>>,
    true satisfies Fits<Gauge, client.Gauge>,
    true satisfies Fits<client.Gauge, Gauge>,
  ];
  expect(fits).toHaveLength(10);
});

/** The fields of each type by name. The compiler checks that none is missing and none is extra. */
const FIELDS = {
  Report: fields<client.Report>({
    run: true,
    model: true,
    tier: true,
    usage: true,
    surface: true,
    workspace: true,
    user: true,
    group: true,
    started_at: true,
    final: true,
    estimated: true,
  }),
  RunStart: fields<client.StartRequest>({
    run: true,
    surface: true,
    workspace: true,
    user: true,
    group: true,
    started_at: true,
    model: true,
    hold_micros: true,
    hold_ttl_seconds: true,
  }),
  RunStarted: fields<client.RunStarted>({ run: true, admitted: true, hold: true, gauge: true }),
};

function fields<T>(named: Record<keyof T, true>): string[] {
  return Object.keys(named).sort();
}

const NEW_FIELDS = ["tier", "estimated"];

it.each(Object.entries(FIELDS))("gives the client's %s the fields of the OpenAPI document", async (name, expected) => {
  const response = await exports.default.fetch("https://fuelgauge.test/openapi.json");
  const { components } = await response.json<{ components: { schemas: Record<string, { properties: object }> } }>();
  const documented = Object.keys(components.schemas[name]?.properties ?? {});
  expect(documented.length).toBeGreaterThan(0);
  expect(documented.filter((field) => !expected.includes(field))).toEqual([]);
  // The client leaves these out if they have their usual values, so that earlier versions accept its reports.
  expect(expected.filter((field) => !documented.includes(field) && !NEW_FIELDS.includes(field))).toEqual([]);
});
