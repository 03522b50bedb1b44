/**
 * The enterprises in which usage waits for a price, as their objects report it (rule R13). Each new version of the price
 * book makes the catalog notify these objects, a slice at a time, until each has confirmed it.
 */

import { KINDS, type Kind } from "../ledger/kinds.ts";
import type { Usage } from "../ledger/prices.ts";
import type { WaitingReceived, WaitingReport } from "./waiting-report.ts";

/** Notifies an object of a version. Returns false if its enterprise no longer exists. */
type Notify = (objectId: string, version: number) => Promise<boolean>;

/** How many objects one alarm notifies at the same time. */
const NOTIFIED_AT_ONCE = 50;
/** The pause before an object that did not respond is notified again. */
const NOTIFY_AGAIN_MS = 5_000;
/** An object pauses this long between two reports, and longer if very many enterprises wait. */
const PAUSE_MS = 5_000;
const PAUSE_PER_ENTERPRISE_MS = 5;
/** How many reports the operator's list reads. */
const MAX_SUMMARIZED = 1_000;

/** What waits under one name and tier, in all enterprises. */
type WaitingUsage = { name: string; tier: string; meters: number; enterprises: number; usage: Usage };

export type WaitingSummary = {
  enterprises: number;
  meters: number;
  /** The names with the most meters. */
  names: WaitingUsage[];
};

export class WaitingList {
  constructor(
    readonly sql: SqlStorage,
    readonly nowMs: () => number,
    readonly version: () => number,
  ) {
    this.sql.exec(
      `CREATE TABLE IF NOT EXISTS waiting_usage (id TEXT PRIMARY KEY, object TEXT NOT NULL,
        revision INTEGER NOT NULL, meters INTEGER NOT NULL, names TEXT NOT NULL, notified INTEGER NOT NULL,
        retry_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
    );
    this.sql.exec("CREATE INDEX IF NOT EXISTS waiting_to_notify ON waiting_usage (notified)");
  }

  /** Stores what waits in an enterprise. The answer has the current version, so the object needs no notice. */
  report({ enterprise, revision, meters, names }: WaitingReport, objectId: string): WaitingReceived {
    const { sql } = this;
    const version = this.version();
    if (meters === 0) sql.exec("DELETE FROM waiting_usage WHERE id = ? AND revision <= ?", enterprise, revision);
    else {
      sql.exec(
        `INSERT INTO waiting_usage VALUES (?, ?, ?, ?, ?, ?, 0) ON CONFLICT (id) DO UPDATE SET
          object = excluded.object, revision = excluded.revision, meters = excluded.meters, names = excluded.names
          WHERE revision <= excluded.revision`,
        ...[enterprise, objectId, revision, meters, JSON.stringify(names), version],
      );
    }
    const waiting = Number(sql.exec("SELECT count(*) AS n FROM waiting_usage").one().n);
    return { version, pauseMs: PAUSE_MS + waiting * PAUSE_PER_ENTERPRISE_MS };
  }

  /** Returns when an object must be notified; null if all know the current version. */
  nextDueAtMs(): number | null {
    const statement = "SELECT min(retry_at_ms) AS at FROM waiting_usage WHERE notified < ?";
    return this.sql.exec<{ at: number | null }>(statement, this.version()).one().at;
  }

  /** Notifies a slice of the objects that have not confirmed the current version. */
  async notifySome(notify: Notify): Promise<void> {
    const { sql } = this;
    const version = this.version();
    const statement = `SELECT id, object, revision FROM waiting_usage WHERE notified < ? AND retry_at_ms <= ?
      ORDER BY retry_at_ms LIMIT ?`;
    const due = sql
      .exec<{ id: string; object: string; revision: number }>(statement, version, this.nowMs(), NOTIFIED_AT_ONCE)
      .toArray();
    // If this alarm is cut off, the objects that were not confirmed are notified again.
    for (const { id } of due) {
      const again = this.nowMs() + NOTIFY_AGAIN_MS;
      sql.exec("UPDATE waiting_usage SET retry_at_ms = ? WHERE id = ?", again, id);
    }
    await Promise.all(
      due.map(async ({ id, object, revision }) => {
        const exists = await notify(object, version).catch((error) => {
          console.error(JSON.stringify({ event: "prices_not_notified", enterprise: id, error: String(error) }));
          return null;
        });
        if (exists === null) return;
        if (exists) {
          const confirm = "UPDATE waiting_usage SET notified = max(notified, ?), retry_at_ms = 0 WHERE id = ?";
          sql.exec(confirm, version, id);
        } else sql.exec("DELETE FROM waiting_usage WHERE id = ? AND revision = ?", id, revision);
      }),
    );
  }

  /** Sums what waits in all enterprises. Lists at most `limit` names. */
  summary(limit: number): WaitingSummary {
    const { sql } = this;
    const totals = "SELECT count(*) AS enterprises, coalesce(sum(meters), 0) AS meters FROM waiting_usage";
    const { enterprises, meters } = sql.exec<{ enterprises: number; meters: number }>(totals).one();
    const sums = new Map<string, WaitingUsage>();
    for (const row of sql.exec<{ names: string }>("SELECT names FROM waiting_usage LIMIT ?", MAX_SUMMARIZED)) {
      for (const { name, tier, meters: count, usage } of JSON.parse(row.names) as WaitingReport["names"]) {
        const key = `${name} ${tier}`;
        const sum = sums.get(key) ?? { name, tier, meters: 0, enterprises: 0, usage: {} };
        sums.set(key, {
          ...sum,
          meters: sum.meters + count,
          enterprises: sum.enterprises + 1,
          usage: addUsage(sum.usage, usage),
        });
      }
    }
    const names = [...sums.values()].sort((a, b) => b.meters - a.meters || (a.name < b.name ? -1 : 1));
    return { enterprises, meters, names: names.slice(0, limit) };
  }
}

function addUsage(a: Usage, b: Usage): Usage {
  const sums: Partial<Record<Kind, number>> = {};
  for (const { kind } of KINDS) {
    const sum = (a[kind] ?? 0) + (b[kind] ?? 0);
    if (sum > 0) sums[kind] = sum;
  }
  return sums;
}
