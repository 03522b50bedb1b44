/**
 * The versions of the price book, as the catalog object stores them. A version is either a snapshot, which has a row for
 * every entry, or a list of changes since the last snapshot. A snapshot is written once the changes would outnumber the
 * entries, so a small change writes little, and reading any version reads at most about two rows per entry.
 * Versions of the first release are whole books in another table; they are read where they are.
 */

import { BUILT_IN, type PriceBook } from "./price-book.ts";
import { canonicalEntry, type ModelPrice, showCacheRates } from "./price-entry.ts";

/** Who made a version from the prices that come with a release. */
const BY_RELEASE = "built-in";

export const MAX_MODELS = 5_000;
/** A book can always be sent back in one request. */
const MAX_BOOK_BYTES = 1_000_000;
const MIN_CHANGES_PER_SNAPSHOT = 200;

/** A line of the list of versions. The fields are null for versions of the first release, which did not record them. */
export type PriceVersion = {
  version: number;
  createdAtMs: number | null;
  by: string | null;
  added: number | null;
  changed: number | null;
  removed: number | null;
};

/** A change of the book. `knownVersion`: refuse the change unless this is still the current version. */
export type BookChange = {
  models: ModelPrice[];
  /** The ids to remove, or `all`: the models are then the whole book. */
  remove: string[] | "all";
  creditsPerUsd: number | null;
  knownVersion: number | null;
  by: string;
};

/** Why a change is refused. Paths lead into the change as it was sent. */
export type BookRefusal = { conflict: number } | { errors: { path: string; message: string }[] };

/** What this file needs of the object's storage. */
type Storage = Pick<DurableObjectStorage, "transactionSync"> & { sql: Pick<SqlStorage, "exec"> };

type Entries = Map<string, ModelPrice>;
type Version = { version: number; credits_per_usd: number; base: number; changes: number; digest: string | null };

export class PriceVersions {
  /** The current book, kept in memory because it is asked for often. Storage is authoritative. */
  #current: { version: Version; entries: Entries } | null = null;

  constructor(
    readonly storage: Storage,
    readonly nowMs: () => number,
    /** Whether this deployment ran before versions were stored. It then used built-in prices under the number 1. */
    isUpgraded: () => boolean,
  ) {
    const exec = (statement: string) => this.storage.sql.exec(statement);
    exec("CREATE TABLE IF NOT EXISTS price_books (version INTEGER PRIMARY KEY, book TEXT NOT NULL) STRICT");
    exec(`CREATE TABLE IF NOT EXISTS price_versions (version INTEGER PRIMARY KEY, created_at_ms INTEGER, by TEXT,
      credits_per_usd INTEGER NOT NULL, added INTEGER, changed INTEGER, removed INTEGER, base INTEGER NOT NULL,
      changes INTEGER NOT NULL, digest TEXT) STRICT`);
    exec(`CREATE TABLE IF NOT EXISTS price_entries (version INTEGER NOT NULL, place INTEGER NOT NULL, id TEXT NOT NULL,
      entry TEXT, PRIMARY KEY (version, place)) STRICT, WITHOUT ROWID`);
    this.#adoptOldBooks();
    this.#adoptRelease(isUpgraded);
  }

  get currentVersion(): number {
    return this.#load().version.version;
  }

  /** Returns the current book. */
  current(): PriceBook {
    const { version, entries } = this.#load();
    return bookOf(version, entries);
  }

  /** Returns an older book, or the current one; null if there is no such version. */
  at(version: number): PriceBook | null {
    if (version === this.currentVersion) return this.current();
    const row = this.#row(version);
    const entries = row === null ? new Map() : this.#entriesOf(row);
    // No book is empty: the prices of this version were never stored.
    return row === null || entries.size === 0 ? null : bookOf(row, entries);
  }

  /** Lists the versions below `before`, newest first. */
  list(before: number, limit: number): PriceVersion[] {
    const statement = `SELECT version, created_at_ms AS createdAtMs, by, added, changed, removed FROM price_versions
      WHERE version < ? ORDER BY version DESC LIMIT ?`;
    return this.storage.sql.exec<PriceVersion>(statement, before, limit).toArray();
  }

  /** Makes the next version, which becomes the current one, unless the change is refused. */
  change({ models, remove, creditsPerUsd, knownVersion, by }: BookChange): PriceBook | BookRefusal {
    const { version, entries } = this.#load();
    if (knownVersion !== null && knownVersion !== version.version) return { conflict: version.version };
    const next: Entries = remove === "all" ? new Map() : new Map(entries);
    const errors: { path: string; message: string }[] = [];
    for (const [i, id] of remove === "all" ? [] : remove.entries()) {
      if (!next.delete(id)) errors.push({ path: `remove.${i}`, message: `"${id}" is not the id of an entry` });
    }
    for (const model of models) next.set(model.id, canonicalEntry(model));
    errors.push(...takenNames(models, next));
    if (next.size === 0) errors.push({ path: "remove", message: "a price book needs at least one entry" });
    if (next.size > MAX_MODELS) errors.push({ path: "models", message: `at most ${MAX_MODELS} entries` });
    const credits = creditsPerUsd ?? version.credits_per_usd;
    if (errors.length === 0 && bytesOf(next) > MAX_BOOK_BYTES) {
      errors.push({ path: "models", message: `the whole book must be smaller than ${MAX_BOOK_BYTES} bytes` });
    }
    if (errors.length > 0) return { errors };
    this.#commit(next, credits, by, null);
    return this.current();
  }

  #load(): { version: Version; entries: Entries } {
    if (this.#current === null) {
      const row = this.#row(null);
      if (row === null) throw new Error("the catalog has no price book");
      this.#current = { version: row, entries: this.#entriesOf(row) };
    }
    return this.#current;
  }

  /** Reads one version's row; the latest version if `version` is null. */
  #row(version: number | null): Version | null {
    const where = version === null ? "ORDER BY version DESC LIMIT 1" : "WHERE version = ?";
    const statement = `SELECT version, credits_per_usd, base, changes, digest FROM price_versions ${where}`;
    const rows = this.storage.sql.exec<Version>(statement, ...(version === null ? [] : [version])).toArray();
    return rows[0] ?? null;
  }

  #entriesOf({ version, base }: Version): Entries {
    const old = this.storage.sql
      .exec<{ book: string }>("SELECT book FROM price_books WHERE version = ?", base)
      .toArray();
    const entries: Entries = new Map();
    for (const { book } of old) {
      for (const model of (JSON.parse(book) as PriceBook).models) entries.set(model.id, canonicalEntry(model));
    }
    const statement = `SELECT id, entry FROM price_entries WHERE version BETWEEN ? AND ? ORDER BY version, place`;
    for (const { id, entry } of this.storage.sql.exec<{ id: string; entry: string | null }>(statement, base, version)) {
      if (entry === null) entries.delete(id);
      else entries.set(id, JSON.parse(entry) as ModelPrice);
    }
    return entries;
  }

  /** Writes the next version: as changes since the last snapshot, or as a new snapshot. */
  #commit(next: Entries, creditsPerUsd: number, by: string, digest: string | null): void {
    const before = this.#row(null);
    const known: Entries = before === null ? new Map() : this.#load().entries;
    const changes = changesBetween(known, next);
    const written = [...changes.removed.map((id) => ({ id, entry: null })), ...changes.set];
    const number = (before?.version ?? 0) + 1;
    const sinceBase = (before?.changes ?? 0) + written.length;
    const isSnapshot =
      before === null ||
      sinceBase > Math.max(MIN_CHANGES_PER_SNAPSHOT, next.size) ||
      !isSameOrder(apply(known, written), next);
    const rows = isSnapshot ? [...next].map(([id, entry]) => ({ id, entry })) : written;
    const version = {
      version: number,
      credits_per_usd: creditsPerUsd,
      base: isSnapshot ? number : before.base,
      changes: isSnapshot ? 0 : sinceBase,
      digest,
    };
    this.storage.transactionSync(() => {
      this.storage.sql.exec(
        "INSERT INTO price_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ...[number, this.nowMs(), by, creditsPerUsd, changes.added, changes.changed, changes.removed.length],
        ...[version.base, version.changes, digest],
      );
      this.storage.sql.exec(
        `INSERT INTO price_entries SELECT ?, key, value ->> 'id', json_extract(value, '$.entry') FROM json_each(?)`,
        number,
        JSON.stringify(rows),
      );
    });
    this.#current = { version, entries: next };
  }

  /** Lists the books of the first release, whose rows stay where they are. Runs once. */
  #adoptOldBooks(): void {
    if (this.#row(null) !== null) return;
    this.storage.sql.exec(
      `INSERT INTO price_versions SELECT version, NULL, NULL, json_extract(book, '$.credits_per_usd'), NULL, NULL, NULL,
        version, 0, NULL FROM price_books`,
    );
  }

  /** Makes a version of this release's prices, unless the operator has a book or these prices are known. */
  #adoptRelease(isUpgraded: () => boolean): void {
    const current = this.#row(null);
    if (current !== null && (current.digest === null || current.digest === BUILT_IN.digest)) return;
    if (current === null && isUpgraded()) {
      // The prices of the first release were never stored. Their number stays theirs.
      this.storage.sql.exec(
        "INSERT INTO price_versions VALUES (1, NULL, ?, ?, NULL, NULL, NULL, 1, 0, NULL)",
        BY_RELEASE,
        BUILT_IN.credits_per_usd,
      );
    }
    const entries: Entries = new Map(BUILT_IN.models.map((model) => [model.id, canonicalEntry(model)]));
    this.#commit(entries, BUILT_IN.credits_per_usd, BY_RELEASE, BUILT_IN.digest);
  }
}

function bookOf({ version, credits_per_usd }: Version, entries: Entries): PriceBook {
  return { version, credits_per_usd, models: [...entries.values()] };
}

function changesBetween(before: Entries, after: Entries) {
  const removed = [...before.keys()].filter((id) => !after.has(id));
  const set = [...after].flatMap(([id, entry]) => {
    const known = before.get(id);
    return known !== undefined && JSON.stringify(known) === JSON.stringify(entry) ? [] : [{ id, entry }];
  });
  const added = set.filter(({ id }) => !before.has(id)).length;
  return { removed, set, added, changed: set.length - added };
}

function apply(entries: Entries, rows: { id: string; entry: ModelPrice | null }[]): Entries {
  const result = new Map(entries);
  for (const { id, entry } of rows) {
    if (entry === null) result.delete(id);
    else result.set(id, entry);
  }
  return result;
}

function isSameOrder(a: Entries, b: Entries): boolean {
  const ids = [...b.keys()];
  return a.size === ids.length && [...a.keys()].every((id, i) => id === ids[i]);
}

/** Finds names of the changed models that two entries of the book would share. */
function takenNames(models: readonly ModelPrice[], next: Entries): { path: string; message: string }[] {
  const owners = new Map<string, string>();
  const sent = new Set(models.map(({ id }) => id));
  for (const [id, { aliases }] of next) {
    if (!sent.has(id)) for (const name of [id, ...aliases]) owners.set(name, id);
  }
  const errors: { path: string; message: string }[] = [];
  for (const [i, { id, aliases }] of models.entries()) {
    for (const [path, name] of [["id", id], ...aliases.map((alias, k) => [`aliases.${k}`, alias])] as [
      string,
      string,
    ][]) {
      if (owners.has(name)) errors.push({ path: `models.${i}.${path}`, message: `"${name}" already names a model` });
      owners.set(name, id);
    }
  }
  return errors;
}

function bytesOf(entries: Entries): number {
  return new TextEncoder().encode(JSON.stringify([...entries.values()].map(showCacheRates))).length;
}
