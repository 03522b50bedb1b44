/**
 * The operator keys with scopes, as the catalog object stores them: their hashes, never the keys. A key that was revoked
 * or has expired stays in the list.
 */
/** What is stored of a new key. `secretId` names the secret that signed it. */
export type NewOperatorKey = {
  id: string;
  name: string;
  scopes: string[];
  hash: string;
  secretId: string;
  expiresAtMs: number | null;
};

/** A key as it is listed. `lastUsedAtMs` is exact to the hour. */
export type ListedOperatorKey = Omit<NewOperatorKey, "hash"> & {
  number: number;
  createdAtMs: number;
  revokedAtMs: number | null;
  lastUsedAtMs: number | null;
};

/** Why a key is refused. */
export type OperatorKeyFault = "key_invalid" | "key_revoked" | "key_expired";

/** How many keys that are neither revoked nor expired a deployment may have. */
const MAX_KEYS = 1_000;
const HOUR_MS = 3_600_000;

type Row = {
  number: number;
  id: string;
  name: string;
  scopes: string;
  hash: string;
  secret_id: string;
  created_at_ms: number;
  expires_at_ms: number | null;
  revoked_at_ms: number | null;
  last_used_at_ms: number | null;
};

export class OperatorKeys {
  constructor(
    readonly sql: Pick<SqlStorage, "exec">,
    readonly nowMs: () => number,
  ) {
    this.sql.exec(`CREATE TABLE IF NOT EXISTS operator_keys (number INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, scopes TEXT NOT NULL, hash TEXT NOT NULL, secret_id TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER, revoked_at_ms INTEGER, last_used_at_ms INTEGER) STRICT`);
  }

  /** Returns false if there are too many keys. */
  add({ id, name, scopes, hash, secretId, expiresAtMs }: NewOperatorKey): boolean {
    const valid = `SELECT count(*) AS n FROM (SELECT 1 FROM operator_keys WHERE revoked_at_ms IS NULL
      AND (expires_at_ms IS NULL OR expires_at_ms > ?) LIMIT ?)`;
    if (this.sql.exec<{ n: number }>(valid, this.nowMs(), MAX_KEYS).one().n >= MAX_KEYS) return false;
    this.sql.exec(
      `INSERT INTO operator_keys (id, name, scopes, hash, secret_id, created_at_ms, expires_at_ms)
        VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[id, name, JSON.stringify(scopes), hash, secretId, this.nowMs(), expiresAtMs],
    );
    return true;
  }

  /** Lists the keys with a number below `before`, newest first. */
  list(before: number, limit: number): ListedOperatorKey[] {
    const statement = "SELECT * FROM operator_keys WHERE number < ? ORDER BY number DESC LIMIT ?";
    return this.sql.exec<Row>(statement, before, limit).toArray().map(listedOf);
  }

  /** Returns null if there is no such key. */
  get(id: string): ListedOperatorKey | null {
    const row = this.#row(id);
    return row === undefined ? null : listedOf(row);
  }

  /** Revokes a key permanently. Returns false if there is no such key. */
  revoke(id: string): boolean {
    if (this.#row(id) === undefined) return false;
    this.sql.exec("UPDATE operator_keys SET revoked_at_ms = coalesce(revoked_at_ms, ?) WHERE id = ?", this.nowMs(), id);
    return true;
  }

  /** Returns why a key is refused now; null if it is not. Notes the hour of its use. */
  use(id: string, hash: string): OperatorKeyFault | null {
    const row = this.#row(id);
    if (row?.hash !== hash) return "key_invalid";
    if (row.revoked_at_ms !== null) return "key_revoked";
    const nowMs = this.nowMs();
    if (row.expires_at_ms !== null && row.expires_at_ms <= nowMs) return "key_expired";
    const hourMs = nowMs - (nowMs % HOUR_MS);
    if ((row.last_used_at_ms ?? 0) < hourMs) {
      this.sql.exec("UPDATE operator_keys SET last_used_at_ms = ? WHERE id = ?", hourMs, id);
    }
    return null;
  }

  #row(id: string): Row | undefined {
    return this.sql.exec<Row>("SELECT * FROM operator_keys WHERE id = ?", id).toArray()[0];
  }
}

function listedOf(row: Row): ListedOperatorKey {
  return {
    number: row.number,
    id: row.id,
    name: row.name,
    scopes: JSON.parse(row.scopes) as string[],
    secretId: row.secret_id,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    revokedAtMs: row.revoked_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
  };
}
