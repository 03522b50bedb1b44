/**
 * The enterprise's API keys and single-use sign-in links. The keyring stores the hash of a key, never the secret. The
 * Worker verifies a key's MAC first, so a forged key never reaches this code. Revocation and expiry are checked here.
 */
import { type Caller, type KeySummary, mayManageKey, type Scope } from "../../access/callers.ts";
import { type Denied, deny } from "../../access/refusals.ts";
import type { By } from "../../ledger/entries.ts";
import { type Refused, refuse } from "../../ledger/refusals.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Sql, SqlRow } from "./sql.ts";

export type NewKey = {
  id: string;
  name: string;
  scopes: readonly Scope[];
  hash: string;
  expiresAtMs: AtMs | null;
};

type KnownKey = { hash: string; expiresAtMs: AtMs | null; revoked: boolean };

export class Keyring {
  /** Caches keys that were looked up. Losing the cache only costs queries. */
  readonly #known = new Map<string, KnownKey>();

  constructor(readonly sql: Sql) {}

  /** Returns why the caller is refused at this time, or null if it is not refused. */
  findFault(caller: Caller, nowMs: AtMs): Denied | null {
    if (caller.kind !== "key") return null;
    const key = this.#find(caller.id);
    if (key?.revoked === true) return deny({ code: "key_revoked" });
    // The comparison need not be constant-time: the Worker has verified the key's MAC, so its timing reveals nothing.
    if (key?.hash !== caller.hash) return deny({ code: "key_invalid" });
    return key.expiresAtMs !== null && key.expiresAtMs <= nowMs ? deny({ code: "key_expired" }) : null;
  }

  add(key: NewKey, by: By, nowMs: AtMs): KeySummary {
    this.sql.run(
      "INSERT INTO keys (id, name, scopes, hash, created_by, created_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
      key.id,
      key.name,
      JSON.stringify(key.scopes),
      key.hash,
      by,
      nowMs,
      key.expiresAtMs,
    );
    this.#known.delete(key.id);
    return this.#load(key.id) as KeySummary;
  }

  list(): KeySummary[] {
    return this.sql.all("SELECT * FROM keys ORDER BY created_at_ms DESC, id").map(keyOfRow);
  }

  /** Revokes a key permanently. Returns null on success. */
  revoke(caller: Caller, id: string, nowMs: AtMs): Refused | Denied | null {
    const key = this.#load(id);
    if (key === null) return refuse({ code: "not_found" });
    if (!mayManageKey(caller, key.scopes)) return deny({ code: "scope_denied" });
    this.sql.run("UPDATE keys SET revoked_at_ms = ? WHERE id = ? AND revoked_at_ms IS NULL", nowMs, id);
    this.#known.delete(id);
    return null;
  }

  /** Uses up a sign-in link. Returns false if the link was used before. */
  useLink(id: string, expiresAtMs: AtMs, nowMs: AtMs): boolean {
    this.sql.run("DELETE FROM links_used WHERE expires_at_ms < ?", nowMs);
    if (this.sql.all("SELECT 1 FROM links_used WHERE id = ?", id).length > 0) return false;
    this.sql.run("INSERT INTO links_used (id, expires_at_ms) VALUES (?, ?)", id, expiresAtMs);
    return true;
  }

  #find(id: string): KnownKey | undefined {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const row = this.sql.all("SELECT hash, expires_at_ms, revoked_at_ms FROM keys WHERE id = ?", id)[0];
    if (row === undefined) return undefined;
    const { hash, expires_at_ms, revoked_at_ms } = row;
    const key = { hash: hash as string, expiresAtMs: expires_at_ms as AtMs | null, revoked: revoked_at_ms !== null };
    this.#known.set(id, key);
    return key;
  }

  #load(id: string): KeySummary | null {
    const row = this.sql.all("SELECT * FROM keys WHERE id = ?", id)[0];
    return row === undefined ? null : keyOfRow(row);
  }
}

function keyOfRow(row: SqlRow): KeySummary {
  return {
    id: row.id as string,
    name: row.name as string,
    scopes: JSON.parse(row.scopes as string) as Scope[],
    createdAtMs: row.created_at_ms as number,
    createdBy: row.created_by as string,
    expiresAtMs: row.expires_at_ms as number | null,
    revokedAtMs: row.revoked_at_ms as number | null,
  };
}
