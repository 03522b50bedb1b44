/** The results of the last scheduled audits, one row for each enterprise, in the catalog's tables. */

/**
 * The result of a scheduled audit. `unreadable` means that the copy could not be read, and `failed` that the audit itself
 * did not finish. Earlier releases recorded `too_large`.
 */
export type AuditState = "ok" | "drift" | "unreadable" | "too_large" | "failed";
export type AuditNote = { state: AuditState; checkedAtMs: number; detail: string };

/** Summarizes the last audits of all enterprises. Each enterprise is counted in exactly one state. */
export type AuditSummary = {
  counts: Record<AuditState | "never", number>;
  /** The times of the oldest and the newest of these audits; null before the first audit. */
  oldestAtMs: number | null;
  latestAtMs: number | null;
  wrong: ({ enterprise: string } & AuditNote)[];
};

const MAX_WRONG = 100;

/** Needs the catalog's list of enterprises. */
export class AuditRecords {
  constructor(readonly sql: SqlStorage) {
    sql.exec(
      `CREATE TABLE IF NOT EXISTS audits (id TEXT PRIMARY KEY, state TEXT NOT NULL, checked_at_ms INTEGER NOT NULL,
        detail TEXT NOT NULL) STRICT, WITHOUT ROWID`,
    );
    sql.exec("CREATE INDEX IF NOT EXISTS audits_wrong ON audits (checked_at_ms) WHERE state <> 'ok'");
  }

  /** Returns the enterprises to audit next: first those never audited, then those with the oldest audits. */
  next(limit: number): string[] {
    const statement = `SELECT enterprises.id FROM enterprises LEFT JOIN audits USING (id)
      ORDER BY coalesce(checked_at_ms, 0), number LIMIT ?`;
    return this.sql
      .exec<{ id: string }>(statement, limit)
      .toArray()
      .map(({ id }) => id);
  }

  note(id: string, { state, checkedAtMs, detail }: AuditNote): void {
    this.sql.exec("INSERT OR REPLACE INTO audits VALUES (?, ?, ?, ?)", id, state, checkedAtMs, detail);
  }

  /** Summarizes the last audits of all enterprises. Lists at most MAX_WRONG audits that were not ok. */
  summary(): AuditSummary {
    const counts = { ok: 0, drift: 0, unreadable: 0, too_large: 0, failed: 0, never: 0 };
    const byState = `SELECT coalesce(state, 'never') AS state, count(*) AS n FROM enterprises LEFT JOIN audits USING (id)
      GROUP BY 1`;
    for (const { state, n } of this.sql.exec<{ state: keyof typeof counts; n: number }>(byState)) counts[state] = n;
    const times = "SELECT min(checked_at_ms) AS oldestAtMs, max(checked_at_ms) AS latestAtMs FROM audits";
    const { oldestAtMs, latestAtMs } = this.sql
      .exec<{ oldestAtMs: number | null; latestAtMs: number | null }>(times)
      .one();
    return { counts, oldestAtMs, latestAtMs, wrong: this.wrong(MAX_WRONG) };
  }

  /** Returns the enterprises whose last audit was not ok, latest audit first. Reads only the rows it returns. */
  wrong(limit: number): AuditSummary["wrong"] {
    const statement = `SELECT id AS enterprise, state, checked_at_ms AS checkedAtMs, detail FROM audits WHERE state <> 'ok'
      ORDER BY checked_at_ms DESC LIMIT ?`;
    return this.sql.exec<AuditSummary["wrong"][number]>(statement, limit).toArray();
  }

  /** Returns the last scheduled audit of an enterprise; null before its first one. */
  last(id: string): AuditNote | null {
    const statement = "SELECT state, checked_at_ms AS checkedAtMs, detail FROM audits WHERE id = ?";
    return this.sql.exec<AuditNote>(statement, id).toArray()[0] ?? null;
  }
}
