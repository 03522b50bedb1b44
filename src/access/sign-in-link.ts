/** Makes links that sign a browser in to an enterprise's dashboard. Each link works once, within five minutes. */
import type { AtMs } from "../ledger/time.ts";
import type { Role } from "./callers.ts";
import { mintToken } from "./tokens.ts";

const LINK_MS = 300_000;

/** @param site any URL of the deployment; the link gets its origin */
export async function makeSignInLink(
  secret: string,
  site: string,
  who: { enterprise: string; user: string; role: Role },
): Promise<{ url: string; expiresAtMs: AtMs }> {
  const expiresAtMs = Date.now() + LINK_MS;
  const claims = { ...who, id: crypto.randomUUID(), origin: "", kind: "link" as const, expiresAtMs };
  const url = new URL("/signin", site);
  url.searchParams.set("token", await mintToken(secret, claims));
  return { url: url.href, expiresAtMs };
}
