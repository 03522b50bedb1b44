// Sends bad input to every route: mutations of a valid body, malformed bodies, odd queries and paths. The answers must
// be problem documents with documented codes, never 5xx, and a 4xx must change nothing.
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
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
import { printSummary, readState, STATUSES_BY_CODE, sendAndCheck } from "./expect-documented.ts";
import { MALFORMED_BODIES, MALFORMED_BYTES, mutationsOf, QUERY_VALUES, shareOf } from "./hostile-input.ts";
import { nameOf, pathOf, ROUTES, type Route } from "./routes.ts";

printSummary();

let e: Enterprise;
let params: Record<string, string>;
let madeState = "";

/** Makes an enterprise for the next test, unless the one of the last test is still as it was made. */
async function makeEnterprise(): Promise<void> {
  if (madeState !== "" && (await readState(e.id)) === madeState) return;
  e = await newEnterprise();
  await e.debit(costing(3, { run: "known", final: false }));
  await e.grant({ id: "given", amount_micros: 5 * CREDIT });
  params = { e: e.id, run: "known", id: "given" };
  madeState = await readState(e.id);
}

it("notices a change of the ledger and a change of the catalog", async () => {
  await makeEnterprise();
  const states = [await readState(e.id), await readState(e.id)];
  await e.debit(costing(1, { run: "known", final: true }));
  states.push(await readState(e.id));
  await operator("PATCH", "/v1/price-book", { models: [{ id: "new-model", input: "1", output: "1" }] });
  states.push(await readState(e.id));
  const [first, again, debited, priced] = states;
  expect([again === first, debited === first, priced === debited]).toEqual([true, false, false]);
});

const routesWithBody = ROUTES.filter(({ body }) => body !== undefined);
/** The valid bodies to mutate: the route's own and, for debits, also a batch. */
const bodiesOf = (route: Route) =>
  route.path.endsWith("/debits") ? [route.body, { reports: [{ run: "b" }] }] : [route.body];

describe("a body", () => {
  beforeEach(makeEnterprise);

  it.each(routesWithBody.map((route) => [nameOf(route), route] as const))(
    "that is invalid in one place is refused and changes nothing: %s",
    async (name, route) => {
      const path = pathOf(route, params);
      for (const body of bodiesOf(route)) {
        const mutations = [...mutationsOf(body)];
        const refused = await sendAndCheck(
          e.id,
          mutations.map(([what, raw]) => [`${name}: ${what}`, () => operator(route.method, path, raw)] as const),
        );
        // A batch is answered 200, with a refusal for each invalid report.
        if (body === route.body) expect(refused).toBeGreaterThan(mutations.length / 2);
      }
    },
  );

  it.each(routesWithBody.map((route, i) => [nameOf(route), route, i] as const))(
    "that is malformed, of another type or too large is refused: %s",
    async (name, route, place) => {
      const path = pathOf(route, params);
      const bodies: [string, unknown, string][] = [
        ...shareOf(MALFORMED_BODIES, place, 2).map((raw): [string, unknown, string] => [
          raw.slice(0, 40),
          raw,
          "application/json",
        ]),
        ...MALFORMED_BYTES.map((bytes): [string, unknown, string] => [
          `bytes ${bytes}`,
          new Uint8Array(bytes),
          "application/json",
        ]),
        ["another type", JSON.stringify(route.body), "text/plain"],
        ["another type", JSON.stringify(route.body), "application/x-www-form-urlencoded"],
        ["too large", `${JSON.stringify(route.body)}${" ".repeat(1_048_576)}`, "application/json"],
      ];
      // Two routes accept an object without fields, and a batch is answered item by item.
      const accepted = ["/directory", "{e}", "/debits"].some((end) => route.path.endsWith(end)) ? 2 : 0;
      const refused = await sendAndCheck(
        e.id,
        bodies.map(([what, body, type]) => [
          `${name}: ${what}`,
          () => operator(route.method, path, body, { headers: { "Content-Type": type } }),
        ]),
      );
      expect(refused).toBeGreaterThanOrEqual(bodies.length - accepted);
      expect(refused).toBeLessThanOrEqual(bodies.length);
    },
  );

  it("with a batch is answered report by report, and invalid reports do not affect valid ones", async () => {
    const good = report({ run: "good" });
    const invalid = [...mutationsOf(report({ run: "bad" }))];
    for (let from = 0; from < invalid.length; from += 900) {
      const items = invalid.slice(from, from + 900);
      const raw = `{"reports":[${[JSON.stringify(good), ...items.map(([, item]) => item), JSON.stringify(good)].join()}]}`;
      const { status, body } = await e.agent("POST", `${e.path}/debits`, raw);
      expect(status).toBe(200);
      expect(body.results.length).toBe(items.length + 2);
      for (const [i, result] of body.results.entries()) {
        const what = i === 0 || i > items.length ? "good" : items[i - 1]?.[0];
        if (result.code === undefined) expect([what, result.charged_micros]).toEqual([what, expect.any(Number)]);
        else expect([what, STATUSES_BY_CODE[result.code]]).toEqual([what, expect.arrayContaining([result.status])]);
      }
      expect(body.results.at(-1)).toMatchObject({ run: "good", charged_micros: 0 });
    }
  });
});

describe("a query", () => {
  beforeAll(makeEnterprise);

  it.each(ROUTES.filter(({ method }) => method === "GET").map((route, i) => [nameOf(route), route, i] as const))(
    "is answered or refused, never a server error: %s",
    async (name, route, place) => {
      const path = pathOf(route, params);
      const queries = (route.query ?? []).flatMap((field, i) => [
        ...shareOf(QUERY_VALUES, place + i, 2).map((value) => `${field}=${encodeURIComponent(value)}`),
        `${field}=1&${field}=2`,
        `${field}=%ff`,
        `${field}=%`,
        field,
      ]);
      if (route.query !== undefined) queries.push("x=1", "__proto__=1", "constructor=1", "limit[]=1", "limit=1&x");
      await sendAndCheck(
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
  beforeAll(makeEnterprise);

  const ODD_SEGMENTS = [
    "%",
    "%zz",
    "%00",
    "%ff",
    "%2e%2e",
    "a%20b",
    "%252e",
    "x".repeat(129),
    "*",
    "'--",
    "%F0%9F%98%80",
  ];

  it.each(ROUTES.filter(({ path }) => path.includes("{")).map((route) => [nameOf(route), route] as const))(
    "with an invalid id is refused and changes nothing: %s",
    async (name, route) => {
      const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter as string);
      const requests = names.flatMap((oddName) =>
        ODD_SEGMENTS.map((segment): [string, () => Promise<Answer>] => {
          const path = route.path.replace(/\{(\w+)\}/g, (_, parameter: string) =>
            parameter === oddName ? segment : (params[parameter] as string),
          );
          return [`${name} as ${path.slice(0, 80)}`, () => operator(route.method, path, route.body)];
        }),
      );
      expect(await sendAndCheck(e.id, requests)).toBe(requests.length);
    },
  );
});
