// W1: no row and no debit grows with what a meter has drawn. Refunds, payments, receipts and pruning stay exact.
import { describe, expect, it } from "vitest";
import type { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { loadRunRows } from "../../../src/enterprise/copy/run-rows.ts";
import { auditBooks } from "../../../src/enterprise/jobs/audit.ts";
import { prune } from "../../../src/enterprise/jobs/pruning.ts";
import { DAY_MS, debit, granted, grantRequest, NOON, openBooks, report, settings } from "../../support/books.ts";

const GRANTS = 3_000;

const faults = (ledger: Ledger) => auditBooks(ledger).filter(({ ok }) => !ok);
const longest = ({ sql }: Ledger) => Number(sql.all("SELECT max(length(draws)) AS chars FROM meters")[0]?.chars);
const pages = ({ sql }: Ledger) => Number(sql.all("SELECT count(*) AS n FROM older_draws")[0]?.n);
const remaining = (ledger: Ledger, n: number) => {
  const [grant] = ledger.store.loadGrants([`g${n}`]);
  return grant === undefined ? null : grant.amountMicros - grant.drawnMicros;
};

/** A meter that has drawn on the whole allowance of 1,000 micros, and on all of 3,000 grants of 10 micros. */
function openWithDraws(): Ledger {
  const ledger = openBooks(settings({ allowanceOverrideMicros: 1_000 }));
  for (let n = 0; n < GRANTS; n++) granted(ledger.addGrant(grantRequest(`g${n}`, 10), "operator"));
  debit(ledger, report(1_000 + GRANTS * 10));
  return ledger;
}

describe("a meter that has drawn on thousands of grants", () => {
  it("keeps its newest draws in its row and the others in pages", () => {
    const ledger = openWithDraws();
    expect(longest(ledger)).toBeLessThan(20_000);
    expect(pages(ledger)).toBeGreaterThan(20);
    expect(faults(ledger)).toEqual([]);
  });

  it("has a receipt with its newest 1,000 draws, and with the sums of the others", () => {
    const ledger = openWithDraws();
    const draws = ledger.store.loadReceipt("r1")[0]?.draws ?? [];
    expect(draws.slice(0, 2)).toEqual([
      { bucket: "monthly", summed: true, micros: 1_000, lapsedMicros: 0 },
      { bucket: "grant", summed: true, micros: (GRANTS - 1_000) * 10, lapsedMicros: 0 },
    ]);
    expect(draws).toHaveLength(1_002);
    expect(draws.at(-1)).toMatchObject({ bucket: "grant", grantId: `g${GRANTS - 1}`, micros: 10 });
    expect(loadRunRows(ledger, ["r1"])[0]).toMatchObject({ cycleMicros: 1_000 + GRANTS * 10 });
  });

  it("is refunded most recent draw first, in an object that has just woken", () => {
    const ledger = openWithDraws();
    ledger.recent.clear();
    expect(debit(ledger, report(1_000 + 5_005, { final: true }))).toMatchObject({ chargedMicros: -24_995 });
    expect([499, 500, 501, GRANTS - 1].map((n) => remaining(ledger, n))).toEqual([0, 5, 10, 10]);
    expect(faults(ledger)).toEqual([]);
    debit(ledger, report(0, { run: "r2" }));
    expect(ledger.gauge().availableMicros).toBe(24_995);
  });

  it("is refunded completely, and has no pages then", () => {
    const ledger = openWithDraws();
    debit(ledger, report(0, { final: true }));
    expect(pages(ledger)).toBe(0);
    expect(ledger.gauge().availableMicros).toBe(1_000 + GRANTS * 10);
    expect(faults(ledger)).toEqual([]);
  });

  it("keeps its pages when a final report is refused", () => {
    const ledger = openWithDraws();
    const before = pages(ledger);
    ledger.debit([{ ...report(0, { final: true }), user: "somebody else" }]);
    expect([pages(ledger), longest(ledger) < 20_000]).toEqual([before, true]);
    expect(faults(ledger)).toEqual([]);
  });

  it("is pruned in portions, and the books add up between them", () => {
    const ledger = openWithDraws();
    ledger.moveClock(NOON + 36 * DAY_MS);
    let portions = 0;
    for (let more = true; more; portions++) {
      more = prune(ledger);
      expect(faults(ledger)).toEqual([]);
    }
    expect(portions).toBe(2);
    expect(pages(ledger)).toBe(0);
    expect(ledger.sql.all("SELECT 1 FROM meters")).toEqual([]);
    expect(loadRunRows(ledger, ["r1"])[0]).toMatchObject({ cycleMicros: 1_000 + GRANTS * 10 });
  });
});

it("refunds thousands of draws to the grants that can still be used", () => {
  const ledger = openBooks(settings({ allowanceOverrideMicros: 0 }));
  const expiresAtMs = NOON + DAY_MS;
  const count = 1_200;
  const ids = Array.from({ length: count }, (_, n) => `g${n}`);
  const isExpiring = (n: number) => n % 4 === 1;
  const isVoided = (n: number) => n % 4 === 2;
  for (const [n, id] of ids.entries()) {
    granted(ledger.addGrant(grantRequest(id, 10, isExpiring(n) ? { expiresAtMs } : {}), "operator"));
  }
  debit(ledger, report(count * 10));
  // This leaves grants in memory that are half used.
  granted(ledger.addGrant(grantRequest("half", 10), "operator"));
  debit(ledger, report(count * 10 + 5));
  for (const [n, id] of ids.entries()) if (isVoided(n)) ledger.voidGrant(id, "operator");
  ledger.moveClock(expiresAtMs);
  ledger.recent.clear();
  debit(ledger, report(0, { final: true }));
  const back = ids.map((_, n) => remaining(ledger, n));
  expect(back).toEqual(ids.map((_, n) => (isExpiring(n) || isVoided(n) ? 0 : 10)));
  expect(ledger.gauge().availableMicros).toBe((count / 2) * 10 + 10);
  expect(faults(ledger)).toEqual([]);
});

it("pays the debt of a meter piece by piece, wherever its draws are", () => {
  const ledger = openBooks(settings({ allowanceOverrideMicros: 0 }));
  const rounds = 400;
  // Each grant pays less than the next report adds, so debt and payments alternate.
  for (let n = 1; n <= rounds; n++) {
    debit(ledger, report(n * 5));
    granted(ledger.addGrant(grantRequest(`g${n}`, 2), "operator"));
  }
  expect(longest(ledger)).toBeLessThan(20_000);
  expect(pages(ledger)).toBeGreaterThan(2);
  expect(ledger.gauge().debtMicros).toBe(rounds * 3);
  expect(faults(ledger)).toEqual([]);
  granted(ledger.addGrant(grantRequest("pays all", rounds * 3), "operator"));
  expect(ledger.gauge().debtMicros).toBe(0);
  expect(ledger.sql.all("SELECT 1 FROM older_draws WHERE debt_cycle_ms IS NOT NULL")).toEqual([]);
  expect(faults(ledger)).toEqual([]);
  // A refund undoes the last payment first, because that is the most recent draw.
  debit(ledger, report(rounds * 5 - 10, { final: true }));
  expect(ledger.store.loadGrants(["pays all"])[0]?.drawnMicros).toBe(rounds * 3 - 10);
});

it("pays the meters of one model at two tiers before either is charged again", () => {
  const ledger = openBooks(settings({ allowanceOverrideMicros: 0 }));
  ledger.debit(Array.from({ length: 1_200 }, (_, i) => report(1, { run: `other${i}` })));
  ledger.debit([report(10), { ...report(10), tier: "flex" }]);
  granted(ledger.addGrant(grantRequest("g1", 1_215), "operator"));
  ledger.attributeTo("r1");
  const debts = ledger.store.loadReceipt("r1").flatMap(({ draws }) => draws.filter(({ bucket }) => bucket === "debt"));
  expect(debts).toEqual([]);
  expect(faults(ledger)).toEqual([]);
});
