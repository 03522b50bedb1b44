/**
 * The enterprise's API keys, single-use sign-in links and sign-outs. The keyring stores the hash of a key, never the
 * secret. The Worker verifies a MAC first, so a forged key or token never reaches this code. What can change after the
 * Worker has checked a caller is checked here: revocation, expiry, sign-out and a person's role.
 */
import { type Caller, type KeySummary, mayManageKey, type Scope } from "../../access/callers.ts";
import { type Denied, deny } from "../../access/refusals.ts";
import type { TokenClaims } from "../../access/tokens.ts";
import type { By } from "../../ledger/entries.ts";
import { type Refused, refuse } from "../../ledger/refusals.ts";
import type { AtMs } from "../../ledger/time.ts";
import { Erasures } from "./erasures.ts";
import { SignOuts } from "./sign-outs.ts";
import type { Sql, SqlRow } from "./sql.ts";

export type NewKey = {
  id: string;
  name: string;
  scopes: readonly Scope[];
  hash: string;
  expiresAtMs: AtMs | null;
  /** The id of the secret that signed the key; a Worker of the last release does not send it. */
  secretId?: string;
};

/** The claims of a sign-in link. */
export type UsedLink = Pick<TokenClaims, "id" | "expiresAtMs"> &
  Partial<Pick<TokenClaims, "user" | "role" | "issuedAtMs">>;

/** How many keys that are neither revoked nor expired an enterprise may have (rule R15). */
const MAX_KEYS = 1_000;
/** Using a link deletes at most this many old links, so that no call does work for all that became old meanwhile. */
const MAX_FORGOTTEN = 100;

const HOUR_MS = 3_600_000;

type KnownKey = { hash: string; expiresAtMs: AtMs | null; revoked: boolean; usedHourMs: AtMs };

export class Keyring {
  /** Caches keys that were looked up. Losing the cache only costs queries. */
  readonly #known = new Map<string, KnownKey>();

  readonly signOuts: SignOuts;

  constructor(
    readonly sql: Sql,
    erasures = new Erasures(sql),
  ) {
    this.signOuts = new SignOuts(sql, erasures);
  }

  /** Returns why the caller is refused at this time, or null if it is not refused. */
  findFault(caller: Caller, nowMs: AtMs): Denied | null {
    if (caller.kind === "operator") return null;
    if (caller.kind !== "key") return this.signOuts.findFault(caller, nowMs);
    const key = this.#find(caller.id);
    if (key?.revoked === true) return deny({ code: "key_revoked" });
    // The comparison need not be constant-time: the Worker has verified the key's MAC, so its timing reveals nothing.
    if (key?.hash !== caller.hash) return deny({ code: "key_invalid" });
    if (key.expiresAtMs !== null && key.expiresAtMs <= nowMs) return deny({ code: "key_expired" });
    if (nowMs >= key.usedHourMs + HOUR_MS) this.#noteUse(caller, key, nowMs);
    return null;
  }

  /** Whether a person is no admin, or no longer. Of keys the Worker has checked the scope, which never changes. */
  lacksAdmin(caller: Caller): boolean {
    if (caller.kind === "operator" || caller.kind === "key") return false;
    const { user, role, token } = caller;
    return (token === undefined ? role : this.signOuts.roleOf(user, role, token.issuedAtMs)) !== "admin";
  }

  /** Forgets what is in memory, because rows of the table were replaced. */
  forget(): void {
    this.#known.clear();
  }

  add(key: NewKey, by: By, nowMs: AtMs): KeySummary | Denied {
    if (this.#countValid(nowMs) >= MAX_KEYS) return deny({ code: "too_many_keys" });
    this.sql.run(
      "INSERT INTO keys (id, name, scopes, hash, created_by, created_at_ms, expires_at_ms, secret_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      key.id,
      key.name,
      JSON.stringify(key.scopes),
      key.hash,
      by,
      nowMs,
      key.expiresAtMs,
      key.secretId ?? null,
    );
    this.#known.delete(key.id);
    return this.#load(key.id) as KeySummary;
  }

  list(): KeySummary[] {
    return this.sql.all("SELECT * FROM keys ORDER BY created_at_ms DESC, id DESC").map(keyOfRow);
  }

  /** Returns the keys after the key `afterId`, newest first; from the newest one if there is no such key. */
  listPage(afterId: string | null, limit: number): KeySummary[] {
    const after = afterId === null ? null : this.#load(afterId);
    const rows =
      after === null
        ? this.sql.all("SELECT * FROM keys ORDER BY created_at_ms DESC, id DESC LIMIT ?", limit)
        : this.sql.all(
            "SELECT * FROM keys WHERE (created_at_ms, id) < (?, ?) ORDER BY created_at_ms DESC, id DESC LIMIT ?",
            after.createdAtMs,
            after.id,
            limit,
          );
    return rows.map(keyOfRow);
  }

  /** Returns null if there is no such key. */
  get(id: string): KeySummary | null {
    return this.#load(id);
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

  /**
   * Uses up a sign-in link. Returns the time of issue of the session that it starts, or why the link is refused.
   * @param link what the Worker verified; a Worker of the last release sends only the id and the expiry
   */
  useLink(link: UsedLink, nowMs: AtMs): { issuedAtMs: AtMs } | Denied {
    const { id, expiresAtMs, user, role, issuedAtMs } = link;
    if (this.sql.all("SELECT 1 FROM links_used WHERE id = ?", id).length > 0) return deny({ code: "link_used" });
    if (user === undefined || role === undefined || issuedAtMs === undefined) {
      this.#noteLink(id, expiresAtMs, nowMs);
      return { issuedAtMs: nowMs };
    }
    const ended = this.signOuts.hasEnded(user, { id, issuedAtMs });
    if (ended || this.signOuts.roleOf(user, role, issuedAtMs) !== role) return deny({ code: "link_invalid" });
    this.#noteLink(id, expiresAtMs, nowMs);
    return { issuedAtMs: this.signOuts.nextIssueAtMs(user, nowMs) };
  }

  #noteLink(id: string, expiresAtMs: AtMs, nowMs: AtMs): void {
    this.sql.run(
      "DELETE FROM links_used WHERE id IN (SELECT id FROM links_used WHERE expires_at_ms < ? LIMIT ?)",
      nowMs,
      MAX_FORGOTTEN,
    );
    this.sql.run("INSERT INTO links_used (id, expires_at_ms) VALUES (?, ?)", id, expiresAtMs);
  }

  /** Counts the keys that are neither revoked nor expired, up to MAX_KEYS. */
  #countValid(nowMs: AtMs): number {
    // One list per range of the index, so that expired keys are not read.
    const [row] = this.sql.all(
      `SELECT (SELECT count(*) FROM (SELECT 1 FROM keys WHERE revoked_at_ms IS NULL AND expires_at_ms IS NULL LIMIT ?))
        + (SELECT count(*) FROM (SELECT 1 FROM keys WHERE revoked_at_ms IS NULL AND expires_at_ms > ? LIMIT ?)) AS n`,
      MAX_KEYS,
      nowMs,
      MAX_KEYS,
    );
    return Number(row?.n);
  }

  #find(id: string): KnownKey | undefined {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const row = this.sql.all(
      "SELECT hash, expires_at_ms, revoked_at_ms, last_used_at_ms FROM keys WHERE id = ?",
      id,
    )[0];
    if (row === undefined) return undefined;
    const { hash, expires_at_ms, revoked_at_ms, last_used_at_ms } = row;
    const key = {
      hash: hash as string,
      expiresAtMs: expires_at_ms as AtMs | null,
      revoked: revoked_at_ms !== null,
      usedHourMs: (last_used_at_ms ?? 0) as AtMs,
    };
    this.#known.set(id, key);
    return key;
  }

  /** Notes the hour in which a key is used, and which secret has signed it. A key never fails because of this. */
  #noteUse({ id, secretId }: { id: string; secretId?: string }, key: KnownKey, nowMs: AtMs): void {
    key.usedHourMs = nowMs - (nowMs % HOUR_MS);
    try {
      const statement = "UPDATE keys SET last_used_at_ms = ?, secret_id = coalesce(?, secret_id) WHERE id = ?";
      this.sql.run(statement, key.usedHourMs, secretId ?? null, id);
    } catch {
      // The storage is full or fails. What needs it reports that.
    }
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
    lastUsedAtMs: row.last_used_at_ms as number | null,
    secretId: row.secret_id as string | null,
  };
}
