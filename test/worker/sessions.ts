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
  origin: "",
  issuedAtMs: Date.UTC(2020, 0),
  expiresAtMs: FAR_FUTURE_MS,
} as const;

/** A session of the admin u1. Each one is another session, because signing out ends one session only. */
export function sessionToken(enterprise: string, overrides: Overrides = {}): Promise<string> {
  return mintToken(env.SIGNING_SECRET, { ...SESSION, id: crypto.randomUUID(), enterprise, ...overrides });
}

export async function sessionCookie(enterprise: string, overrides: Overrides = {}): Promise<{ Cookie: string }> {
  return { Cookie: `__Host-fuelgauge=${await sessionToken(enterprise, overrides)}` };
}

/** An embed token of the admin u1 for the editor's origin. */
export function embedToken(enterprise: string, overrides: Overrides = {}): Promise<string> {
  return sessionToken(enterprise, { kind: "embed", origin: EDITOR_ORIGIN, ...overrides });
}
