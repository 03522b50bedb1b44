// Debt of more meters than one change attributes: balances are right at once, and receipts follow in portions.
import fc from "fast-check";
import { expect, it } from "vitest";
import { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { auditBooks } from "../../../src/enterprise/jobs/audit.ts";
import { prune } from "../../../src/enterprise/jobs/pruning.ts";
import { APRIL, DAY_MS, debit, granted, grantRequest, NOON, openBooks, report } from "../../support/books.ts";
import { cases } from "../../support/cases.ts";

const DEBTORS = 2_500;
const nameOf = (i: number) => `r${String(i).padStart(5, "0")}`;

/** A ledger in which each of many runs owes 10 micros. */
function openInDebt(count = DEBTORS): Ledger {
  const ledger = openBooks({ allowanceOverrideMicros: 0 });
  ledger.debit(Array.from({ length: count }, (_, i) => report(10, { run: nameOf(i) })));
  return ledger;
}

const drawsOf = (ledger: Ledger, run: string) =>
  ledger.store
    .loadMeters([run])
    .flatMap((meter) => meter.draws.map((draw) => [draw.grantId ?? draw.bucket, draw.micros]));
const faults = (ledger: Ledger) => auditBooks(ledger).filter(({ ok }) => !ok);
const give = (ledger: Ledger, id: string, micros: number) =>
  granted(ledger.addGrant(grantRequest(id, micros), "operator")).grant;

it("moves the balances at once, and attributes the payment in portions of 1,000 meters", () => {
  const ledger = openInDebt();
  expect(give(ledger, "g1", 30_000)).toMatchObject({ drawnMicros: 25_000, remainingMicros: 5_000 });
  expect(ledger.gauge()).toMatchObject({ debtMicros: 0, remainingMicros: 5_000, bonus: { usedMicros: 25_000 } });
  expect(drawsOf(ledger, nameOf(999))).toEqual([["g1", 10]]);
  expect(drawsOf(ledger, nameOf(1_000))).toEqual([["debt", 10]]);
  expect(faults(ledger)).toEqual([]);
  const waiting: boolean[] = [];
  while (ledger.paymentsWait) {
    waiting.push(ledger.attributeWaiting());
    expect(faults(ledger)).toEqual([]);
  }
  expect(waiting).toEqual([true, false]);
  expect(drawsOf(ledger, nameOf(DEBTORS - 1))).toEqual([["g1", 10]]);
});

it("attributes to up to 1,000 debtors in the change that pays", () => {
  const ledger = openInDebt(1_000);
  give(ledger, "g1", 10_000);
  expect(ledger.paymentsWait).toBe(false);
  expect(drawsOf(ledger, nameOf(999))).toEqual([["g1", 10]]);
});

it("attributes first to a meter that is charged, refunded or read", () => {
  const ledger = openInDebt();
  give(ledger, "g1", 30_000);
  debit(ledger, report(15, { run: nameOf(2_000) }));
  expect(drawsOf(ledger, nameOf(2_000))).toEqual([["g1", 15]]);
  debit(ledger, report(4, { run: nameOf(2_001), final: true }));
  expect(drawsOf(ledger, nameOf(2_001))).toEqual([["g1", 4]]);
  expect(ledger.store.loadGrants(["g1"])[0]?.drawnMicros).toBe(25_000 + 5 - 6);
  ledger.attributeTo(nameOf(2_002));
  expect(drawsOf(ledger, nameOf(2_002))).toEqual([["g1", 10]]);
  expect(faults(ledger)).toEqual([]);
});

it("attributes to the tier of a model that owes, although another tier of it does not", () => {
  const ledger = openInDebt();
  const run = nameOf(DEBTORS);
  ledger.debit([report(0, { run }), report(10, { run, tier: "batch" })]);
  give(ledger, "g1", 30_000);
  expect(drawsOf(ledger, run)).toEqual([["debt", 10]]);
  debit(ledger, report(4, { run, tier: "batch", final: true }));
  expect(drawsOf(ledger, run)).toEqual([["g1", 4]]);
  expect(faults(ledger)).toEqual([]);
});

it("attributes to debt of the cycle that was paid, also after the turn, and before meters are pruned", () => {
  const ledger = openInDebt();
  give(ledger, "g1", 20_000);
  expect(ledger.gauge().debtMicros).toBe(5_000);
  ledger.moveClock(APRIL);
  debit(ledger, report(17, { run: nameOf(1_500) }));
  expect(drawsOf(ledger, nameOf(1_500))).toEqual([
    ["g1", 10],
    ["debt", 7],
  ]);
  ledger.moveClock(APRIL + 40 * DAY_MS);
  expect(prune(ledger)).toBe(true);
  expect(ledger.store.loadMeters([nameOf(0)])).toHaveLength(1);
  while (ledger.attributeWaiting());
  expect(drawsOf(ledger, nameOf(1_999))).toEqual([["g1", 10]]);
  expect(drawsOf(ledger, nameOf(2_000))).toEqual([["debt", 10]]);
  prune(ledger);
  expect(faults(ledger)).toEqual([]);
});

it("stores payments of many grants, and merges those of one bucket", () => {
  const ledger = openInDebt();
  give(ledger, "g0", 12_000);
  give(ledger, "g1", 8_000);
  ledger.changeSettings({ allowanceOverrideMicros: 1_000 }, "operator");
  ledger.changeSettings({ allowanceOverrideMicros: 3_000 }, "operator");
  expect(ledger.sql.all("SELECT bucket, grant_id AS id, micros FROM debt_payments ORDER BY number")).toEqual([
    { bucket: "grant", id: "g0", micros: 2_000 },
    { bucket: "grant", id: "g1", micros: 8_000 },
    { bucket: "monthly", id: null, micros: 3_000 },
  ]);
  expect(faults(ledger)).toEqual([]);
});

/** A few more than one change attributes. */
const MANY = 1_200;

const step = fc.oneof(
  fc.record({ type: fc.constant("grant" as const), micros: fc.integer({ min: 1, max: 15_000 }) }),
  fc.record({ type: fc.constant("debit" as const), run: fc.nat(MANY), tokens: fc.nat(40), final: fc.boolean() }),
  fc.record({ type: fc.constant("raise" as const), micros: fc.integer({ min: 1, max: 5_000 }) }),
  fc.record({ type: fc.constant("read" as const), run: fc.nat(MANY) }),
  fc.constant({ type: "attribute" as const }),
  fc.constant({ type: "evict" as const }),
  fc.constant({ type: "turn" as const }),
);

it("keeps every sum in any order of payments, charges, refunds, turns and evictions", () => {
  const rare = { waited: 0 };
  fc.assert(
    fc.property(fc.array(step, { minLength: 4, maxLength: 12 }), (steps) => {
      let ledger = openInDebt(MANY);
      let atMs = NOON;
      for (const [i, event] of steps.entries()) {
        if (event.type === "grant") give(ledger, `g${i}`, event.micros);
        if (event.type === "debit") {
          const { run, tokens, final } = event;
          ledger.debit([report(tokens, { run: nameOf(run), final, startedAtMs: NOON })]);
        }
        if (event.type === "raise") ledger.changeSettings({ allowanceOverrideMicros: event.micros }, "operator");
        if (event.type === "read") ledger.attributeTo(nameOf(event.run));
        if (event.type === "attribute") ledger.attributeWaiting();
        if (event.type === "evict") ledger = new Ledger(ledger.sql, ledger.realNowMs);
        if (event.type === "turn" && i % 3 === 0) ledger.moveClock((atMs += 25 * DAY_MS));
        if (!ledger.paymentsWait) continue;
        rare.waited += 1;
        expect(faults(ledger)).toEqual([]);
      }
      while (ledger.attributeWaiting());
      expect(faults(ledger)).toEqual([]);
      expect(ledger.sql.all("SELECT 1 FROM debt_payments")).toEqual([]);
    }),
    cases(12),
  );
  expect(rare.waited).toBeGreaterThan(0);
});
