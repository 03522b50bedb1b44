/**
 * What the catalog knows about messages of all enterprises: how many were given up, for the metrics, and which
 * enterprises of an earlier release still have to store their webhook secret. These are found by their number in the
 * list, so that the upgrade itself writes one row.
 */
export type FailedDeliveries = { enterprise: string; failed: number };

export class DeliveryRecords {
  constructor(readonly sql: SqlStorage) {
    sql.exec(
      `CREATE TABLE IF NOT EXISTS deliveries_failed (id TEXT PRIMARY KEY, failed INTEGER NOT NULL)
        STRICT, WITHOUT ROWID`,
    );
    // The enterprises with these numbers are of an earlier release: after_number < number <= until_number.
    sql.exec(
      `CREATE TABLE IF NOT EXISTS webhook_secrets (only INTEGER PRIMARY KEY CHECK (only = 1),
        after_number INTEGER NOT NULL, until_number INTEGER NOT NULL) STRICT`,
    );
    sql.exec("CREATE TABLE IF NOT EXISTS webhook_secrets_failed (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID");
    sql.exec("INSERT OR IGNORE INTO webhook_secrets SELECT 1, 0, coalesce((SELECT max(number) FROM enterprises), 0)");
  }

  noteFailed(enterprise: string, failed: number): void {
    this.sql.exec(
      `INSERT INTO deliveries_failed VALUES (?, ?) ON CONFLICT (id)
        DO UPDATE SET failed = max(failed, excluded.failed)`,
      enterprise,
      failed,
    );
  }

  countFailed(): number {
    const statement = "SELECT coalesce(sum(failed), 0) AS n FROM deliveries_failed";
    return this.sql.exec<{ n: number }>(statement).one().n;
  }

  /** Returns the enterprises that have given up the most messages. */
  mostFailed(limit: number): FailedDeliveries[] {
    const statement = "SELECT id AS enterprise, failed FROM deliveries_failed ORDER BY failed DESC, id LIMIT ?";
    return this.sql.exec<FailedDeliveries>(statement, limit).toArray();
  }

  /**
   * Returns the next enterprises whose secret may not be stored, in the order of their numbers, and at the end those that
   * have failed.
   */
  secretsToStore(limit: number): { ids: string[]; left: number } {
    const open = "FROM enterprises, webhook_secrets WHERE number > after_number AND number <= until_number";
    const waiting = this.sql.exec<{ id: string }>(`SELECT id ${open} ORDER BY number LIMIT ?`, limit).toArray();
    const failed = this.sql.exec<{ id: string }>("SELECT id FROM webhook_secrets_failed LIMIT ?", limit).toArray();
    const count = `SELECT (SELECT count(*) ${open}) + (SELECT count(*) FROM webhook_secrets_failed) AS n`;
    const ids = (waiting.length > 0 ? waiting : failed).map(({ id }) => id);
    return { ids, left: this.sql.exec<{ n: number }>(count).one().n };
  }

  /** Continues after the last of these enterprises. Those that have failed are listed again at the end. */
  secretsStored(stored: readonly string[], failed: readonly string[]): void {
    const listed = "(SELECT value FROM json_each(?))";
    this.sql.exec(`DELETE FROM webhook_secrets_failed WHERE id IN ${listed}`, JSON.stringify(stored));
    this.sql.exec(
      `INSERT OR IGNORE INTO webhook_secrets_failed SELECT value FROM json_each(?)`,
      JSON.stringify(failed),
    );
    this.sql.exec(
      `UPDATE webhook_secrets SET after_number = max(after_number, coalesce(
        (SELECT max(number) FROM enterprises WHERE id IN ${listed} AND number <= until_number), 0))`,
      JSON.stringify([...stored, ...failed]),
    );
  }
}
