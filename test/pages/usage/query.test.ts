// The state of the usage page in its URL.
import fc from "fast-check";
import { expect, it } from "vitest";
import { parseUsageQuery, receiptHref, type UsageQuery, usageHref } from "../../../src/pages/usage/query.ts";

const parse = (text: string) => parseUsageQuery(new URLSearchParams(text));
const DEFAULTS = parse("");

it("omits defaults from the URL", () => {
  expect(usageHref(DEFAULTS)).toBe("/settings/usage");
  expect(usageHref(DEFAULTS, { range: "24h", view: "total" })).toBe("/settings/usage?view=total");
  expect(usageHref(DEFAULTS, { range: "24h" })).toBe("/settings/usage?range=24h");
});

it("parses every state back from its URL", () => {
  const id = fc.stringMatching(/^[A-Za-z0-9_.:@/-]{1,40}$/).filter((text) => text !== "." && text !== "..");
  const place = fc.record({
    amountMicros: fc.integer({ min: -(10 ** 15), max: 10 ** 15 }),
    id,
    shownRows: fc.integer({ min: 0, max: 999_999 }),
    shownMicros: fc.integer({ min: -(10 ** 15), max: 10 ** 15 }),
  });
  const state: fc.Arbitrary<UsageQuery> = fc.record({
    range: fc.constantFrom("24h", "7d", "30d", "cycle"),
    view: fc.constantFrom("buckets", "total"),
    filter: fc.option(fc.record({ dimension: fc.constantFrom("workspace", "group", "user"), id })),
    top: fc.record({ workspace: fc.option(place), group: fc.option(place), user: fc.option(place) }),
    runsAfter: fc.option(fc.record({ startedAtMs: fc.integer({ min: 0, max: 10 ** 13 }), run: id })),
    parts: fc.option(fc.constantFrom(["now", "chart"], ["workspace"]) as fc.Arbitrary<UsageQuery["parts"]>),
  });
  fc.assert(
    fc.property(state, (query) => {
      const href = usageHref(query);
      // The running total has one window, the billing cycle.
      const range = query.view === "total" ? "cycle" : query.range;
      expect(parse(href.split("?")[1] ?? "")).toEqual({ ...query, range });
    }),
    { seed: 7 },
  );
});

it("replaces invalid values by the defaults", () => {
  const nonsense = "range=9y&view=%3Cscript%3E&workspace=%22%3E%3Cimg&workspaces_after=1.2&runs_after=x&user=";
  expect(parse(nonsense)).toEqual(DEFAULTS);
  expect(parse("part=now,evil,runs").parts).toEqual(["now", "runs"]);
});

it("filters by one dimension at a time", () => {
  expect(parse("user=u1&workspace=w1").filter).toEqual({ dimension: "workspace", id: "w1" });
});

it("percent-encodes ids in paths", () => {
  expect(receiptHref("a/b:c@d", DEFAULTS)).toBe("/settings/usage/runs/a%2Fb%3Ac%40d");
});

it("keeps the window and the filter in the URL of a receipt, for the way back", () => {
  expect(receiptHref("r1", parse("range=30d&user=u1&runs_after=1.r"))).toBe(
    "/settings/usage/runs/r1?range=30d&user=u1",
  );
});
