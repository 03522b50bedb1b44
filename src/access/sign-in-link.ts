/** Makes links that sign a browser in to an enterprise's dashboard. Each link works once, within five minutes. */
import type { AtMs } from "../ledger/time.ts";
import { MAX_TOKEN_MS, mintToken, type TokenClaims } from "./tokens.ts";

/** @param site any URL of the deployment; the link gets its origin */
export async function makeSignInLink(
  secret: string,
  site: string,
  who: Pick<TokenClaims, "enterprise" | "region" | "user" | "role" | "issuedAtMs">,
): Promise<{ url: string; expiresAtMs: AtMs }> {
  const expiresAtMs = Date.now() + MAX_TOKEN_MS.link;
  const claims = { ...who, id: crypto.randomUUID(), origin: "", kind: "link" as const, expiresAtMs };
  const url = new URL("/signin", site);
  url.searchParams.set("token", await mintToken(secret, claims));
  return { url: url.href, expiresAtMs };
}
