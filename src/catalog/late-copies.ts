/** The enterprises whose copy in D1 is late, for the metrics. Each object notes when its copy becomes late, and its end. */

export function createLateCopies(sql: SqlStorage): void {
  sql.exec("CREATE TABLE IF NOT EXISTS late_copies (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID");
}

export function noteLateCopy(sql: SqlStorage, enterprise: string, isLate: boolean): void {
  if (isLate) sql.exec("INSERT OR IGNORE INTO late_copies VALUES (?)", enterprise);
  else sql.exec("DELETE FROM late_copies WHERE id = ?", enterprise);
}

/** Lists late copies by enterprise, in the order of their ids. */
export function loadLateCopies(sql: SqlStorage, limit: number): string[] {
  return sql
    .exec<{ id: string }>("SELECT id FROM late_copies ORDER BY id LIMIT ?", limit)
    .toArray()
    .map(({ id }) => id);
}

export function countLateCopies(sql: SqlStorage): number {
  return Number(sql.exec("SELECT count(*) AS n FROM late_copies").one().n);
}
