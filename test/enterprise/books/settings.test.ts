// Rules R4, R7 and R8: what a change of the settings changes, and when.
import { describe, expect, it } from "vitest";
import type { Books, Settings } from "../../../src/ledger/books.ts";
import { allowanceOf, FIRST_PLANS } from "../../../src/ledger/plans.ts";
import { decideCap, decideSettings } from "../../../src/ledger/settings.ts";
import {
  at,
  books,
  byomBooks,
  codeOf,
  debit,
  grant,
  granted,
  grantRequest,
  NOON,
  openBooks,
  report,
  settings,
} from "../../support/books.ts";

const change = (over: Partial<Settings>, kept: Books = books()) =>
  decideSettings(kept, { ...kept.settings, ...over }, "operator", NOON);
const facts = (decided: ReturnType<typeof change>) => granted(decided).entries.map((entry) => entry.facts);

describe("plans", () => {
  it("have 500, 5,000, 25,000 and 100,000 credits a month", () => {
    expect(FIRST_PLANS.map(({ id }) => allowanceOf({ plan: id, allowanceOverrideMicros: null }))).toEqual([
      500_000_000, 5_000_000_000, 25_000_000_000, 100_000_000_000,
    ]);
  });

  it("are overridden by an allowance of the enterprise, also by 0", () => {
    expect(allowanceOf({ plan: "pro", allowanceOverrideMicros: 7 })).toBe(7);
    expect(allowanceOf({ plan: "pro", allowanceOverrideMicros: 0 })).toBe(0);
  });
});

describe("a larger allowance", () => {
  it("counts at once, and leaves an entry", () => {
    const decided = granted(change({ allowanceOverrideMicros: 3_000 }));
    expect(decided.books).toMatchObject({
      cycle: { allowanceMicros: 3_000 },
      settings: { allowanceOverrideMicros: 3_000 },
      seq: 11,
    });
    expect(decided.entries).toEqual([
      {
        atMs: NOON,
        by: "operator",
        facts: {
          type: "plan_changed",
          fromPlan: "pro",
          toPlan: "pro",
          fromMicros: 1_000,
          toMicros: 3_000,
          allowanceMicros: 3_000,
          debtPaidMicros: 0,
        },
      },
    ]);
  });

  it("pays debt first, and the entry says how much", () => {
    const ledger = openBooks();
    debit(ledger, report(1_300));
    ledger.changeSettings({ allowanceOverrideMicros: 1_200 }, "operator");
    expect(ledger.gauge()).toMatchObject({
      debtMicros: 100,
      remainingMicros: 0,
      monthly: { allowanceMicros: 1_200, usedMicros: 1_200 },
    });
    expect(ledger.store.loadEntryPage(Number.MAX_SAFE_INTEGER, 1)[0]?.facts).toMatchObject({
      type: "plan_changed",
      debtPaidMicros: 200,
    });
  });

  it("that would raise the total above 2^53−1 is refused", () => {
    const most = Number.MAX_SAFE_INTEGER;
    expect(codeOf(change({ allowanceOverrideMicros: most - 100 }, books({ grants: [grant("g1")] })))).toBe("none");
    expect(change({ allowanceOverrideMicros: most - 99 }, books({ grants: [grant("g1")] }))).toMatchObject({
      refusal: { code: "validation_failed", errors: [{ path: "monthly_allowance_micros" }] },
    });
  });
});

describe("a smaller allowance", () => {
  it("waits for the next cycle", () => {
    const ledger = openBooks();
    ledger.changeSettings({ allowanceOverrideMicros: 10 }, "operator");
    expect(ledger.gauge().monthly?.allowanceMicros).toBe(1_000);
    ledger.moveClock(at("2026-04-01T00:00:00Z"));
    expect(ledger.gauge().monthly?.allowanceMicros).toBe(10);
  });

  it("after a larger one in the same cycle keeps the highest in force until the turn", () => {
    const ledger = openBooks();
    for (const allowanceOverrideMicros of [3_000, 20, 2_000])
      ledger.changeSettings({ allowanceOverrideMicros }, "operator");
    expect(ledger.gauge().monthly?.allowanceMicros).toBe(3_000);
    ledger.moveClock(at("2026-04-01T00:00:00Z"));
    expect(ledger.gauge().monthly?.allowanceMicros).toBe(2_000);
  });
});

describe("a change of the settings", () => {
  it("to another plan changes the allowance, unless the enterprise overrides it", () => {
    expect(facts(change({ plan: "team", allowanceOverrideMicros: null }))).toMatchObject([
      { type: "plan_changed", toMicros: 25_000_000_000 },
    ]);
    expect(facts(change({ plan: "team" }))).toMatchObject([
      { type: "plan_changed", fromMicros: 1_000, toMicros: 1_000 },
    ]);
  });

  it("that changes no balance leaves no entry", () => {
    const quiet = {
      name: "New",
      suspended: true,
      upgradeUrl: "https://example.com",
      timeZone: "Asia/Kolkata",
      anchorDay: 9,
    };
    const decided = granted(change(quiet));
    expect(decided).toMatchObject({ entries: [], books: { settings: quiet, seq: 10 } });
    expect(decided.books.cycle).toEqual(books().cycle);
  });

  it("of time zone or anchor day waits for the turn", () => {
    const ledger = openBooks();
    ledger.changeSettings({ timeZone: "Asia/Kolkata", anchorDay: 9 }, "operator");
    expect(ledger.gauge().cycle).toMatchObject({
      startsAtMs: at("2026-03-01T00:00:00.000Z"),
      endsAtMs: at("2026-04-01T00:00:00.000Z"),
    });
    ledger.moveClock(at("2026-04-02T00:00:00Z"));
    expect(ledger.gauge().cycle).toMatchObject({
      startsAtMs: at("2026-04-01T00:00:00.000Z"),
      endsAtMs: at("2026-04-08T18:30:00.000Z"),
    });
    ledger.moveClock(at("2026-04-10T00:00:00Z"));
    expect(ledger.gauge().cycle).toMatchObject({
      startsAtMs: at("2026-04-08T18:30:00.000Z"),
      endsAtMs: at("2026-05-08T18:30:00.000Z"),
      daysTotal: 30,
    });
  });

  it("of the billing model takes effect with the next request and keeps both histories", () => {
    const ledger = openBooks();
    ledger.addGrant(grantRequest("g1", 100), "operator");
    debit(ledger, report(300));
    const byom = granted(ledger.changeSettings({ billingModel: "byom" }, "operator"));
    expect(byom.gauge).toMatchObject({ unit: "usd", usedMicros: 0, monthly: null });
    granted(ledger.setCap(50, "operator"));
    debit(ledger, report(20, { run: "r2" }));
    expect(ledger.gauge()).toMatchObject({ usedMicros: 20, spend: { capMicros: 50, usedMicros: 20 } });
    const back = granted(ledger.changeSettings({ billingModel: "credits" }, "operator"));
    expect(back.gauge).toMatchObject({ unit: "credits", usedMicros: 300, remainingMicros: 800, spend: null });
    expect(back.capMicros).toBe(50);
    const types = ledger.store.loadEntriesAfter(0, 100).map((entry) => entry.facts.type);
    expect(types).toEqual([
      "cycle_started",
      "grant_added",
      "billing_model_changed",
      "cap_changed",
      "billing_model_changed",
    ]);
  });

  it("of billing model and plan leaves an entry for each, the plan's last", () => {
    expect(facts(change({ billingModel: "byom", allowanceOverrideMicros: 2_000 }))).toMatchObject([
      { type: "billing_model_changed", from: "credits", to: "byom" },
      { type: "plan_changed" },
    ]);
    expect(granted(change({ billingModel: "byom", allowanceOverrideMicros: 2_000 })).books.seq).toBe(12);
  });

  it("returns the same books when it changes nothing", () => {
    expect(granted(change({}))).toEqual({ books: books({ settings: settings() }), entries: [] });
  });
});

describe("the spend cap", () => {
  it("can be set, changed and removed, each with an entry", () => {
    const set = granted(decideCap(byomBooks(), 500, "user:ann", NOON));
    expect(set).toMatchObject({
      books: { capMicros: 500, seq: 11 },
      entries: [{ atMs: NOON, by: "user:ann", facts: { type: "cap_changed", fromMicros: null, toMicros: 500 } }],
    });
    const removed = granted(decideCap(set.books, null, "user:ann", NOON));
    expect(removed).toMatchObject({
      books: { capMicros: null },
      entries: [{ facts: { fromMicros: 500, toMicros: null } }],
    });
  });

  it("leaves no entry when it does not change; 0 is a cap", () => {
    const capped = byomBooks({ capMicros: 0 });
    expect(decideCap(capped, 0, "operator", NOON)).toEqual({ books: capped, entries: [] });
    expect(granted(decideCap(byomBooks(), 0, "operator", NOON)).books.capMicros).toBe(0);
  });

  it("is only for enterprises with their own model", () => {
    expect(codeOf(decideCap(books(), 500, "operator", NOON))).toBe("not_byom");
  });

  it("may be set below what is spent: no run starts, and active runs are stopped", () => {
    const ledger = openBooks({ billingModel: "byom" });
    debit(ledger, report(300));
    granted(ledger.setCap(200, "operator"));
    expect(debit(ledger, report(310))).toMatchObject({
      chargedMicros: 10,
      action: "stop",
      reason: "spend_cap_reached",
      remainingMicros: 0,
    });
  });
});
