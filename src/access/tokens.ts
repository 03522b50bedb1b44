/**
 * Short-lived signed tokens (JWT, HS256 with the signing secret): sign-in links, dashboard sessions, embed tokens, and
 * links that confirm an email address.
 * Each names its kind and is rejected as any other kind. They expire in real time, even for an enterprise with a test
 * clock. The enterprise's Durable Object knows which tokens ended before they expired.
 */
import { sign, verify } from "hono/jwt";
import type { Caller, Role } from "./callers.ts";
import { findWithSecret, type Secrets } from "./secrets.ts";

type TokenKind = "link" | "session" | "embed" | "confirm";

export type TokenClaims = {
  kind: TokenKind;
  enterprise: string;
  /** The jurisdiction of the enterprise's Durable Object; empty if it has none. */
  region: string;
  user: string;
  role: Role;
  /** Identifies the token, so that its use or its end can be recorded. */
  id: string;
  /** The origin of the pages that may use an embed token; empty for other kinds. */
  origin: string;
  issuedAtMs: number;
  expiresAtMs: number;
  /** For an embed token: the URL that the usage bar's invitation links to, if the enterprise has one. */
  inviteUrl?: string | null;
};

const ALGORITHM = "HS256";
const VERSION = 1;

/** How long a token of each kind is valid at most. */
export const MAX_TOKEN_MS: Record<TokenKind, number> = {
  link: 300_000,
  session: 12 * 3_600_000,
  embed: 3_600_000,
  /** For the recipient of an email channel, who may read the email days later. */
  confirm: 7 * 86_400_000,
};

export async function mintToken(secret: string, claims: TokenClaims): Promise<string> {
  const { kind, enterprise, region, user, role, id, origin, issuedAtMs, expiresAtMs, inviteUrl } = claims;
  const exp = expiresAtMs / 1000;
  const inv = inviteUrl ? { inv: inviteUrl } : {};
  const payload = { v: VERSION, kind, ent: enterprise, reg: region, sub: user, role, jti: id, org: origin };
  // The registered claim `iat` counts whole seconds, which is too coarse to compare with a sign-out.
  return sign({ ...payload, ist: issuedAtMs, exp, ...inv }, secret, ALGORITHM);
}

/** Returns the claims of a valid token; null if the token is forged, has expired or is of another kind. */
export async function readToken(secrets: Secrets, kind: TokenKind, token: string): Promise<TokenClaims | null> {
  const claims = await verifyToken(secrets, kind, token);
  return claims === null || hasExpired(claims) ? null : claims;
}

/** Whether the claims have expired, to the millisecond. */
export function hasExpired({ expiresAtMs }: Pick<TokenClaims, "expiresAtMs">): boolean {
  return expiresAtMs <= Date.now();
}

/** Returns the claims of a token, even if it has expired; null if the token is forged or of another kind. */
export function verifyToken(secrets: Secrets, kind: TokenKind, token: string): Promise<TokenClaims | null> {
  return findWithSecret(secrets, (secret) => verifyWith(secret, kind, token));
}

/** Returns the caller that a session or an embed token authorizes. */
export function callerOfToken({ kind, user, role, id, issuedAtMs, expiresAtMs }: TokenClaims): Caller {
  return { kind: kind === "embed" ? "embed" : "user", user, role, token: { id, issuedAtMs, expiresAtMs } };
}

async function verifyWith(secret: string, kind: TokenKind, token: string): Promise<TokenClaims | null> {
  try {
    // The library would compare whole seconds, so callers check the expiry with hasExpired().
    const payload = (await verify(token, secret, { alg: ALGORITHM, exp: false })) as Record<string, unknown>;
    if (payload.kind !== kind) return null;
    const expiresAtMs = Math.round(Number(payload.exp) * 1000);
    return {
      kind,
      enterprise: String(payload.ent),
      region: String(payload.reg ?? ""),
      user: String(payload.sub),
      role: payload.role === "admin" ? "admin" : "member",
      id: String(payload.jti),
      origin: String(payload.org),
      // A token of the last release does not contain when it was issued. Assume the earliest time that is possible.
      issuedAtMs: payload.v === undefined ? expiresAtMs - MAX_TOKEN_MS[kind] : Number(payload.ist),
      expiresAtMs,
    };
  } catch {
    return null;
  }
}
