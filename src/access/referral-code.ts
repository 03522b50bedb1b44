/**
 * Referral codes carry the enterprise that they refer from, under a short MAC: reading one needs no lookup, and a code
 * that was made up wakes no object.
 */
import { macOf, sameSecret } from "./mac.ts";

const MAC_LENGTH = 8;

export async function referralCodeOf(secret: string, enterprise: string): Promise<string> {
  const mac = await macOf(secret, "referral", enterprise);
  return `${enterprise}~${mac.slice(0, MAC_LENGTH)}`;
}

/** The enterprise that the code was made for; null for a code that is not ours. */
export async function readReferralCode(secret: string, code: string): Promise<string | null> {
  const enterprise = code.slice(0, code.lastIndexOf("~"));
  return enterprise !== "" && (await sameSecret(await referralCodeOf(secret, enterprise), code)) ? enterprise : null;
}
