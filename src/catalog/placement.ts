/**
 * Where each enterprise is: its region, and the database of its copy. Both are chosen when the enterprise is added to the
 * catalog's list, in one turn of the catalog, so two requests cannot create an enterprise in two places.
 */

/** `region` is a jurisdiction, or empty. `shard` is the name of the D1 binding that has the copy. */
export type Place = { region: string; shard: string };

export type ShardCount = { name: string; enterprises: number };

/** The database of every enterprise that was created before there was more than one. */
const FIRST_SHARD = "DB";

export function createPlaces(sql: SqlStorage): void {
  const columns = sql.exec<{ name: string }>("SELECT name FROM pragma_table_info('enterprises')").toArray();
  if (columns.some(({ name }) => name === "region")) return;
  sql.exec("ALTER TABLE enterprises ADD COLUMN region TEXT NOT NULL DEFAULT ''");
  sql.exec(`ALTER TABLE enterprises ADD COLUMN shard TEXT NOT NULL DEFAULT '${FIRST_SHARD}'`);
  // How many enterprises each database has. A count of the list would read all of it for each new enterprise.
  sql.exec("CREATE TABLE shards (name TEXT PRIMARY KEY, enterprises INTEGER NOT NULL) STRICT, WITHOUT ROWID");
  sql.exec("INSERT INTO shards SELECT ?, count(*) FROM enterprises", FIRST_SHARD);
}

/**
 * Adds an enterprise to the list and returns its place. An enterprise that is already listed keeps its place.
 * @param shards the databases that its copy may be in, preferred ones first
 */
export function placeEnterprise(sql: SqlStorage, id: string, region: string, shards: readonly string[]): Place {
  const listed = loadPlace(sql, id);
  if (listed !== null) return listed;
  const place = { region, shard: emptiest(sql, shards) };
  sql.exec("INSERT INTO enterprises (id, region, shard) VALUES (?, ?, ?)", id, place.region, place.shard);
  addToCount(sql, place.shard, 1);
  return place;
}

/** Removes an enterprise from the list. Returns false if it is not listed. */
export function removePlace(sql: SqlStorage, id: string): boolean {
  const place = loadPlace(sql, id);
  if (place === null) return false;
  sql.exec("DELETE FROM enterprises WHERE id = ?", id);
  addToCount(sql, place.shard, -1);
  return true;
}

/** Returns an enterprise's place; null if it is not listed. */
export function loadPlace(sql: SqlStorage, id: string): Place | null {
  return sql.exec<Place>("SELECT region, shard FROM enterprises WHERE id = ?", id).toArray()[0] ?? null;
}

/** Records that an enterprise's copy is now in another database. */
export function movePlace(sql: SqlStorage, id: string, shard: string): void {
  const before = loadPlace(sql, id)?.shard;
  if (before === undefined || before === shard) return;
  sql.exec("UPDATE enterprises SET shard = ? WHERE id = ?", shard, id);
  addToCount(sql, before, -1);
  addToCount(sql, shard, 1);
}

/** Returns how many enterprises each database has; a database without any may be missing. */
export function countByShard(sql: SqlStorage): ShardCount[] {
  return sql.exec<ShardCount>("SELECT name, enterprises FROM shards ORDER BY name").toArray();
}

/** Returns the database with the fewest enterprises; of several, the first. */
function emptiest(sql: SqlStorage, shards: readonly string[]): string {
  const counts = new Map(countByShard(sql).map(({ name, enterprises }) => [name, enterprises]));
  const [first] = [...shards].sort((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0));
  return first ?? FIRST_SHARD;
}

function addToCount(sql: SqlStorage, shard: string, change: number): void {
  sql.exec(
    "INSERT INTO shards VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET enterprises = enterprises + ?2",
    shard,
    change,
  );
}
