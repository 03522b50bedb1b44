// The state of the usage page in its URL.
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  parseUsageQuery,
  receiptHref,
  type TableState,
  type UsageQuery,
  usageHref,
  withFilter,
} from "../../../src/pages/usage/query.ts";

const parse = (text: string) => parseUsageQuery(new URLSearchParams(text));
const DEFAULTS = parse("");

it("omits defaults from the URL", () => {
  expect(usageHref(DEFAULTS)).toBe("/settings/usage");
  expect(usageHref(DEFAULTS, { range: "24h", view: "total" })).toBe("/settings/usage?view=total");
  expect(usageHref(DEFAULTS, { range: "24h" })).toBe("/settings/usage?range=24h");
});

it("parses every state back from its URL", () => {
  const id = fc.stringMatching(/^[A-Za-z0-9_.:@/-]{1,40}$/).filter((text) => text !== "." && text !== "..");
  const sums = {
    id,
    shown: fc.record({
      rows: fc.integer({ min: 0, max: 999_999 }),
      micros: fc.integer({ min: -(10 ** 15), max: 10 ** 15 }),
      requests: fc.option(fc.integer({ min: 0, max: 999_999 })),
    }),
  };
  const number = fc.integer({ min: -(10 ** 15), max: 10 ** 15 });
  const search = fc.stringMatching(/^[a-zäé"&<%]{0,12}$/);
  const table: fc.Arbitrary<TableState> = fc.oneof(
    fc.record({
      sort: fc.constantFrom("amount", "requests"),
      search,
      after: fc.option(fc.record({ value: number, ...sums })),
    }),
    fc.record({
      sort: fc.constant("name" as const),
      search,
      after: fc.option(fc.record({ value: fc.string({ minLength: 1, maxLength: 20 }), ...sums })),
    }),
  );
  const selection = fc.record(
    { workspace: id, group: id, user: id, model: id, surface: fc.constantFrom("web", "cli") },
    { requiredKeys: [] },
  );
  const shown = fc.oneof(
    fc.record({
      cycle: fc.constant(null),
      range: fc.constantFrom("24h", "7d", "30d", "cycle"),
      view: fc.constant("buckets"),
    }),
    fc.record({
      cycle: fc.option(fc.integer({ min: 0, max: 10 ** 13 })),
      range: fc.constant("cycle"),
      view: fc.constantFrom("buckets", "total"),
    }),
  ) as fc.Arbitrary<Pick<UsageQuery, "cycle" | "range" | "view">>;
  const state = fc.record({
    shown,
    selection,
    tables: fc.record({ workspace: table, group: table, user: table, model: table }),
    runs: fc.record({
      sort: fc.constantFrom("newest", "amount"),
      after: fc.option(fc.record({ value: number, run: id })),
    }),
    parts: fc.option(fc.constantFrom(["now", "chart"], ["workspace"])) as fc.Arbitrary<UsageQuery["parts"]>,
  });
  fc.assert(
    fc.property(state, ({ shown: { cycle, range, view }, ...rest }) => {
      const query: UsageQuery = { cycle, range, view, dates: null, ...rest };
      expect(parse(usageHref(query).split("?")[1] ?? "")).toEqual(query);
    }),
    { seed: 7 },
  );
});

it("keeps a window of dates, and ignores one that does not exist or is too long", () => {
  const { range, dates } = parse("from=2026-10-01&to=2026-10-31");
  expect([range, dates]).toEqual(["dates", { from: "2026-10-01", to: "2026-10-31" }]);
  for (const text of [
    "from=2026-10-02&to=2026-10-01",
    "from=2026-02-30&to=2026-03-01",
    "from=2024-01-01&to=2026-01-01",
  ]) {
    expect(parse(text)).toEqual(DEFAULTS);
  }
});

it("keeps the place of a link of the last release, which does not count requests", () => {
  const place = { value: 50, id: "u1", shown: { rows: 10, micros: 900, requests: null } };
  expect(parse("users_after=[50,%22u1%22,10,900]").tables.user.after).toEqual(place);
  for (const text of ['[50,"u1",10]', '[50,"u1",10,900,-1]', '[50,"u1",10,900,1,1]']) {
    expect(parse(`users_after=${encodeURIComponent(text)}`)).toEqual(DEFAULTS);
  }
});

it("replaces invalid values by the defaults", () => {
  const nonsense =
    "range=9y&view=%3Cscript%3E&workspace=%22%3E%3Cimg&workspaces_after=[1,2]&runs_after=x&user=&cycle=soon&surface=fax&users_sort=age";
  expect(parse(nonsense)).toEqual(DEFAULTS);
  expect(parse("part=now,evil,runs").parts).toEqual(["now", "runs"]);
});

it("combines filters, and adds or removes one without the others", () => {
  const { selection } = parse("user=u1&workspace=w1&surface=cli&model=plain");
  expect(selection).toEqual({ user: "u1", workspace: "w1", surface: "cli", model: "plain" });
  expect(withFilter(selection, "user", undefined)).toEqual({ workspace: "w1", surface: "cli", model: "plain" });
  expect(withFilter({}, "group", "none")).toEqual({ group: "none" });
});

it("percent-encodes ids in paths", () => {
  expect(receiptHref("a/b:c@d", DEFAULTS)).toBe("/settings/usage/runs/a%2Fb%3Ac%40d");
});

it("keeps the window and the filter in the URL of a receipt, for the way back", () => {
  expect(receiptHref("r1", parse("range=30d&user=u1&runs_after=1.r"))).toBe(
    "/settings/usage/runs/r1?range=30d&user=u1",
  );
});
