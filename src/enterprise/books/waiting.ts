/**
 * What waits for a price (rule R13): sums by reported name and tier, and how far the catalog and the pricing job are.
 * Both are written in the transaction that changes a waiting meter, so they are exact. Ordinary debits never touch them.
 */
import type { Meter } from "../../ledger/books.ts";
import { KINDS, type Kind } from "../../ledger/kinds.ts";
import { MAX_MICROS } from "../../ledger/micros.ts";
import type { Usage } from "../../ledger/prices.ts";
import { splitMeterKey } from "../../ledger/tiers.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Sql, SqlRow } from "./sql.ts";

/** The usage that waits under one name and tier. */
type WaitingName = { name: string; tier: string; meters: number; usage: Usage };

type WaitingState = {
  /** How many meters wait. */
  meters: number;
  /** Raised with every change of what waits, and the last revision that the catalog has confirmed. */
  revision: number;
  sent: number;
  /** Whether the catalog lists this enterprise, so that the object is notified about new prices. */
  listed: boolean;
  /** When the catalog was last called, by the real clock, and how long to wait before the next call. */
  triedAtMs: AtMs;
  pauseMs: number;
  /** The latest version of the price book that this object has heard of. */
  knownVersion: number;
  /** Raised whenever waiting meters may have become priceable. A pass over them covers what was wanted at its start. */
  wanted: number;
  /** When a pass over the waiting meters last ended, by the enterprise's clock. */
  checkedAtMs: AtMs;
};

/** Returns the name under which a meter waits. */
export function waitingNameOf(meter: Meter): string {
  return meter.reportedAs[0] ?? splitMeterKey(meter.key).name;
}

/** Collects how one change of the books changes what waits, and writes it once. */
export class WaitingChanges {
  readonly #names = new Map<
    string,
    { name: string; tier: string; meters: number; usage: Partial<Record<Kind, number>> }
  >();

  get any(): boolean {
    return this.#names.size > 0;
  }

  /** Notes that a meter was added, changed or, if `after` is null, deleted. */
  note(before: Meter | null, after: Meter | null): void {
    const was = before !== null && before.price === null ? before : null;
    const is = after !== null && after.price === null ? after : null;
    const meter = is ?? was;
    if (meter === null) return;
    const name = waitingNameOf(was ?? meter);
    const key = `${name} ${meter.tier}`;
    const sums = this.#names.get(key) ?? { name, tier: meter.tier, meters: 0, usage: {} };
    this.#names.set(key, sums);
    sums.meters += Number(is !== null) - Number(was !== null);
    for (const { kind } of KINDS) {
      const added = (is?.usage[kind] ?? 0) - (was?.usage[kind] ?? 0);
      if (added !== 0) sums.usage[kind] = (sums.usage[kind] ?? 0) + added;
    }
  }

  /** Writes the sums, as part of the caller's transaction. */
  store(sql: Sql): void {
    if (!this.any) return;
    let meters = 0;
    for (const { name, tier, meters: added, usage } of this.#names.values()) {
      meters += added;
      const known = sql.all("SELECT * FROM waiting_names WHERE name = ? AND tier = ?", name, tier).map(readName)[0];
      const total = (known?.meters ?? 0) + added;
      if (total <= 0) sql.run("DELETE FROM waiting_names WHERE name = ? AND tier = ?", name, tier);
      else {
        const statement = `INSERT INTO waiting_names VALUES (?, ?, ?, ?) ON CONFLICT (name, tier)
          DO UPDATE SET meters = excluded.meters, usage = excluded.usage`;
        sql.run(statement, name, tier, total, JSON.stringify(addUsage(known?.usage ?? {}, usage)));
      }
    }
    sql.run("INSERT OR IGNORE INTO waiting_state VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0, 0)");
    sql.run("UPDATE waiting_state SET meters = meters + ?, revision = revision + 1", meters);
  }
}

/** The state of an enterprise in which nothing has waited so far. */
const NOTHING: WaitingState = {
  meters: 0,
  revision: 0,
  sent: 0,
  listed: false,
  triedAtMs: 0,
  pauseMs: 0,
  knownVersion: 0,
  wanted: 0,
  checkedAtMs: 0,
};

export function loadWaitingState(sql: Sql): WaitingState {
  const row = sql.all("SELECT * FROM waiting_state")[0];
  if (row === undefined) return NOTHING;
  return {
    meters: row.meters as number,
    revision: row.revision as number,
    sent: row.sent as number,
    listed: row.listed === 1,
    triedAtMs: row.tried_at_ms as number,
    pauseMs: row.pause_ms as number,
    knownVersion: row.known_version as number,
    wanted: row.wanted as number,
    checkedAtMs: row.checked_at_ms as number,
  };
}

/** Loads the names with the most waiting meters. */
export function loadWaitingNames(sql: Sql, limit: number): WaitingName[] {
  return sql.all("SELECT * FROM waiting_names ORDER BY meters DESC LIMIT ?", limit).map(readName);
}

/** Notes an attempt to tell the catalog. The next one waits for `pauseMs`. */
export function noteTried(sql: Sql, nowMs: AtMs, pauseMs: number): void {
  sql.run("UPDATE waiting_state SET tried_at_ms = ?, pause_ms = ?", nowMs, pauseMs);
}

/** Notes that the object went back to an earlier moment. It then reports again what waits, as a later revision. */
export function noteRestored(sql: Sql, revision: number): void {
  sql.run("INSERT OR IGNORE INTO waiting_state VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0, 0)");
  sql.run("UPDATE waiting_state SET revision = max(revision, ?) + 1", revision);
}

/** Notes what the catalog has confirmed. */
export function noteSent(sql: Sql, revision: number, listed: boolean): void {
  sql.run("UPDATE waiting_state SET sent = max(sent, ?), listed = ?", revision, Number(listed));
}

/** Notes a version of the price book. Returns whether this object had not heard of it. */
export function noteVersion(sql: Sql, version: number): boolean {
  if (version <= loadWaitingState(sql).knownVersion) return false;
  sql.run("UPDATE waiting_state SET known_version = ?", version);
  return true;
}

/** Notes that waiting meters may have become priceable. */
export function wantPricing(sql: Sql): void {
  sql.run("UPDATE waiting_state SET wanted = wanted + 1");
}

/** Notes the end of a pass over the waiting meters. */
export function noteChecked(sql: Sql, nowMs: AtMs): void {
  sql.run("UPDATE waiting_state SET checked_at_ms = ?", nowMs);
}

function readName(row: SqlRow): WaitingName {
  return {
    name: row.name as string,
    tier: row.tier as string,
    meters: row.meters as number,
    usage: JSON.parse(row.usage as string) as Usage,
  };
}

/** Adds quantities. These sums only inform people, so a sum stays at 2^53−1 rather than fail. */
function addUsage(known: Usage, added: Usage): Usage {
  const sums: Partial<Record<Kind, number>> = {};
  for (const { kind } of KINDS) {
    const sum = Math.min(MAX_MICROS, Math.max(0, (known[kind] ?? 0) + (added[kind] ?? 0)));
    if (sum > 0) sums[kind] = sum;
  }
  return sums;
}
