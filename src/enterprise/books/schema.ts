/**
 * The schema of the Durable Object's tables, as numbered steps. Never edit a released step: add a new one. An object
 * that was never provisioned has no tables. STRICT integers with CHECKs keep amounts in range. WITHOUT ROWID halves the
 * number of written rows for tables whose key is text. Each index costs a written row per change, so there are few. This
 * file is long because it has every step.
 */
import { CELL_KEY } from "../../copy/write-cube.ts";
import { BUDGET_STEP, DAY_STEP } from "./budget-schema.ts";
import { CHANNELS_STEP } from "./channel-schema.ts";
import { COPY_SHARD_STEP } from "./copy-shard.ts";
import { CUBE_STEP, CYCLE_STEP } from "./cube-schema.ts";
import { EXPORT_MARKS_STEP } from "./export-schema.ts";
import { HELD_STEP } from "./held-sums.ts";
import { OLDER_DRAWS_STEP } from "./older-draws.ts";
import { OPEN_GRANTS_STEP } from "./open-grants-schema.ts";
import { REFERRAL_BY_STEP } from "./referral.ts";
import { RESTORING_STEP } from "./restoring.ts";
import type { Sql } from "./sql.ts";
import { WAITING_STEP } from "./waiting-schema.ts";

const AMOUNT = "INTEGER NOT NULL CHECK (%s BETWEEN 0 AND 9007199254740991)";
const amount = (column: string) => `${column} ${AMOUNT.replace("%s", column)}`;
const signed = (column: string) =>
  `${column} INTEGER NOT NULL CHECK (${column} BETWEEN -9007199254740991 AND 9007199254740991)`;
const optionalAmount = (column: string) =>
  `${column} INTEGER CHECK (${column} IS NULL OR ${column} BETWEEN 0 AND 9007199254740991)`;

/** Returns a trigger that adds each removed row of a table to the export's log, if anything was exported so far. */
function logRemoval(table: "runs" | "entries" | "cube"): string {
  const cell = CELL_KEY.map((column) => `OLD.${column}`).join(", ");
  const id = { runs: "OLD.run", entries: "OLD.seq", cube: `json_array(${cell})` }[table];
  return `CREATE TRIGGER export_removed_${table} AFTER DELETE ON ${table}
    WHEN EXISTS (SELECT 1 FROM progress WHERE name = 'export_change')
    BEGIN
      UPDATE progress SET value = value + 1 WHERE name = 'export_change';
      INSERT OR REPLACE INTO export_log (kind, id, change)
        SELECT '${table === "cube" ? "usage" : table}', ${id}, value FROM progress WHERE name = 'export_change';
    END`;
}

/** The statements of each step. */
export const STEPS: readonly string[][] = [
  [
    // A single row with the settings, the current cycle with its balances, and the latest seq.
    `CREATE TABLE enterprise (
      only INTEGER PRIMARY KEY CHECK (only = 1),
      id TEXT NOT NULL,
      settings TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      test_clock_ms INTEGER,
      demo INTEGER NOT NULL CHECK (demo IN (0, 1)),
      cycle_starts_at_ms INTEGER NOT NULL,
      cycle_ends_at_ms INTEGER NOT NULL CHECK (cycle_ends_at_ms > cycle_starts_at_ms),
      cycle_time_zone TEXT NOT NULL,
      ${amount("allowance_micros")},
      ${amount("monthly_used_micros")},
      ${amount("bonus_used_micros")},
      ${amount("debt_micros")},
      ${amount("returned_micros")},
      ${amount("spend_used_micros")},
      ${optionalAmount("cap_micros")},
      ${amount("held_credits_micros")},
      ${amount("held_usd_micros")},
      told TEXT NOT NULL,
      ${amount("seq")},
      last_at_ms INTEGER NOT NULL,
      CHECK (monthly_used_micros <= allowance_micros)
    ) STRICT`,
    `CREATE TABLE cycles (
      starts_at_ms INTEGER PRIMARY KEY,
      ends_at_ms INTEGER NOT NULL,
      time_zone TEXT NOT NULL,
      ${amount("allowance_micros")},
      ${amount("monthly_used_micros")},
      ${amount("bonus_used_micros")},
      ${amount("debt_micros")},
      ${amount("returned_micros")},
      ${amount("spend_used_micros")}
    ) STRICT`,
    `CREATE TABLE grants (
      id TEXT PRIMARY KEY,
      ${amount("amount_micros")},
      ${amount("drawn_micros")},
      ${amount("expired_micros")},
      ${amount("voided_micros")},
      ${amount("pruned_micros")} DEFAULT 0,
      source TEXT NOT NULL,
      note TEXT,
      granted_at_ms INTEGER NOT NULL,
      expires_at_ms INTEGER,
      voided INTEGER NOT NULL CHECK (voided IN (0, 1)),
      seq INTEGER NOT NULL UNIQUE,
      CHECK (drawn_micros + expired_micros + voided_micros <= amount_micros)
    ) STRICT, WITHOUT ROWID`,
    // Draws are a JSON list in their meter's row, so a debit that draws on the same bucket again writes no additional
    // row.
    `CREATE TABLE meters (
      run TEXT NOT NULL,
      model TEXT NOT NULL,
      reported_as TEXT NOT NULL,
      unit TEXT NOT NULL CHECK (unit IN ('credits', 'usd')),
      book_version INTEGER NOT NULL,
      credits_per_usd INTEGER NOT NULL,
      ${amount("rate_input")},
      ${amount("rate_output")},
      ${amount("rate_cache_read")},
      ${amount("rate_cache_write")},
      ${amount("input_tokens")},
      ${amount("output_tokens")},
      ${amount("cache_read_tokens")},
      ${amount("cache_write_tokens")},
      ${amount("charged_micros")},
      final INTEGER NOT NULL CHECK (final IN (0, 1)),
      draws TEXT NOT NULL,
      debt_cycle_ms INTEGER,
      first_report_at_ms INTEGER NOT NULL,
      last_report_at_ms INTEGER NOT NULL,
      PRIMARY KEY (run, model)
    ) STRICT, WITHOUT ROWID`,
    "CREATE INDEX meters_in_debt ON meters (debt_cycle_ms, first_report_at_ms) WHERE debt_cycle_ms IS NOT NULL",
    "CREATE INDEX meters_by_age ON meters (first_report_at_ms)",
    `CREATE TABLE runs (
      run TEXT PRIMARY KEY,
      surface TEXT NOT NULL CHECK (surface IN ('web', 'cli')),
      workspace TEXT NOT NULL,
      user TEXT NOT NULL,
      group_id TEXT,
      started_at_ms INTEGER NOT NULL,
      reported INTEGER NOT NULL CHECK (reported IN (0, 1)),
      hold_unit TEXT,
      ${optionalAmount("hold_micros")},
      hold_ttl_ms INTEGER,
      hold_expires_at_ms INTEGER,
      pruned TEXT
    ) STRICT, WITHOUT ROWID`,
    "CREATE INDEX runs_with_hold ON runs (hold_expires_at_ms) WHERE hold_expires_at_ms IS NOT NULL",
    "CREATE INDEX runs_by_age ON runs (started_at_ms)",
    // The outbox: one row for each commit that changed meters or holds.
    `CREATE TABLE journal (
      last_seq INTEGER PRIMARY KEY,
      at_ms INTEGER NOT NULL,
      time_zone TEXT NOT NULL,
      items TEXT NOT NULL
    ) STRICT`,
    `CREATE TABLE entries (
      seq INTEGER PRIMARY KEY,
      at_ms INTEGER NOT NULL,
      caused_by TEXT NOT NULL,
      facts TEXT NOT NULL
    ) STRICT`,
    `CREATE TABLE totals_time (
      span TEXT NOT NULL CHECK (span IN ('hour', 'day')),
      unit TEXT NOT NULL,
      starts_at_ms INTEGER NOT NULL,
      surface TEXT NOT NULL,
      ${signed("amount_micros")},
      revision INTEGER NOT NULL,
      PRIMARY KEY (span, unit, starts_at_ms, surface)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE totals_cycle (
      unit TEXT NOT NULL,
      cycle_starts_at_ms INTEGER NOT NULL,
      dimension TEXT NOT NULL CHECK (dimension IN ('all', 'workspace', 'group', 'user')),
      id TEXT NOT NULL,
      ${amount("requests")},
      ${signed("amount_micros")},
      revision INTEGER NOT NULL,
      PRIMARY KEY (unit, cycle_starts_at_ms, dimension, id)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE names (
      kind TEXT NOT NULL CHECK (kind IN ('workspace', 'group', 'user')),
      id TEXT NOT NULL,
      name TEXT NOT NULL,
      group_id TEXT,
      revision INTEGER NOT NULL,
      PRIMARY KEY (kind, id)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE keys (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      scopes TEXT NOT NULL,
      hash TEXT NOT NULL,
      created_by TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      expires_at_ms INTEGER,
      revoked_at_ms INTEGER
    ) STRICT, WITHOUT ROWID`,
    // How far the background work has come, for example folding and projecting.
    "CREATE TABLE progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE links_used (id TEXT PRIMARY KEY, expires_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    `CREATE TABLE webhooks (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL,
      type TEXT NOT NULL,
      body TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      attempts INTEGER NOT NULL,
      next_at_ms INTEGER,
      delivered_at_ms INTEGER,
      given_up_at_ms INTEGER,
      last_status INTEGER,
      last_error TEXT
    ) STRICT`,
    `CREATE TABLE referral (
      only INTEGER PRIMARY KEY CHECK (only = 1),
      referrer TEXT NOT NULL,
      ${amount("bonus_micros")},
      at_ms INTEGER NOT NULL,
      settled INTEGER NOT NULL CHECK (settled IN (0, 1))
    ) STRICT`,
    "CREATE TABLE schema_steps (step INTEGER PRIMARY KEY) STRICT",
  ],
  // Clearer names. Renaming is instant, regardless of the size of the table.
  ["ALTER TABLE journal RENAME TO outbox_items", "ALTER TABLE enterprise RENAME COLUMN told TO notified"],
  [
    // The new index is enough to sum expired holds. It covers only runs with a hold, so creating it is quick.
    "DROP INDEX runs_with_hold",
    `CREATE INDEX runs_with_hold ON runs (hold_expires_at_ms, hold_unit, hold_micros)
      WHERE hold_expires_at_ms IS NOT NULL`,
  ],
  [
    // Work that takes many slices: at most one job for each name.
    `CREATE TABLE jobs (
      name TEXT PRIMARY KEY,
      id TEXT NOT NULL,
      generation INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
      cursor TEXT NOT NULL,
      progress REAL NOT NULL CHECK (progress BETWEEN 0 AND 1),
      detail TEXT NOT NULL,
      result TEXT NOT NULL,
      failures INTEGER NOT NULL,
      due_at_ms INTEGER,
      recorded REAL NOT NULL,
      started_at_ms INTEGER NOT NULL,
      ended_at_ms INTEGER
    ) STRICT, WITHOUT ROWID`,
  ],
  [
    // What ended before it expired: a session by its id, a person's tokens, or a person's role `admin`. The last two
    // concern the tokens that were issued at or before `before_ms`.
    `CREATE TABLE sign_outs (
      kind TEXT NOT NULL CHECK (kind IN ('session', 'person', 'admin')),
      id TEXT NOT NULL,
      before_ms INTEGER NOT NULL,
      forget_at_ms INTEGER NOT NULL,
      PRIMARY KEY (kind, id)
    ) STRICT, WITHOUT ROWID`,
    "CREATE INDEX sign_outs_by_age ON sign_outs (forget_at_ms)",
    // An enterprise has few keys and few links of the last five minutes, so creating these indexes is quick.
    "CREATE INDEX links_used_by_age ON links_used (expires_at_ms)",
    "CREATE INDEX keys_by_age ON keys (created_at_ms, id)",
    "CREATE INDEX keys_not_revoked ON keys (expires_at_ms) WHERE revoked_at_ms IS NULL",
  ],
  // Entries that replace or add to those of the price book, for this enterprise only.
  ["CREATE TABLE price_overrides (place INTEGER PRIMARY KEY, entry TEXT NOT NULL) STRICT"],
  [
    // Payments of debt that are not yet attributed to meters. The table is empty unless thousands of meters owe.
    `CREATE TABLE debt_payments (
      cycle_starts_at_ms INTEGER NOT NULL,
      number INTEGER NOT NULL,
      bucket TEXT NOT NULL CHECK (bucket IN ('monthly', 'grant')),
      grant_id TEXT,
      ${amount("micros")},
      PRIMARY KEY (cycle_starts_at_ms, number)
    ) STRICT, WITHOUT ROWID`,
  ],
  [
    // The directory is small, so creating its index is quick.
    "CREATE INDEX names_by_revision ON names (revision)",
  ],
  [
    // More usage kinds, tiers, multipliers, estimates and usage without a price. All columns are null for an ordinary
    // meter. `model` holds the meter's key: the name and, unless it is `standard`, the tier.
    "ALTER TABLE meters ADD COLUMN further_usage TEXT",
    "ALTER TABLE meters ADD COLUMN rates_id INTEGER",
    "ALTER TABLE meters ADD COLUMN multiplier_millionths INTEGER",
    "ALTER TABLE meters ADD COLUMN estimated INTEGER",
    "ALTER TABLE meters ADD COLUMN priced_as TEXT",
    "ALTER TABLE meters ADD COLUMN priced_at_ms INTEGER",
    // Few sets of further rates exist, and almost every meter of a model has the same, so a meter stores only its id.
    "CREATE TABLE further_rates (id INTEGER PRIMARY KEY, rates TEXT NOT NULL) STRICT",
    `CREATE VIEW meter_rows AS
      SELECT meters.*, (SELECT rates FROM further_rates WHERE id = meters.rates_id) AS further_rates FROM meters`,
    // The meters without a price. Their rows in `meters` have book_version 0.
    `CREATE TABLE waiting_meters (
      run TEXT NOT NULL,
      model TEXT NOT NULL,
      PRIMARY KEY (run, model)
    ) STRICT, WITHOUT ROWID`,
  ],
  [
    // The export's log: which rows changed, or were removed, after the first export. It stays empty until then.
    `CREATE TABLE export_log (
      kind TEXT NOT NULL,
      id TEXT NOT NULL,
      change INTEGER NOT NULL,
      PRIMARY KEY (kind, id)
    ) STRICT, WITHOUT ROWID`,
    "CREATE INDEX export_log_by_change ON export_log (kind, change)",
    logRemoval("runs"),
    logRemoval("entries"),
  ],
  CUBE_STEP,
  [
    // A run that never reported is kept for 35 days after its start or its hold's end.
    "ALTER TABLE runs ADD COLUMN hold_ended_at_ms INTEGER",
    // Runs without a report whose hold ended later than 35 days ago, when retention looked at them.
    "CREATE TABLE late_runs (run TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    // The sums of deleted hourly and daily totals, as decimal numbers that may be larger than an integer of SQLite.
    "CREATE TABLE deleted_sums (name TEXT PRIMARY KEY, micros TEXT NOT NULL) STRICT, WITHOUT ROWID",
  ],
  [
    // When a key was last used, to the hour, and the id of the secret that signed it. Null for keys of earlier releases.
    "ALTER TABLE keys ADD COLUMN last_used_at_ms INTEGER",
    "ALTER TABLE keys ADD COLUMN secret_id TEXT",
  ],
  WAITING_STEP,
  [
    logRemoval("cube"),
    // The people whose id was replaced. `user` and `name` are null once no other table has them. The hash recognizes
    // reports that arrive late, and ends the person's tokens.
    `CREATE TABLE erasures (
      replacement TEXT PRIMARY KEY,
      hash_key TEXT NOT NULL,
      hash TEXT NOT NULL,
      user TEXT,
      name TEXT,
      erased_at_ms INTEGER NOT NULL,
      real_at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID`,
  ],
  CHANNELS_STEP,
  BUDGET_STEP,
  COPY_SHARD_STEP,
  CYCLE_STEP,
  DAY_STEP,
  HELD_STEP,
  OPEN_GRANTS_STEP,
  RESTORING_STEP,
  OLDER_DRAWS_STEP,
  EXPORT_MARKS_STEP,
  REFERRAL_BY_STEP,
];

/** Returns how many steps have been applied; 0 for an object that was never provisioned. Writes nothing. */
export function schemaStep(sql: Sql): number {
  if (sql.all("SELECT 1 FROM sqlite_master WHERE name = 'schema_steps'").length === 0) return 0;
  return Number(sql.all("SELECT max(step) AS step FROM schema_steps")[0]?.step ?? 0);
}

/** Applies the steps that are missing, each in one transaction. */
export function migrate(sql: Sql, steps = STEPS): void {
  for (let step = schemaStep(sql); step < steps.length; step++) {
    sql.transaction(() => {
      for (const statement of steps[step] as string[]) sql.run(statement);
      sql.run("INSERT INTO schema_steps (step) VALUES (?)", step + 1);
    });
  }
}
