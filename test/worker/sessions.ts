/** Session cookies and embed tokens, minted as the Worker mints them. */
import { env } from "cloudflare:workers";
import { mintToken, type TokenClaims } from "../../src/access/tokens.ts";

export const EDITOR_ORIGIN = "https://editor.example";
const FAR_FUTURE_MS = Date.UTC(2099, 0);

type Overrides = Partial<TokenClaims>;

const SESSION = {
  kind: "session",
  region: "",
  user: "u1",
  role: "admin",
  id: "s1",
  origin: "",
  issuedAtMs: Date.UTC(2020, 0),
  expiresAtMs: FAR_FUTURE_MS,
} as const;

/** A session of the admin u1. */
export function sessionToken(enterprise: string, overrides: Overrides = {}): Promise<string> {
  return mintToken(env.SIGNING_SECRET, { ...SESSION, enterprise, ...overrides });
}

export async function sessionCookie(enterprise: string, overrides: Overrides = {}): Promise<{ Cookie: string }> {
  return { Cookie: `__Host-fuelgauge=${await sessionToken(enterprise, overrides)}` };
}

/** An embed token of the admin u1 for the editor's origin. */
export function embedToken(enterprise: string, overrides: Overrides = {}): Promise<string> {
  return sessionToken(enterprise, { kind: "embed", id: "t1", origin: EDITOR_ORIGIN, ...overrides });
}
