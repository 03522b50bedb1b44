/**
 * Issues sign-in links and tokens for people, and ends the operator's sessions. The enterprise's object chooses the time
 * of issue, so that it is later than every sign-out so far. The catalog records which of the operator's sessions ended.
 */
import type { Context } from "hono";
import { OPERATOR, type Role } from "../access/callers.ts";
import { type OperatorSession, readOperatorSession, type SessionKey } from "../access/operator-session.ts";
import type { AccessRefusalCode, Denied } from "../access/refusals.ts";
import { signingSecret } from "../access/secrets.ts";
import { makeSignInLink } from "../access/sign-in-link.ts";
import { mintToken } from "../access/tokens.ts";
import type { Address } from "../catalog/addresses.ts";
import { catalogOf } from "../catalog/object.ts";
import type { IssuedJson } from "../enterprise/answers.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import { enterpriseStub } from "./enterprise-stub.ts";
import { findOperatorKeyFault } from "./operator-keys.ts";

type Person = { user: string; role: Role };

/** Returns the state of the enterprise with the time of issue of a new token, or refuses an unknown enterprise. */
export async function issueToken(
  env: Env,
  address: Address,
  { user, role, kind }: Person & { kind: "link" | "session" | "embed" },
): Promise<IssuedJson | Refused | Denied> {
  const state = await enterpriseStub(env, address).state(OPERATOR, { user, role, kind });
  // An object of the last release does not know when the person was signed out, because it signs nobody out.
  return isRefusal(state) ? state : { issuedAtMs: Date.now(), ...state };
}

/** @param site any URL of the deployment; the link gets its origin */
export async function makeLink(
  env: Env,
  site: string,
  { enterprise, region }: Address,
  { user, role }: Person,
): Promise<{ url: string; expiresAtMs: AtMs } | Refused | Denied> {
  const issued = await issueToken(env, { enterprise, region }, { user, role, kind: "link" });
  if (isRefusal(issued)) return issued;
  return makeSignInLink(signingSecret(env), site, {
    enterprise,
    region,
    user,
    role,
    issuedAtMs: issued.issuedAtMs,
  });
}

/** Makes a token for the usage bar on the pages of one origin. */
export async function makeEmbedToken(
  env: Env,
  address: Address,
  { ttl_seconds, ...who }: Person & { origin: string; ttl_seconds: number },
): Promise<{ token: string; expiresAtMs: AtMs } | Refused | Denied> {
  const issued = await issueToken(env, address, { ...who, kind: "embed" });
  if (isRefusal(issued)) return issued;
  const expiresAtMs = Date.now() + ttl_seconds * 1000;
  // The usage bar offers the invitation from 50% usage on, even if no alert in the gauge links to it. `href` is ASCII,
  // because the bar decodes the token with atob(). An object of the last release does not send the links.
  const { referralUrl } = issued.links ?? issued.settings;
  const token = await mintToken(signingSecret(env), {
    ...who,
    inviteUrl: referralUrl === null ? null : new URL(referralUrl).href,
    enterprise: address.enterprise,
    region: address.region,
    issuedAtMs: issued.issuedAtMs,
    id: crypto.randomUUID(),
    kind: "embed",
    expiresAtMs,
  });
  return { token, expiresAtMs };
}

/** Returns the operator's session, unless it has expired, was signed out, or its operator key is no longer accepted. */
export async function findOperatorSession<E extends { Bindings: Env }>(c: Context<E>): Promise<OperatorSession | null> {
  const session = await readOperatorSession(c);
  if (session === null || (await catalogOf(c.env).hasOperatorSessionEnded(session.id))) return null;
  const { key } = session.caller;
  return key === undefined || (await findOperatorKeyFault(c.env, key)) === null ? session : null;
}

/** Returns why no session may be opened with a key; null if one may. */
export async function findSessionFault(env: Env, key: SessionKey | null): Promise<AccessRefusalCode | null> {
  if (key === null) return "key_invalid";
  if ("full" in key) return null;
  if (key.expiresAtMs !== null && key.expiresAtMs <= Date.now()) return "key_expired";
  return findOperatorKeyFault(env, key.scoped);
}

/** Ends the operator's session on the server. Does nothing if there is none. */
export async function endOperatorSession<E extends { Bindings: Env }>(c: Context<E>): Promise<void> {
  const session = await readOperatorSession(c);
  if (session !== null) await catalogOf(c.env).endOperatorSession(session.id, session.expiresAtMs);
}
