/**
 * Where each enterprise is: its region, and the database of its copy. Both are chosen when the enterprise is added to the
 * catalog's list, in one turn of the catalog, so two requests cannot create an enterprise in two places.
 */

/** `region` is a jurisdiction, or empty. `shard` is the name of the D1 binding that has the copy. */
export type Place = { region: string; shard: string };

/** An enterprise as the catalog lists it. */
export type ListedPlace = { number: number; id: string; shard: string };

export type ShardCount = { name: string; enterprises: number };

/** The database of every enterprise that was created before there was more than one. */
const FIRST_SHARD = "DB";

export class Places {
  constructor(readonly sql: SqlStorage) {
    sql.exec("CREATE TABLE IF NOT EXISTS enterprises (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT");
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
  add(id: string, region: string, shards: readonly string[]): Place {
    const listed = this.find(id);
    if (listed !== null) return listed;
    const place = { region, shard: this.#emptiest(shards) };
    this.sql.exec("INSERT INTO enterprises (id, region, shard) VALUES (?, ?, ?)", id, place.region, place.shard);
    this.#addToCount(place.shard, 1);
    return place;
  }

  /** Removes an enterprise from the list. Returns false if it is not listed. */
  remove(id: string): boolean {
    const place = this.find(id);
    if (place === null) return false;
    this.sql.exec("DELETE FROM enterprises WHERE id = ?", id);
    this.#addToCount(place.shard, -1);
    return true;
  }

  /** Returns an enterprise's place; null if it is not listed. */
  find(id: string): Place | null {
    return this.sql.exec<Place>("SELECT region, shard FROM enterprises WHERE id = ?", id).toArray()[0] ?? null;
  }

  /** Records that an enterprise's copy is now in another database. Idempotent. */
  move(id: string, shard: string): void {
    const before = this.find(id)?.shard;
    if (before === undefined || before === shard) return;
    this.sql.exec("UPDATE enterprises SET shard = ? WHERE id = ?", shard, id);
    this.#addToCount(before, -1);
    this.#addToCount(shard, 1);
  }

  /** Returns how many enterprises each database has; a database without any may be missing. */
  count(): ShardCount[] {
    return this.sql.exec<ShardCount>("SELECT name, enterprises FROM shards ORDER BY name").toArray();
  }

  /** Returns the database with the fewest enterprises; of several, the first. */
  #emptiest(shards: readonly string[]): string {
    const counts = new Map(this.count().map(({ name, enterprises }) => [name, enterprises]));
    const [first] = [...shards].sort((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0));
    return first ?? FIRST_SHARD;
  }

  #addToCount(shard: string, change: number): void {
    this.sql.exec(
      "INSERT INTO shards VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET enterprises = enterprises + ?2",
      shard,
      change,
    );
  }
}
