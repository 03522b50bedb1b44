// Damages one row at a time and expects the audit to find it, by the check that guards that row.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import {
  auditFailures,
  CREDIT,
  costing,
  type Enterprise,
  newEnterprise,
  objectOf,
  operator,
  projectNow,
  start,
} from "./api.ts";

/** An enterprise with something in every table: bonus in use, debt paid, a hold, a turn, and a cap from an earlier model. */
async function newEnterpriseWithHistory(): Promise<Enterprise> {
  const e = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
  await e.put({ billing_model: "byom" });
  await operator("PUT", `${e.path}/spend-cap`, { monthly_cap_micros: 7 * CREDIT });
  await e.debit(costing(100, { run: "usd" }));
  await e.put({ billing_model: "credits" });
  await e.debit(costing(12, { run: "first" }));
  await e.moveTo("2026-04-01T00:00:00Z");
  await e.grant({ id: "g", amount_micros: 20 * CREDIT });
  await e.debit(costing(14, { run: "second" }));
  await e.grant({ id: "gone", amount_micros: 3 * CREDIT, expires_at: "2026-04-02T00:00:00Z" });
  await e.grant({ id: "back", amount_micros: 4 * CREDIT });
  await operator("POST", `${e.path}/grants/back/void`);
  await e.debit(costing(2, { run: "third", surface: "cli", workspace: "w2", user: "u2", final: true }));
  await e.moveTo("2026-04-02T00:00:00Z");
  await e.start(start({ run: "held", hold_micros: CREDIT }));
  await operator("PUT", `${e.path}/directory`, { users: [{ id: "u1", name: "Ada" }] });
  await projectNow(e.id);
  return e;
}

const CHECKS = [
  "meters_cost",
  "meters_drawn",
  "waiting",
  "grants_drawn",
  "cycle_balances",
  "monthly_before_bonus",
  "one_turn_per_cycle",
  "held",
  "journal_without_gaps",
  "journal_replays",
  "budgets",
  "cube",
  "totals_agree",
  "copy_equals_ledger",
] as const;

/** Damage to rows of the object, and the check that must find it. Other checks may find it too. */
const DAMAGE: [check: (typeof CHECKS)[number], what: string, sql: string][] = [
  ["meters_cost", "a total", "UPDATE meters SET output_tokens = output_tokens + 1 WHERE run = 'second'"],
  ["meters_cost", "a pinned rate", "UPDATE meters SET rate_output = rate_output - 1 WHERE run = 'first'"],
  ["meters_cost", "a charge", "UPDATE meters SET charged_micros = charged_micros - 1 WHERE run = 'usd'"],
  ["meters_drawn", "a charge", "UPDATE meters SET charged_micros = charged_micros + 1 WHERE run = 'third'"],
  ["meters_drawn", "a draw", `UPDATE meters SET draws = json_set(draws, '$[0][3]', 1) WHERE run = 'second'`],
  ["waiting", "which meters wait", "INSERT INTO waiting_meters VALUES ('second', 'gpt-5')"],
  ["grants_drawn", "what was drawn", "UPDATE grants SET drawn_micros = drawn_micros - 1 WHERE id = 'g'"],
  ["cycle_balances", "monthly use", "UPDATE enterprise SET monthly_used_micros = monthly_used_micros - 1"],
  ["cycle_balances", "bonus use", "UPDATE enterprise SET bonus_used_micros = bonus_used_micros + 1"],
  ["cycle_balances", "debt", "UPDATE enterprise SET debt_micros = 5"],
  ["cycle_balances", "spend", "UPDATE enterprise SET spend_used_micros = 5"],
  ["monthly_before_bonus", "the order of draws", "UPDATE enterprise SET monthly_used_micros = monthly_used_micros - 1"],
  ["monthly_before_bonus", "a debt beside free credit", "UPDATE enterprise SET debt_micros = 5"],
  [
    "one_turn_per_cycle",
    "a repeated turn",
    `UPDATE entries SET facts = json_set(facts, '$.starts_at', '2026-04-01T00:00:00.000Z') WHERE facts LIKE '%cycle_started%'`,
  ],
  [
    "one_turn_per_cycle",
    "a cycle without its entry",
    "UPDATE enterprise SET cycle_starts_at_ms = cycle_starts_at_ms + 1",
  ],
  ["held", "the sum of holds", "UPDATE enterprise SET held_credits_micros = held_credits_micros + 1"],
  ["held", "a hold", "UPDATE runs SET hold_micros = hold_micros - 1 WHERE run = 'held'"],
  ["journal_without_gaps", "a missing entry", "DELETE FROM entries WHERE facts LIKE '%run_closed%'"],
  ["journal_without_gaps", "the seq", "UPDATE enterprise SET seq = seq + 1"],
  [
    "journal_replays",
    "the amount of a grant's entry",
    `UPDATE entries SET facts = json_set(facts, '$.amount_micros', 1) WHERE facts LIKE '%grant_added%' AND facts LIKE '%"g"%'`,
  ],
  ["journal_replays", "a grant's amount", "UPDATE grants SET amount_micros = amount_micros + 5 WHERE id = 'g'"],
  ["journal_replays", "an expiry", "UPDATE grants SET expired_micros = expired_micros - 1 WHERE id = 'gone'"],
  ["journal_replays", "a voided amount", "UPDATE grants SET voided_micros = voided_micros - 1 WHERE id = 'back'"],
  ["journal_replays", "the allowance", "UPDATE enterprise SET allowance_micros = allowance_micros + 1"],
  ["journal_replays", "the cap", "UPDATE enterprise SET cap_micros = NULL"],
  [
    "journal_replays",
    "a cycle's total",
    "UPDATE totals_cycle SET amount_micros = amount_micros + 1 WHERE dimension = 'all'",
  ],
  [
    "totals_agree",
    "a user's total",
    "UPDATE totals_cycle SET amount_micros = amount_micros + 1 WHERE dimension = 'user' AND id = 'u2'",
  ],
  ["totals_agree", "a count", "UPDATE totals_cycle SET requests = requests + 1 WHERE dimension = 'group'"],
  [
    "totals_agree",
    "an hour",
    "UPDATE totals_time SET amount_micros = amount_micros + 1 WHERE span = 'hour' AND surface = 'cli'",
  ],
  ["cube", "a count of the cube", "UPDATE cube SET requests = requests + 1 WHERE user = 'u2'"],
  ["totals_agree", "a missing workspace", "DELETE FROM totals_cycle WHERE dimension = 'workspace' AND id = 'w2'"],
  ["totals_agree", "a missing day", "DELETE FROM totals_time WHERE span = 'day'"],
  ["totals_agree", "all hours missing", "DELETE FROM totals_time WHERE span = 'hour'"],
];

/** Damage to rows of the copy. */
const COPY_DAMAGE: [what: string, sql: string][] = [
  ["a wrong hour", "UPDATE usage_hourly SET amount_micros = amount_micros + 1 WHERE enterprise = ?1"],
  ["a missing day", "DELETE FROM usage_daily WHERE enterprise = ?1"],
  ["a wrong count", "UPDATE usage_by_dimension SET requests = 99 WHERE enterprise = ?1 AND dimension = 'user'"],
  ["a wrong run", "UPDATE runs SET charged_micros = charged_micros - 1 WHERE enterprise = ?1 AND run = 'third'"],
  ["a missing entry", "DELETE FROM entries WHERE enterprise = ?1 AND type = 'cycle_started'"],
  ["a wrong name", "UPDATE names SET name = 'Eve' WHERE enterprise = ?1"],
  [
    "a run that the ledger lacks",
    "INSERT INTO runs SELECT enterprise, 'ghost', surface, workspace, group_id, user, started_at_ms, last_report_at_ms, models, unit, charged_micros, cycle_starts_at_ms, cycle_micros, final, revision, generation, usage, price_book_versions FROM runs WHERE enterprise = ?1 AND run = 'third'",
  ],
  [
    "a total that the ledger lacks",
    "INSERT INTO usage_by_dimension SELECT enterprise, unit, cycle_starts_at_ms, dimension, 'ghost', requests, amount_micros, revision, generation, magnitude, magnitude_revision FROM usage_by_dimension WHERE enterprise = ?1 AND id = 'u2'",
  ],
];

let e: Enterprise;
beforeAll(async () => {
  e = await newEnterpriseWithHistory();
});

/** Runs the statement in the object, and returns a function that restores all rows. */
async function damage(sql: string): Promise<() => Promise<void>> {
  const totals = ["totals_time", "totals_cycle", "cube"];
  const tables = ["enterprise", "grants", "meters", "waiting_meters", "runs", "entries", ...totals];
  const rows = await runInDurableObject(objectOf(e.id), (_, { storage }) => {
    const kept = tables.map((table) => storage.sql.exec(`SELECT * FROM ${table}`).toArray());
    expect(storage.sql.exec(sql).rowsWritten).toBeGreaterThan(0);
    return kept;
  });
  await evictDurableObject(objectOf(e.id));
  return async () => {
    await runInDurableObject(objectOf(e.id), (_, { storage }) => {
      for (const [i, table] of tables.entries()) {
        storage.sql.exec(`DELETE FROM ${table}`);
        for (const row of rows[i] ?? []) {
          const places = Object.keys(row).map(() => "?");
          storage.sql.exec(`INSERT INTO ${table} VALUES (${places})`, ...(Object.values(row) as SqlStorageValue[]));
        }
      }
    });
    await evictDurableObject(objectOf(e.id));
  };
}

describe("the audit", () => {
  it("of correct books passes every check and says what each counted", async () => {
    const audit = await e.audit();
    expect(audit).toMatchObject({ ok: true, checked_at: "2026-04-02T00:00:00.000Z" });
    expect(audit.checks.map(({ name }: { name: string }) => name)).toEqual([...CHECKS]);
    for (const check of audit.checks) expect(check).toEqual({ name: check.name, ok: true, detail: expect.any(String) });
    // The sums of budgets are in memory, so damage to rows does not reach them. test/enterprise/books has their test.
    const byRows = CHECKS.slice(0, -1).filter((name) => name !== "budgets");
    expect(new Set(DAMAGE.map(([check]) => check))).toEqual(new Set(byRows));
  });

  it.each(DAMAGE)("by the check %s finds damage: %s", async (check, _, sql) => {
    const restore = await damage(sql);
    expect(await auditFailures(e)).toContainEqual(expect.stringMatching(new RegExp(`^${check}: `)));
    await restore();
  });

  it.each(COPY_DAMAGE)("finds %s in the copy, and a rebuild repairs it", async (_, sql) => {
    const { meta } = await env.DB.prepare(sql).bind(e.id).run();
    expect(meta.changes).toBeGreaterThan(0);
    expect(await auditFailures(e)).toEqual([expect.stringMatching(/^copy_equals_ledger: /)]);
    await operator("POST", `${e.path}/rebuild`);
    expect(await auditFailures(e)).toEqual([]);
  });
});
