/**
 * The calls to one enterprise's Durable Object that give or end access: keys, sign-in links, sessions and sign-outs.
 * Ending access also closes the sockets that it opened. The core checks the caller of each call.
 */
import { byOf, type Caller, OPERATOR, type Role } from "../access/callers.ts";
import { type Denied, deny } from "../access/refusals.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import { type KeyJson, showKey } from "../wire/key.ts";
import type { IssuedJson, StateJson } from "./answers.ts";
import type { Keyring, NewKey, UsedLink } from "./books/keyring.ts";
import { CLOSE_UNAUTHORIZED, type Holder, type Sockets } from "./sockets/sockets.ts";

type AccessDeps = {
  keyring: Keyring;
  sockets: Sockets;
  realNowMs(): AtMs;
  state(): StateJson;
  /** Runs the call, unless its caller is refused in this turn. */
  answer<T>(caller: Caller, act: () => T): T | Refused | Denied;
};

export class AccessControl {
  constructor(readonly deps: AccessDeps) {}

  /**
   * Returns the state, and the time of issue of a new token for this person. A link for a member ends the role `admin`
   * of the person's older sessions.
   */
  issue(who: { user: string; role: Role; kind: "link" | "session" | "embed" }): IssuedJson | Refused | Denied {
    return this.deps.answer(OPERATOR, () => {
      const { signOuts } = this.deps.keyring;
      const nowMs = this.deps.realNowMs();
      const issuedAtMs = signOuts.nextIssueAtMs(who.user, nowMs);
      if (who.kind === "link" && who.role === "member") signOuts.demote(who.user, issuedAtMs, nowMs);
      return { ...this.deps.state(), issuedAtMs };
    });
  }

  /** Ends the caller's session, and closes its sockets. */
  endSession(caller: Caller): { ended: true } | Refused | Denied {
    return this.deps.answer(caller, () => {
      if (caller.kind !== "user" || caller.token === undefined) return deny({ code: "key_missing" });
      this.deps.keyring.signOuts.endSession(caller.token, this.deps.realNowMs());
      this.#closeSockets(`token:${caller.token.id}`, "signed out");
      return { ended: true as const };
    });
  }

  /** Ends all sessions, unused links and embed tokens of a person, and closes their sockets. */
  signOutPerson(user: string): { ended: true } | Refused | Denied {
    return this.deps.answer(OPERATOR, () => {
      this.deps.keyring.signOuts.endPerson(user, this.deps.realNowMs());
      this.#closeSockets(`user:${user}`, "signed out");
      return { ended: true as const };
    });
  }

  addKey(caller: Caller, key: NewKey): KeyJson | Refused | Denied {
    return this.deps.answer(caller, () => {
      const added = this.deps.keyring.add(key, byOf(caller), this.deps.realNowMs());
      return isRefusal(added) ? added : showKey(added);
    });
  }

  /**
   * Returns the keys after the key `afterId`, newest first. Returns `limit` + 1 keys if there are more than `limit`. A
   * Worker of the last release gives no page, and gets all keys.
   */
  keys(caller: Caller, page?: { afterId: string | null; limit: number }): KeyJson[] | Refused | Denied {
    return this.deps.answer(caller, () =>
      (page === undefined ? this.deps.keyring.list() : this.deps.keyring.listPage(page.afterId, page.limit + 1)).map(
        showKey,
      ),
    );
  }

  key(caller: Caller, id: string): KeyJson | Refused | Denied {
    return this.deps.answer(caller, () => {
      const key = this.deps.keyring.get(id);
      return key === null ? refuse({ code: "not_found" }) : showKey(key);
    });
  }

  revokeKey(caller: Caller, id: string): { revoked: true } | Refused | Denied {
    return this.deps.answer(caller, () => {
      const refused = this.deps.keyring.revoke(caller, id, this.deps.realNowMs());
      if (refused !== null) return refused;
      this.#closeSockets(`key:${id}`, "key revoked");
      return { revoked: true as const };
    });
  }

  /** Uses up a sign-in link. Each link works only once. Returns the time of issue of the session that it starts. */
  useLink(link: UsedLink): { used: true; issuedAtMs: AtMs } | Refused | Denied {
    return this.deps.answer(OPERATOR, () => {
      const used = this.deps.keyring.useLink(link, this.deps.realNowMs());
      return isRefusal(used) ? used : { used: true as const, ...used };
    });
  }

  #closeSockets(holder: Holder, reason: string): void {
    for (const socket of this.deps.sockets.of(holder)) socket.close(CLOSE_UNAUTHORIZED, reason);
  }
}
