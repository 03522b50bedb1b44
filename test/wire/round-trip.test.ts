// What the object shows as JSON, the pages read back without a loss.
import { describe, expect, it } from "vitest";
import { alertOf } from "../../src/ledger/alerts.ts";
import type { EntryFacts } from "../../src/ledger/entries.ts";
import { gaugeOf } from "../../src/ledger/gauge.ts";
import { summarizeGrant } from "../../src/ledger/grants.ts";
import { resolveRates } from "../../src/ledger/prices.ts";
import { type Receipt, summarizeMeter, summarizeRun } from "../../src/ledger/receipt.ts";
import { parseFacts, showFacts } from "../../src/wire/entry.ts";
import { gaugeSchema, parseGauge, showGauge } from "../../src/wire/gauge.ts";
import { grantSchema, parseGrant, showGrant } from "../../src/wire/grant.ts";
import { parseReceipt, receiptSchema, showReceipt } from "../../src/wire/receipt.ts";
import {
  APRIL,
  books,
  byomBooks,
  draw,
  grant,
  grantDraw,
  MARCH,
  meter,
  NOON,
  price,
  run,
  tokens,
} from "../support/books.ts";

const LINKS = { upgradeUrl: "https://example.com/up", referralUrl: null };

describe("a gauge", () => {
  for (const [name, of] of [
    ["in credits", books({ grants: [grant("g1", { expiresAtMs: APRIL })], cycle: { monthlyUsedMicros: 900 } })],
    ["in USD", byomBooks({ cycle: { spendUsedMicros: 950 }, capMicros: 1_000 })],
    ["without a cap", byomBooks({ capMicros: null })],
  ] as const) {
    it(`${name} is shown and read back`, () => {
      const gauge = gaugeOf("acme", of, NOON);
      const json = showGauge(gauge, LINKS);
      expect(gaugeSchema.parse(json)).toEqual(json);
      const parsed = parseGauge(json);
      expect({ ...parsed, alerts: parsed.alerts.map(({ code }) => alertOf(code)) }).toEqual(gauge);
    });
  }
});

it("shows and reads back a grant", () => {
  for (const expiresAtMs of [null, APRIL]) {
    const summary = summarizeGrant(grant("g1", { expiresAtMs, note: "hello", drawnMicros: 40 }), NOON);
    const json = showGrant(summary);
    expect(grantSchema.parse(json)).toEqual(json);
    expect(parseGrant(json)).toEqual(summary);
  }
});

it("shows and reads back a receipt with every kind of draw", () => {
  const draws = [draw("monthly", 5), grantDraw("g1", 7, { lapsedMicros: 2 }), draw("debt", 1)];
  const meters = [
    meter({
      price: price({ rates: resolveRates({ input: 75_000, output: 1_250_000, cache_read: 0, cache_write: 1 }) }),
      usage: tokens({ input: 4, cache_write: 9 }),
      chargedMicros: 13,
      draws,
    }),
    meter({ model: "other", unit: "usd", draws: [draw("spend", 3)], final: true }),
  ];
  const receipt: Receipt = {
    ...summarizeRun(run({ group: "g" }), meters, "credits"),
    meters: meters.map((meter) => summarizeMeter(meter)),
  };
  const json = showReceipt(receipt);
  expect(receiptSchema.parse(json)).toEqual(json);
  expect(json.meters[0]?.rates).toEqual({ input: "0.075", output: "1.25", cache_read: "0", cache_write: "0.000001" });
  expect(json.meters[0]?.draws.map(({ id }) => id)).toEqual([
    "2026-03-01T00:00:00.000Z",
    "g1",
    "2026-03-01T00:00:00.000Z",
  ]);
  expect(parseReceipt(json)).toEqual(receipt);
});

it("shows and reads back the receipt of a run that has reported nothing", () => {
  const receipt = { ...summarizeRun(run(), [], "usd"), meters: [] };
  expect(receipt).toMatchObject({ lastReportAtMs: null, unit: "usd", final: false });
  expect(parseReceipt(showReceipt(receipt))).toEqual(receipt);
});

// The stored journals of all enterprises have this text, and the copy compares it.
const STORED: readonly [EntryFacts, string][] = [
  [
    {
      type: "cycle_started",
      startsAtMs: MARCH,
      endsAtMs: APRIL,
      allowanceMicros: 500,
      timeZone: "UTC",
      previous: { startsAtMs: NOON, usedMicros: 7, spendMicros: 8 },
    },
    '{"type":"cycle_started","starts_at":"2026-03-01T00:00:00.000Z","ends_at":"2026-04-01T00:00:00.000Z","allowance_micros":500,"time_zone":"UTC","previous":{"starts_at":"2026-03-10T12:00:00.000Z","used_micros":7,"spend_micros":8}}',
  ],
  [
    {
      type: "cycle_started",
      startsAtMs: MARCH,
      endsAtMs: APRIL,
      allowanceMicros: 500,
      timeZone: "UTC",
      previous: null,
    },
    '{"type":"cycle_started","starts_at":"2026-03-01T00:00:00.000Z","ends_at":"2026-04-01T00:00:00.000Z","allowance_micros":500,"time_zone":"UTC","previous":null}',
  ],
  [
    { type: "grant_added", grant: "g", amountMicros: 9, source: "goodwill", expiresAtMs: APRIL, debtPaidMicros: 1 },
    '{"type":"grant_added","grant":"g","amount_micros":9,"source":"goodwill","expires_at":"2026-04-01T00:00:00.000Z","debt_paid_micros":1}',
  ],
  [
    { type: "grant_added", grant: "g", amountMicros: 9, source: "goodwill", expiresAtMs: null, debtPaidMicros: 0 },
    '{"type":"grant_added","grant":"g","amount_micros":9,"source":"goodwill","expires_at":null,"debt_paid_micros":0}',
  ],
  [{ type: "grant_expired", grant: "g", amountMicros: 9 }, '{"type":"grant_expired","grant":"g","amount_micros":9}'],
  [{ type: "grant_voided", grant: "g", amountMicros: 9 }, '{"type":"grant_voided","grant":"g","amount_micros":9}'],
  [
    { type: "debt_written_off", amountMicros: 9, cycleStartsAtMs: MARCH },
    '{"type":"debt_written_off","amount_micros":9,"cycle_starts_at":"2026-03-01T00:00:00.000Z"}',
  ],
  [{ type: "cap_changed", fromMicros: null, toMicros: 9 }, '{"type":"cap_changed","from_micros":null,"to_micros":9}'],
  [
    {
      type: "plan_changed",
      fromPlan: "free",
      toPlan: "pro",
      fromMicros: 1,
      toMicros: 2,
      allowanceMicros: 3,
      debtPaidMicros: 4,
    },
    '{"type":"plan_changed","from_plan":"free","to_plan":"pro","from_micros":1,"to_micros":2,"allowance_micros":3,"debt_paid_micros":4}',
  ],
  [
    { type: "billing_model_changed", from: "credits", to: "byom" },
    '{"type":"billing_model_changed","from":"credits","to":"byom"}',
  ],
  [
    { type: "run_closed", run: "r", creditsMicros: 1, usdMicros: 2 },
    '{"type":"run_closed","run":"r","credits_micros":1,"usd_micros":2}',
  ],
];

it.each(STORED)("stores an entry as the text it always had, and reads it back: $type", (facts, text) => {
  expect(JSON.stringify(showFacts(facts))).toBe(text);
  expect(parseFacts(JSON.parse(text))).toEqual(facts);
});
