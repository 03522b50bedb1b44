/**
 * Short-lived signed tokens (JWT, HS256 with SIGNING_SECRET): sign-in links, dashboard sessions and embed tokens. Each
 * names its kind and is rejected as any other kind. They expire in real time, even for an enterprise with a test clock.
 */
import { sign, verify } from "hono/jwt";
import type { Role } from "./callers.ts";

type TokenKind = "link" | "session" | "embed";

export type TokenClaims = {
  kind: TokenKind;
  enterprise: string;
  user: string;
  role: Role;
  /** Identifies a link, so that its use can be recorded. */
  id: string;
  /** The origin of the pages that may use an embed token; empty for other kinds. */
  origin: string;
  expiresAtMs: number;
  /** For an embed token: the URL that the usage bar's invitation links to, if the enterprise has one. */
  inviteUrl?: string | null;
};

const ALGORITHM = "HS256";

export async function mintToken(secret: string, claims: TokenClaims): Promise<string> {
  const { kind, enterprise, user, role, id, origin, expiresAtMs, inviteUrl } = claims;
  const exp = expiresAtMs / 1000;
  const inv = inviteUrl ? { inv: inviteUrl } : {};
  return sign({ kind, ent: enterprise, sub: user, role, jti: id, org: origin, exp, ...inv }, secret, ALGORITHM);
}

/** Returns the claims of a valid token; null if the token is forged, has expired or is of another kind. */
export async function readToken(secret: string, kind: TokenKind, token: string): Promise<TokenClaims | null> {
  const claims = await verifyToken(secret, kind, token);
  return claims === null || hasExpired(claims) ? null : claims;
}

/** Whether the claims have expired, to the millisecond. */
export function hasExpired({ expiresAtMs }: Pick<TokenClaims, "expiresAtMs">): boolean {
  return expiresAtMs <= Date.now();
}

/** Returns the claims of a token, even if it has expired; null if the token is forged or of another kind. */
export async function verifyToken(secret: string, kind: TokenKind, token: string): Promise<TokenClaims | null> {
  try {
    // The library would compare whole seconds, so callers check the expiry with hasExpired().
    const payload = (await verify(token, secret, { alg: ALGORITHM, exp: false })) as Record<string, unknown>;
    if (payload.kind !== kind) return null;
    return {
      kind,
      enterprise: String(payload.ent),
      user: String(payload.sub),
      role: payload.role === "admin" ? "admin" : "member",
      id: String(payload.jti),
      origin: String(payload.org),
      expiresAtMs: Math.round(Number(payload.exp) * 1000),
    };
  } catch {
    return null;
  }
}
