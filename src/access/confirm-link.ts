/**
 * Makes and reads the links with which the recipient of an email channel confirms the address. A link is a signed token,
 * so a forged one wakes no object. It names the channel's current confirmation: a new address makes older links invalid.
 */
import type { Secrets } from "./secrets.ts";
import { MAX_TOKEN_MS, mintToken, readToken } from "./tokens.ts";

type ConfirmLink = { enterprise: string; region: string; channel: string; confirmId: string };

/** @param site any URL of the deployment; the link gets its origin */
export async function makeConfirmUrl(
  secret: string,
  { enterprise, region, channel, confirmId, site }: ConfirmLink & { site: string },
): Promise<string> {
  const issuedAtMs = Date.now();
  const token = await mintToken(secret, {
    kind: "confirm",
    enterprise,
    region,
    user: channel,
    role: "member",
    id: confirmId,
    origin: "",
    issuedAtMs,
    expiresAtMs: issuedAtMs + MAX_TOKEN_MS.confirm,
  });
  const url = new URL("/confirm-email", site);
  url.searchParams.set("token", token);
  return url.href;
}

/** Returns what a link confirms; null if it is forged or has expired. */
export async function readConfirmLink(secrets: Secrets, token: string): Promise<ConfirmLink | null> {
  const claims = await readToken(secrets, "confirm", token);
  return claims === null
    ? null
    : { enterprise: claims.enterprise, region: claims.region, channel: claims.user, confirmId: claims.id };
}
