/** The sizes of enterprises' objects that are nearly full, for the metrics. Each such object notes its size every hour. */

export type ObjectSize = { enterprise: string; bytes: number };

const MAX_LISTED = 100;

export function createObjectSizes(sql: SqlStorage): void {
  sql.exec(
    "CREATE TABLE IF NOT EXISTS object_sizes (id TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID",
  );
}

/** @param bytes 0 if the object is no longer large */
export function noteObjectSize(sql: SqlStorage, enterprise: string, bytes: number): void {
  if (bytes === 0) sql.exec("DELETE FROM object_sizes WHERE id = ?", enterprise);
  else sql.exec("INSERT OR REPLACE INTO object_sizes VALUES (?, ?)", enterprise, bytes);
}

/** Returns the largest objects, largest first. */
export function loadObjectSizes(sql: SqlStorage): ObjectSize[] {
  const statement = "SELECT id AS enterprise, bytes FROM object_sizes ORDER BY bytes DESC LIMIT ?";
  return sql.exec<ObjectSize>(statement, MAX_LISTED).toArray();
}
