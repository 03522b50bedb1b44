// Bad input on every route, made from the route's own body and schema: no 5xx, only documented codes, problem+json,
// and no state change on a 4xx (QUALITY, section 3).
import { beforeEach, describe, expect, it } from "vitest";
import {
  type Answer,
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  newEnterprise,
  operator,
  report,
} from "./api.ts";
import { CODES, printTally, sendAll } from "./expect-documented.ts";
import { BYTES, mutationsOf, NOISE, QUERY_VALUES } from "./hostile-input.ts";
import { nameOf, pathOf, ROUTES, type Route } from "./routes.ts";

printTally();

let e: Enterprise;
let params: Record<string, string>;
beforeEach(async () => {
  e = await newEnterprise();
  await e.debit(costing(3, { run: "known", final: false }));
  await e.grant({ id: "given", amount_micros: 5 * CREDIT });
  params = { e: e.id, run: "known", id: "given" };
});

const withBody = ROUTES.filter(({ body }) => body !== undefined);
/** What each route is sent: its own body, and for debits the outline of a batch too. */
const bodiesOf = (route: Route) =>
  route.path.endsWith("/debits") ? [route.body, { reports: [{ run: "b" }] }] : [route.body];

describe("a body", () => {
  it.each(withBody.map((route) => [nameOf(route), route] as const))(
    "of %s with anything wrong in it is refused by name and changes nothing",
    async (name, route) => {
      const path = pathOf(route, params);
      for (const body of bodiesOf(route)) {
        const mutations = [...mutationsOf(body)];
        const refused = await sendAll(
          e.id,
          mutations.map(([what, raw]) => [`${name}: ${what}`, () => operator(route.method, path, raw)] as const),
        );
        // A batch is answered 200, each of its reports by itself.
        if (body === route.body) expect(refused).toBeGreaterThan(mutations.length / 2);
      }
    },
  );

  it.each(withBody.map((route) => [nameOf(route), route] as const))(
    "of %s that is noise, of another type or too large is refused",
    async (name, route) => {
      const path = pathOf(route, params);
      const bodies: [string, unknown, string][] = [
        ...NOISE.map((raw): [string, unknown, string] => [raw.slice(0, 40), raw, "application/json"]),
        ...BYTES.map((bytes): [string, unknown, string] => [
          `bytes ${bytes}`,
          new Uint8Array(bytes),
          "application/json",
        ]),
        ["another type", JSON.stringify(route.body), "text/plain"],
        ["another type", JSON.stringify(route.body), "application/x-www-form-urlencoded"],
        ["too large", `${JSON.stringify(route.body)}${" ".repeat(1_048_576)}`, "application/json"],
      ];
      // Two routes take an object without any field, and a batch is answered item by item.
      const taken = ["/directory", "{e}", "/debits"].some((end) => route.path.endsWith(end)) ? 2 : 0;
      const refused = await sendAll(
        e.id,
        bodies.map(([what, body, type]) => [
          `${name}: ${what}`,
          () => operator(route.method, path, body, { headers: { "Content-Type": type } }),
        ]),
      );
      expect(refused).toBeGreaterThanOrEqual(bodies.length - taken);
      expect(refused).toBeLessThanOrEqual(bodies.length);
    },
  );

  it("of a batch is answered report by report, and the bad ones change nothing", async () => {
    const good = report({ run: "good" });
    const bad = [...mutationsOf(report({ run: "bad" }))];
    for (let from = 0; from < bad.length; from += 900) {
      const items = bad.slice(from, from + 900);
      const raw = `{"reports":[${[JSON.stringify(good), ...items.map(([, item]) => item), JSON.stringify(good)].join()}]}`;
      const { status, body } = await e.agent("POST", `${e.path}/debits`, raw);
      expect(status).toBe(200);
      expect(body.results.length).toBe(items.length + 2);
      for (const [i, result] of body.results.entries()) {
        const what = i === 0 || i > items.length ? "good" : items[i - 1]?.[0];
        if (result.code === undefined) expect([what, result.charged_micros]).toEqual([what, expect.any(Number)]);
        else expect([what, CODES[result.code]]).toEqual([what, [result.status]]);
      }
      expect(body.results.at(-1)).toMatchObject({ run: "good", charged_micros: 0 });
    }
  });
});

describe("a query", () => {
  it.each(ROUTES.filter(({ method }) => method === "GET").map((route) => [nameOf(route), route] as const))(
    "of %s is refused or understood, never a fault",
    async (name, route) => {
      const path = pathOf(route, params);
      const queries = (route.query ?? []).flatMap((field) => [
        ...QUERY_VALUES.map((value) => `${field}=${encodeURIComponent(value)}`),
        `${field}=1&${field}=2`,
        `${field}=%ff`,
        `${field}=%`,
        field,
      ]);
      if (route.query !== undefined) queries.push("x=1", "__proto__=1", "constructor=1", "limit[]=1", "limit=1&x");
      await sendAll(
        e.id,
        queries.map((query) => [`${name}?${query.slice(0, 60)}`, () => operator("GET", `${path}?${query}`)]),
      );
      if (route.query !== undefined) {
        expectProblem(await operator("GET", `${path}?unheard-of=1`), 422, "validation_failed");
      }
    },
  );
});

describe("a path", () => {
  const NAMES = ["%", "%zz", "%00", "%ff", "%2e%2e", "a%20b", "%252e", "x".repeat(129), "*", "'--", "%F0%9F%98%80"];

  it.each(ROUTES.filter(({ path }) => path.includes("{")).map((route) => [nameOf(route), route] as const))(
    "of %s with an odd name in it is refused and wakes nothing that lasts",
    async (name, route) => {
      const places = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, place]) => place as string);
      const requests = places.flatMap((place) =>
        NAMES.map((odd): [string, () => Promise<Answer>] => {
          const path = route.path.replace(/\{(\w+)\}/g, (_, at: string) =>
            at === place ? odd : (params[at] as string),
          );
          return [`${name} as ${path.slice(0, 80)}`, () => operator(route.method, path, route.body)];
        }),
      );
      expect(await sendAll(e.id, requests)).toBe(requests.length);
    },
  );
});
