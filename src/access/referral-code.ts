/**
 * Makes and reads referral codes. A code is the referring enterprise's id with a short MAC, so reading it needs no
 * lookup, and an invented code wakes no Durable Object.
 */
import { macOf, sameSecret } from "./mac.ts";
import { findWithSecret, type Secrets } from "./secrets.ts";

const MAC_LENGTH = 8;

export async function referralCodeOf(secret: string, enterprise: string): Promise<string> {
  const mac = await macOf(secret, "referral", enterprise);
  return `${enterprise}~${mac.slice(0, MAC_LENGTH)}`;
}

/** Returns the enterprise that the code belongs to; null if this deployment did not make the code. */
export async function readReferralCode(secrets: Secrets, code: string): Promise<string | null> {
  const enterprise = code.slice(0, code.lastIndexOf("~"));
  if (enterprise === "") return null;
  return findWithSecret(secrets, async (secret) =>
    (await sameSecret(await referralCodeOf(secret, enterprise), code)) ? enterprise : null,
  );
}
