/**
 * Which sessions, sign-in links and embed tokens ended before they expired: a session that was signed out, everything
 * of a person whom the operator signed out, and the role `admin` of a person for whom the operator has since made a
 * link as a member. A row is deleted once every token that it concerns has expired. All times are of the real clock.
 */
import type { Caller, CallerToken, Role } from "../../access/callers.ts";
import { type Denied, deny } from "../../access/refusals.ts";
import { MAX_TOKEN_MS } from "../../access/tokens.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Erasures } from "./erasures.ts";
import type { Sql } from "./sql.ts";

type SignOutKind = "session" | "person" | "admin";

/** A new row deletes at most this many old ones, so that no call does work for all rows that became old meanwhile. */
const MAX_FORGOTTEN = 100;
/** The clocks of two machines differ by less than this. */
const CLOCK_DRIFT_MS = 60_000;

export class SignOuts {
  constructor(
    readonly sql: Sql,
    readonly erasures: Erasures,
  ) {}

  /** Returns why a caller with a session or an embed token is refused, or null if it is not refused. */
  findFault({ kind, user, token }: Extract<Caller, { kind: "user" | "embed" }>, nowMs: AtMs): Denied | null {
    if (token === undefined) return null;
    // An ended session gets the same response as no session, because its browser must sign in again.
    if (token.expiresAtMs <= nowMs) return deny({ code: kind === "user" ? "key_missing" : "key_expired" });
    return this.hasEnded(user, token) ? deny({ code: kind === "user" ? "key_missing" : "key_revoked" }) : null;
  }

  /** Whether a token was ended by signing out its session or its person. */
  hasEnded(user: string, { id, issuedAtMs }: Pick<CallerToken, "id" | "issuedAtMs">): boolean {
    return this.#load("session", id) !== null || issuedAtMs <= this.#personEndedAtMs(user);
  }

  /** Returns the role that a token still has: an admin who was demoted after it was issued is a member. */
  roleOf(user: string, role: Role, issuedAtMs: AtMs): Role {
    return role === "admin" && issuedAtMs <= (this.#load("admin", user) ?? 0) ? "member" : role;
  }

  /**
   * Returns the time of issue of a new token of this person. It is later than every sign-out so far, even within the
   * same millisecond.
   */
  nextIssueAtMs(user: string, nowMs: AtMs): AtMs {
    return Math.max(nowMs, this.#personEndedAtMs(user) + 1, (this.#load("admin", user) ?? 0) + 1);
  }

  endSession({ id, expiresAtMs }: CallerToken, nowMs: AtMs): void {
    this.#put({ kind: "session", id, beforeMs: expiresAtMs, expiredAtMs: expiresAtMs }, nowMs);
  }

  /** Ends every session, unused link and embed token of this person that was issued before now. */
  endPerson(user: string, nowMs: AtMs): void {
    const beforeMs = this.nextIssueAtMs(user, nowMs);
    this.#put({ kind: "person", id: user, beforeMs, expiredAtMs: beforeMs + MAX_TOKEN_MS.session }, nowMs);
  }

  /** Ends the role `admin` of the tokens of this person that were issued before `issuedAtMs`. */
  demote(user: string, issuedAtMs: AtMs, nowMs: AtMs): void {
    const expiredAtMs = issuedAtMs + MAX_TOKEN_MS.session;
    this.#put({ kind: "admin", id: user, beforeMs: issuedAtMs, expiredAtMs }, nowMs);
  }

  /** Returns when all tokens of this person were ended last, by a sign-out or because the person was erased. */
  #personEndedAtMs(user: string): AtMs {
    return Math.max(this.#load("person", user) ?? 0, this.erasures.tokensEndedAtMs(user));
  }

  #load(kind: SignOutKind, id: string): AtMs | null {
    const row = this.sql.all("SELECT before_ms FROM sign_outs WHERE kind = ? AND id = ?", kind, id)[0];
    return row === undefined ? null : (row.before_ms as AtMs);
  }

  /** @param row `expiredAtMs` is when the last of the row's tokens has expired */
  #put(row: { kind: SignOutKind; id: string; beforeMs: AtMs; expiredAtMs: AtMs }, nowMs: AtMs): void {
    const { kind, id, beforeMs, expiredAtMs } = row;
    this.sql.transaction(() => {
      this.sql.run(
        "INSERT OR REPLACE INTO sign_outs (kind, id, before_ms, forget_at_ms) VALUES (?, ?, ?, ?)",
        kind,
        id,
        beforeMs,
        expiredAtMs + CLOCK_DRIFT_MS,
      );
      this.sql.run(
        `DELETE FROM sign_outs WHERE (kind, id) IN
          (SELECT kind, id FROM sign_outs WHERE forget_at_ms <= ? ORDER BY forget_at_ms LIMIT ?)`,
        nowMs,
        MAX_FORGOTTEN,
      );
    });
  }
}
