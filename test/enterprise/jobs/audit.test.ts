// The audit of the books passes for correct books, and names the check that a changed row breaks.
import { describe, expect, it } from "vitest";
import { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { foldOutbox } from "../../../src/enterprise/copy/totals.ts";
import { auditBooks } from "../../../src/enterprise/jobs/audit.ts";
import { debit, granted, grantRequest, openBooks, report, start } from "../../support/books.ts";

/** Books with every kind of row: draws on both buckets, debt, a hold, a refund, totals. */
function fullBooks(): Ledger {
  const ledger = openBooks();
  granted(ledger.addGrant(grantRequest("g1", 100), "operator"));
  granted(ledger.start(start({ run: "holds", holdMicros: 50 })));
  debit(ledger, report(1_000));
  debit(ledger, report(200, { run: "r2" }));
  debit(ledger, report(30, { run: "r3" }));
  debit(ledger, report(20, { run: "r3", final: true }));
  ledger.sql.transaction(() => foldOutbox(ledger.sql));
  return ledger;
}

function broken(tamper: string): string[] {
  const ledger = fullBooks();
  ledger.sql.run(tamper);
  const reread = new Ledger(ledger.sql, ledger.realNowMs);
  return auditBooks(reread).flatMap((check) => (check.ok ? [] : [check.name]));
}

describe("the audit", () => {
  it("finds nothing wrong with correct books, and says what it compared", () => {
    const checks = auditBooks(fullBooks());
    expect(checks.filter((check) => !check.ok)).toEqual([]);
    expect(checks.map((check) => check.detail).every((detail) => /^\d+ \w/.test(detail))).toBe(true);
  });

  it.each([
    [
      "a meter whose tokens cost more than it was charged",
      "UPDATE meters SET input_tokens = 999 WHERE run = 'r1'",
      "meters_cost",
    ],
    [
      "a meter that is charged more than it has drawn",
      "UPDATE meters SET draws = '[]' WHERE run = 'r2'",
      "meters_drawn",
    ],
    ["a grant that has drawn less than its meters say", "UPDATE grants SET drawn_micros = 99", "grants_drawn"],
    ["a balance that is not the sum of its draws", "UPDATE enterprise SET monthly_used_micros = 999", "cycle_balances"],
    ["debt while credit is free", "UPDATE enterprise SET allowance_micros = 5000", "monthly_before_bonus"],
    [
      "bonus in use while the allowance is free",
      "UPDATE enterprise SET monthly_used_micros = 10, debt_micros = 0",
      "monthly_before_bonus",
    ],
    ["a cycle that started without an entry", "DELETE FROM entries WHERE seq = 1", "one_turn_per_cycle"],
    ["more held than the holds", "UPDATE enterprise SET held_credits_micros = 51", "held"],
    ["an entry that is missing", "DELETE FROM entries WHERE seq = 2", "journal_without_gaps"],
    ["a grant without an entry", "UPDATE grants SET amount_micros = 500", "journal_replays"],
    [
      "a charge that is missing from the totals",
      "UPDATE totals_cycle SET amount_micros = 1 WHERE dimension = 'all'",
      "journal_replays",
    ],
    ["totals that disagree", "UPDATE totals_cycle SET amount_micros = 1 WHERE dimension = 'user'", "totals_agree"],
    ["a lost row of the cube", "DELETE FROM cube", "cube"],
    ["usage on a wrong day of the cube", "UPDATE cube SET day_starts_at_ms = day_starts_at_ms + 86400000", "cube"],
    ["a charge that counts for no kind", "UPDATE cube SET kinds = '{}'", "cube"],
    ["a model that the cube lacks", "UPDATE cube SET model = 'gpt-5', cycle_micros = cycle_micros + 1", "cube"],
    ["savings that the cube lacks", "UPDATE totals_model SET savings_micros = savings_micros + 1", "cube"],
    ["hours and days that disagree", "UPDATE totals_time SET amount_micros = 1 WHERE span = 'day'", "totals_agree"],
  ])("detects %s", (_, tamper, check) => {
    expect(broken(tamper)).toContain(check);
  });
});
