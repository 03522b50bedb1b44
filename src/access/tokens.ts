/**
 * Short-lived signed tokens (JWT, HS256 under SIGNING_SECRET): sign-in links, dashboard sessions and embed tokens.
 * Each names its kind, and is worth nothing as another. They expire by the real clock.
 */
import { sign, verify } from "hono/jwt";
import type { Role } from "./callers.ts";

export type TokenKind = "link" | "session" | "embed";

export type TokenClaims = {
  kind: TokenKind;
  enterprise: string;
  user: string;
  role: Role;
  /** Names a link, so that it can be used up. */
  id: string;
  /** The origin of the page that an embed token was made for; empty otherwise. */
  origin: string;
  expiresAtMs: number;
  /** Of an embed token: where the usage bar's invitation leads, where the enterprise has such a link. */
  inviteUrl?: string | null;
};

const ALGORITHM = "HS256";

export async function mintToken(secret: string, claims: TokenClaims): Promise<string> {
  const { kind, enterprise, user, role, id, origin, expiresAtMs, inviteUrl } = claims;
  const exp = expiresAtMs / 1000;
  const inv = inviteUrl ? { inv: inviteUrl } : {};
  return sign({ kind, ent: enterprise, sub: user, role, jti: id, org: origin, exp, ...inv }, secret, ALGORITHM);
}

/** The claims of a token of this kind that holds now; null when it is forged, expired or of another kind. */
export async function readToken(secret: string, kind: TokenKind, token: string): Promise<TokenClaims | null> {
  const claims = await proveToken(secret, kind, token);
  return claims === null || hasEnded(claims) ? null : claims;
}

/** True once a token's time is over, to the millisecond. */
export function hasEnded({ expiresAtMs }: Pick<TokenClaims, "expiresAtMs">): boolean {
  return expiresAtMs <= Date.now();
}

/** The claims of a token of this kind that is ours, expired or not; null when it is forged or of another kind. */
export async function proveToken(secret: string, kind: TokenKind, token: string): Promise<TokenClaims | null> {
  try {
    // The time is looked at by `hasEnded`: the library would look at whole seconds.
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
