/** How often the Worker responded that a ledger was busy, by cause, for the metrics. Has one row for each cause. */

const BUSY_CAUSES = ["full", "overload", "restart", "working"] as const;
export type BusyCause = (typeof BUSY_CAUSES)[number];
export type BusyCounts = Partial<Record<BusyCause, number>>;

export function createBusyCounts(sql: SqlStorage): void {
  sql.exec(
    `CREATE TABLE IF NOT EXISTS busy_counts (cause TEXT PRIMARY KEY, responses INTEGER NOT NULL)
      STRICT, WITHOUT ROWID`,
  );
}

/** Adds what one instance of the Worker has counted since it last called. */
export function addBusyCounts(sql: SqlStorage, counts: BusyCounts): void {
  for (const cause of BUSY_CAUSES) {
    const added = counts[cause] ?? 0;
    if (added === 0) continue;
    sql.exec(
      `INSERT INTO busy_counts VALUES (?, ?) ON CONFLICT (cause)
        DO UPDATE SET responses = responses + excluded.responses`,
      cause,
      added,
    );
  }
}

/** Returns the counts of all causes. A cause that never occurred is 0, so that the metric has every series from the start. */
export function loadBusyCounts(sql: SqlStorage): Record<BusyCause, number> {
  const rows = sql.exec<{ cause: BusyCause; responses: number }>("SELECT cause, responses FROM busy_counts").toArray();
  const found = Object.fromEntries(rows.map(({ cause, responses }) => [cause, responses]));
  return Object.fromEntries(BUSY_CAUSES.map((cause) => [cause, found[cause] ?? 0])) as Record<BusyCause, number>;
}
