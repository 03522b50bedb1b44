// @ts-nocheck: runs in workerd.
// A point-in-time recovery like that of Cloudflare, which workerd lacks. Snapshots of all tables take the place of the
// file's history. They and the bookmark at which the next instance starts are stored in the same database, in tables that
// no snapshot contains, so a killed process loses neither.

const OWN = "name NOT GLOB '_cf*' AND name NOT GLOB 'sqlite*' AND name NOT GLOB 'recovery_*'";
/** The bookmark of every time before the first snapshot. */
const NOTHING = "nothing";

/** @param storage the storage of any object; the objects of an isolate share its prototype */
export function provideRecovery(storage) {
  const proto = Object.getPrototypeOf(storage);
  proto.getBookmarkForTime = async function (atMs) {
    createTables(this.sql);
    // All times have as many digits, so texts compare as numbers do.
    const statement = "SELECT max(bookmark) AS bookmark FROM recovery_rows WHERE bookmark <= ?";
    return this.sql.exec(statement, String(atMs)).one().bookmark ?? NOTHING;
  };
  proto.onNextSessionRestoreBookmark = async function (bookmark) {
    return this.transactionSync(() => {
      const undo = takeSnapshot(this.sql);
      this.sql.exec("INSERT OR REPLACE INTO recovery_next VALUES (1, ?)", bookmark);
      return undo;
    });
  };
}

/** Stores what all tables hold now. Returns its bookmark, which is the current time. */
export function takeSnapshot(sql) {
  createTables(sql);
  const bookmark = String(Date.now());
  sql.exec("DELETE FROM recovery_rows WHERE bookmark = ?", bookmark);
  for (const { type, name, sql: definition } of listOwn(sql)) {
    const rows = type === "table" ? sql.exec(`SELECT * FROM "${name}"`).toArray() : [];
    const statement = "INSERT INTO recovery_rows VALUES (?, ?, ?, ?, ?)";
    sql.exec(statement, bookmark, type, name, definition, JSON.stringify(rows));
  }
  return bookmark;
}

/** Replaces everything that the object has stored, if an earlier instance asked for it. Call this in the constructor. */
export function startAtBookmark(storage) {
  const { sql } = storage;
  createTables(sql);
  storage.transactionSync(() => {
    const [next] = sql.exec("SELECT bookmark FROM recovery_next").toArray();
    if (next === undefined) return;
    const current = listOwn(sql);
    for (const type of ["trigger", "view", "table"]) {
      for (const { name } of current.filter((own) => own.type === type)) sql.exec(`DROP ${type} "${name}"`);
    }
    const stored = sql.exec("SELECT * FROM recovery_rows WHERE bookmark = ? ORDER BY rowid", next.bookmark).toArray();
    for (const { type, name, definition, rows } of stored) {
      sql.exec(definition);
      for (const row of type === "table" ? JSON.parse(rows) : []) {
        const columns = Object.keys(row);
        const places = columns.map(() => "?").join(", ");
        sql.exec(`INSERT INTO "${name}" (${columns.join(", ")}) VALUES (${places})`, ...Object.values(row));
      }
    }
    sql.exec("DELETE FROM recovery_next");
  });
}

function createTables(sql) {
  sql.exec(`CREATE TABLE IF NOT EXISTS recovery_rows (bookmark TEXT, type TEXT, name TEXT, definition TEXT, rows TEXT,
    PRIMARY KEY (bookmark, name))`);
  sql.exec("CREATE TABLE IF NOT EXISTS recovery_next (id INTEGER PRIMARY KEY, bookmark TEXT)");
}

/** Tables come first, because indexes and triggers refer to them. */
function listOwn(sql) {
  const order = "ORDER BY type = 'trigger', type = 'index', type = 'view', rowid";
  return sql.exec(`SELECT type, name, sql FROM sqlite_master WHERE ${OWN} AND sql IS NOT NULL ${order}`).toArray();
}
