// Writes a history of runs straight into the SQLite files of a stopped runtime, as the product would have left it.
// Enterprises with such histories differ only in the number of their runs: hours, workspaces, groups and users are the
// same.
import { DatabaseSync } from "node:sqlite";
import { databaseOfCopy, databaseOfObject } from "../workerd/database-files.ts";

export const WORKSPACES = 40;
export const GROUPS = 8;
export const USERS = 200;

interface History {
  enterprise: string;
  /** The id of its object, which is also the name of the file. */
  objectId: string;
  runs: number;
  cycleStartsAtMs: number;
}

const DAY_MS = 86_400_000;
const SPAN_MS = 30 * DAY_MS;
const CHARGE_MICROS = 41_000;
/** The numbers from 0 to :count - 1, as rows. */
const NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)";
const SURFACE_AND_WORKSPACE = `CASE i % 3 WHEN 0 THEN 'web' ELSE 'cli' END, 'ws-' || (i % ${WORKSPACES})`;

/** Fills the copy and the object with runs of the last thirty days. */
export function writeHistory(directory: string, history: History): void {
  writeCopy(databaseOfCopy(directory), history);
  writeObject(databaseOfObject(directory, history.objectId), history);
}

function writeCopy(file: string, { enterprise, runs, cycleStartsAtMs }: History): void {
  const db = open(file);
  const fromMs = Date.now() - SPAN_MS;
  const parameters = { enterprise, cycle: cycleStartsAtMs };
  const stepMs = SPAN_MS / runs;
  const startedAt = "CAST(:from_ms + i * :step_ms AS INTEGER)";
  fill(db, "runs", () => {
    db.prepare(
      `${NUMBERS} INSERT INTO runs (enterprise, run, surface, workspace, group_id, user, started_at_ms, last_report_at_ms,
          models, unit, charged_micros, cycle_starts_at_ms, cycle_micros, final, revision)
        SELECT :enterprise, printf('past-%08d', i), ${SURFACE_AND_WORKSPACE}, 'group-' || (i % ${GROUPS}), 'user-' || (i % ${USERS}),
          ${startedAt}, ${startedAt} + 20000, '["claude-sonnet-4-5"]', 'credits', ${CHARGE_MICROS},
          CASE WHEN ${startedAt} >= :cycle THEN :cycle ELSE :cycle - 2592000000 END, ${CHARGE_MICROS}, 1, 1 FROM n`,
    ).run({ ...parameters, count: runs, from_ms: fromMs, step_ms: stepMs });
  });
  for (const [table, lengthMs] of [
    ["usage_hourly", 3_600_000],
    ["usage_daily", DAY_MS],
  ] as const) {
    const firstMs = Math.floor(fromMs / lengthMs) * lengthMs;
    for (const surface of ["web", "cli"]) {
      db.prepare(
        `${NUMBERS} INSERT OR IGNORE INTO ${table} (enterprise, unit, starts_at_ms, surface, amount_micros, revision)
          SELECT :enterprise, 'credits', :first + i * ${lengthMs}, :surface, :amount, 1 FROM n`,
      ).run({ enterprise, surface, count: SPAN_MS / lengthMs, first: firstMs, amount: runs * 10 });
    }
  }
  for (const [dimension, prefix, count] of [
    ["all", "", 1],
    ["workspace", "ws-", WORKSPACES],
    ["group", "group-", GROUPS],
    ["user", "user-", USERS],
  ] as const) {
    const amount = `(:requests * ${CHARGE_MICROS} + i)`;
    const text = `CAST(${amount} AS TEXT)`;
    db.prepare(
      `${NUMBERS} INSERT OR REPLACE INTO usage_by_dimension
          (enterprise, unit, cycle_starts_at_ms, dimension, id, requests, amount_micros, revision, magnitude,
            magnitude_revision)
        SELECT :enterprise, 'credits', :cycle, :dimension, CASE :prefix WHEN '' THEN '' ELSE :prefix || i END,
          :requests, ${amount}, 1, length(${text}) * 3 + (${text} >= '2') + (${text} >= '5'), 1 FROM n`,
    ).run({ ...parameters, dimension, prefix, count, requests: Math.ceil(runs / count) });
  }
  db.close();
}

function writeObject(file: string, { runs }: History): void {
  const db = open(file);
  const parameters = { count: runs, from_ms: Date.now() - SPAN_MS, step_ms: SPAN_MS / runs };
  const startedAt = "CAST(:from_ms + i * :step_ms AS INTEGER)";
  fill(db, "runs", () => {
    db.prepare(
      `${NUMBERS} INSERT INTO runs (run, surface, workspace, user, group_id, started_at_ms, reported)
        SELECT printf('past-%08d', i), ${SURFACE_AND_WORKSPACE}, 'user-' || (i % ${USERS}), 'group-' || (i % ${GROUPS}), ${startedAt}, 1
        FROM n`,
    ).run(parameters);
  });
  fill(db, "meters", () => {
    db.prepare(
      `${NUMBERS} INSERT INTO meters (run, model, reported_as, unit, book_version, credits_per_usd, rate_input, rate_output,
          rate_cache_read, rate_cache_write, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
          charged_micros, final, draws, debt_cycle_ms, first_report_at_ms, last_report_at_ms)
        SELECT printf('past-%08d', i), 'claude-sonnet-4-5', '[]', 'credits', 1, 100, 3000000, 15000000, 300000, 3750000,
          10, 20, 0, 0, ${CHARGE_MICROS}, 1, '[["monthly",null,0,${CHARGE_MICROS},0]]', NULL, ${startedAt},
          ${startedAt} + 20000 FROM n`,
    ).run(parameters);
  });
  db.close();
}

function open(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; PRAGMA temp_store = MEMORY");
  return db;
}

/** Inserts rows without the table's indexes and creates them afterwards, which is faster. */
function fill(db: DatabaseSync, table: string, insert: () => void): void {
  const indexes = db.prepare(
    "SELECT name, sql FROM sqlite_master WHERE tbl_name = ? AND type = 'index' AND sql NOT NULL",
  );
  const dropped = indexes.all(table) as { name: string; sql: string }[];
  db.exec("BEGIN");
  for (const { name } of dropped) db.exec(`DROP INDEX ${name}`);
  insert();
  for (const { sql } of dropped) db.exec(sql);
  db.exec("COMMIT");
}
