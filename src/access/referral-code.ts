/**
 * Makes and reads referral codes. A code is the referring enterprise's id with a short MAC, so reading it needs no
 * lookup. Each enterprise stores its code, so that the code stays valid when its secret is rotated away.
 */
import { macOf, sameSecret } from "./mac.ts";
import { findWithSecret, type Secrets } from "./secrets.ts";

const MAC_LENGTH = 8;

export async function referralCodeOf(secret: string, enterprise: string): Promise<string> {
  const mac = await macOf(secret, "referral", enterprise);
  return `${enterprise}~${mac.slice(0, MAC_LENGTH)}`;
}

/** Returns the code that an enterprise has had from the start, if a rotation is under way: that of the older secret. */
export function firstReferralCodeOf([current, previous]: Secrets, enterprise: string): Promise<string> {
  return referralCodeOf(previous ?? current, enterprise);
}

/** Returns the enterprise that the code belongs to; null if this deployment did not make the code. */
export async function readReferralCode(secrets: Secrets, code: string): Promise<string | null> {
  const enterprise = code.slice(0, code.lastIndexOf("~"));
  if (enterprise === "") return null;
  return findWithSecret(secrets, async (secret) =>
    (await sameSecret(await referralCodeOf(secret, enterprise), code)) ? enterprise : null,
  );
}
