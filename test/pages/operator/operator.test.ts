// The operator's pages without a browser: conditions, form fields, search keys, and the text of journal entries.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { searchKeysOf, searchPrefixOf } from "../../../src/copy/search-keys.ts";
import { attentionOf } from "../../../src/ledger/attention.ts";
import type { EntryFacts } from "../../../src/ledger/entries.ts";
import { MAX_MICROS } from "../../../src/ledger/micros.ts";
import { conditionsOf } from "../../../src/pages/operator/condition.ts";
import { textOf } from "../../../src/pages/operator/entry-text.ts";
import { formatAmountField, parseAmount, parseUtcField } from "../../../src/pages/operator/parse-fields.ts";
import { parseSettings, SETTINGS } from "../../../src/pages/operator/settings-form.tsx";
import { byomGauge, creditsGauge, UNIT } from "../gauges.ts";

describe("the conditions of an enterprise", () => {
  const textsOf = (...given: Parameters<typeof conditionsOf>) => conditionsOf(...given).map(({ text }) => text);

  it("are empty while nothing needs attention", () => {
    expect(textsOf(creditsGauge({}), false)).toEqual([]);
  });

  it("list the worst first: suspended, exhausted, running out", () => {
    expect(textsOf(creditsGauge({ used: 1_500 }), true)).toEqual(["Suspended", "Exhausted"]);
    expect(textsOf(creditsGauge({ used: 1_300 }), false)).toEqual(["On track to run out"]);
    expect(textsOf(creditsGauge({ used: 1_512 }), false)).toEqual(["Exhausted", "In debt"]);
  });

  it("say in a cycle's first 24 hours that it is too early to tell, if something was used", () => {
    expect(textsOf(creditsGauge({ now: "2026-11-01T23:00:00.000Z", used: 90 }), false)).toEqual(["Too early to tell"]);
    expect(textsOf(creditsGauge({ now: "2026-11-01T23:00:00.000Z" }), false)).toEqual([]);
    expect(textsOf(creditsGauge({ now: "2026-11-02T00:00:00.000Z", used: 20 }), false)).toEqual([]);
  });

  it("of a byom enterprise are about its cap, or say that there is none", () => {
    expect(textsOf(byomGauge({ used: 500, cap: 500 }), false)).toEqual(["Capped"]);
    expect(textsOf(byomGauge({ used: 480, cap: 500 }), false)).toEqual(["On track to reach cap"]);
    expect(textsOf(byomGauge({ used: 5 }), false)).toEqual(["No cap"]);
  });
});

it("ranks an enterprise in the attention list by its worst condition", () => {
  const gauges = [0, 300, 900, 1_200, 1_300, 1_499, 1_500, 1_600].flatMap((used) => [
    creditsGauge({ used }),
    byomGauge({ used, cap: 1_500 }),
    byomGauge({ used }),
  ]);
  for (const gauge of gauges) {
    for (const suspended of [false, true]) {
      const levels = conditionsOf(gauge, suspended).map(({ level }) => level);
      const expected = levels.includes("critical") ? 2 : levels.includes("warning") ? 1 : 0;
      expect(attentionOf(gauge, suspended)).toBe(expected);
    }
  }
});

describe("a typed value", () => {
  it("is parsed as an amount to the last micro, and formatted back unchanged", () => {
    expect(["100", "1,200.5", "$3", " 0.000001 ", "0"].map(parseAmount)).toEqual([
      100_000_000, 1_200_500_000, 3_000_000, 1, 0,
    ]);
    for (const text of ["", "ten", "-1", "1e3", "1.0000001", "1,20", "0x1", "9007199255"]) {
      expect(parseAmount(text), text).toBeNull();
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_MICROS }), (micros) => {
        expect(parseAmount(formatAmountField(micros))).toBe(micros);
      }),
      { seed: 8 },
    );
  });

  it("is parsed as a time in UTC, or left for the schema to refuse", () => {
    expect(
      ["2099-01-31T12:00", "2099-01-31 12:00:05", "2099-01-31", "2099-01-31T12:00Z", "", "soon"].map(parseUtcField),
    ).toEqual([
      "2099-01-31T12:00:00Z",
      "2099-01-31T12:00:05Z",
      "2099-01-31T00:00:00Z",
      "2099-01-31T12:00:00Z",
      undefined,
      "soon",
    ]);
  });

  it("of the settings form is refused at its field, and an empty optional field is cleared", () => {
    const values = {
      name: "Acme",
      billing_model: "credits",
      plan: "pro",
      time_zone: "Europe/Berlin",
      anchor_day: "31",
      monthly_allowance_micros: "",
      members_see: "own",
      price_multiplier: "1.25",
      upgrade_url: "",
      referral_url: "https://acme.example/invite",
    };
    expect(parseSettings(values, SETTINGS)).toEqual({
      sent: {
        ...values,
        anchor_day: 31,
        monthly_allowance_micros: null,
        upgrade_url: null,
      },
    });
    const invalid = {
      name: " ",
      billing_model: "gold",
      plan: "very large",
      time_zone: "Mars",
      anchor_day: "0",
      monthly_allowance_micros: "much",
      members_see: "some",
      price_multiplier: "free",
      upgrade_url: "javascript:alert(1)",
      referral_url: "nowhere",
    };
    const parsed = parseSettings(invalid, SETTINGS);
    expect("errors" in parsed && Object.keys(parsed.errors).sort()).toEqual([...SETTINGS].sort());
    expect(parseSettings(invalid, [])).toEqual({ sent: {} });
  });
});

describe("the search keys of an enterprise", () => {
  it("start at every word of its id and name, without case, accents and signs", () => {
    expect(searchKeysOf("acme-eu", "Ácme Robotics & Söhne")).toEqual([
      "acme eu",
      "eu",
      "acme robotics sohne",
      "robotics sohne",
      "sohne",
    ]);
    expect(searchKeysOf("acme", "ACME")).toEqual(["acme"]);
    expect(searchKeysOf(".@", "日本 株式会社")).toEqual(["日本 株式会社", "株式会社"]);
    expect(searchPrefixOf("  Söhne-R ")).toBe("sohne r");
    expect(searchPrefixOf("%_*'\"")).toBe("");
  });

  it("match every prefix of every word, and are limited for the longest name", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200, unit: "grapheme" }), fc.nat(), (name, cut) => {
        const keys = searchKeysOf("id", name);
        expect(keys.length).toBeLessThanOrEqual(13);
        for (const key of keys) {
          expect(key.length).toBeLessThanOrEqual(100);
          const prefix = searchPrefixOf(key.slice(0, 1 + (cut % key.length)));
          expect(key.startsWith(prefix)).toBe(true);
        }
      }),
      { seed: 8 },
    );
  });
});

it("describes each type of entry in words, with its amounts", () => {
  const facts: EntryFacts[] = [
    {
      type: "cycle_started",
      startsAtMs: Date.parse("2026-11-01T00:00:00.000Z"),
      endsAtMs: Date.parse("2026-12-01T00:00:00.000Z"),
      allowanceMicros: 500 * UNIT,
      timeZone: "UTC",
      previous: null,
    },
    {
      type: "grant_added",
      grant: "g1",
      amountMicros: 200 * UNIT,
      source: "promotion",
      expiresAtMs: null,
      debtPaidMicros: 12 * UNIT,
    },
    { type: "grant_expired", grant: "g1", amountMicros: UNIT },
    { type: "grant_voided", grant: "g1", amountMicros: 2 * UNIT },
    { type: "debt_written_off", amountMicros: 3 * UNIT, cycleStartsAtMs: Date.parse("2026-11-01T00:00:00.000Z") },
    { type: "cap_changed", fromMicros: null, toMicros: 500 * UNIT },
    {
      type: "plan_changed",
      fromPlan: "free",
      toPlan: "pro",
      fromMicros: 500 * UNIT,
      toMicros: 5_000 * UNIT,
      allowanceMicros: 5_000 * UNIT,
      debtPaidMicros: 0,
    },
    { type: "billing_model_changed", from: "credits", to: "byom" },
    { type: "run_closed", run: "r1", creditsMicros: 0, usdMicros: 2 * UNIT },
    { type: "run_closed", run: "r2", creditsMicros: 150 * UNIT, usdMicros: 0 },
  ];
  expect(facts.map(textOf).map(({ what, detail }) => `${what} · ${detail}`)).toEqual([
    "Cycle started · 500 credits, until 1 Dec 2026, 00:00",
    "Grant added · g1: 200 credits, promotion, 12.0 credits paid debt",
    "Grant expired · g1: 1.0 credits were left",
    "Grant voided · g1: 2.0 credits taken back",
    "Debt written off · 3.0 credits",
    "Spend cap changed · no cap → $500.00",
    "Plan changed · free, 500 credits → pro, 5,000 credits",
    "Billing model changed · credits → byom",
    "Run closed · r1: $2.00",
    "Run closed · r2: 150 credits",
  ]);
});
