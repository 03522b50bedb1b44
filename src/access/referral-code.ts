/**
 * Referral codes: the id of the enterprise that refers, with a short MAC. Reading one needs no lookup, and an invented
 * code wakes no object.
 */
import { macOf, sameSecret } from "./mac.ts";

const MAC_LENGTH = 8;

export async function referralCodeOf(secret: string, enterprise: string): Promise<string> {
  const mac = await macOf(secret, "referral", enterprise);
  return `${enterprise}~${mac.slice(0, MAC_LENGTH)}`;
}

/** The enterprise whose code this is; null for a code that this deployment did not make. */
export async function readReferralCode(secret: string, code: string): Promise<string | null> {
  const enterprise = code.slice(0, code.lastIndexOf("~"));
  return enterprise !== "" && (await sameSecret(await referralCodeOf(secret, enterprise), code)) ? enterprise : null;
}
