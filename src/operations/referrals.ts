/** Finds who a referral code belongs to, and grants both sides the referral bonus. */
import { OPERATOR } from "../access/callers.ts";
import { sameSecret } from "../access/mac.ts";
import { readReferralCode } from "../access/referral-code.ts";
import type { Denied } from "../access/refusals.ts";
import { signingSecrets } from "../access/secrets.ts";
import type { By } from "../ledger/entries.ts";
import { MICROS_PER_CREDIT, type Micros } from "../ledger/micros.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { findEnterprise } from "./enterprise-stub.ts";

type Referral = { referrer: string; referee: string; bonusMicros: Micros };

export async function addReferral(
  env: Env,
  { code, referee, by }: { code: string; referee: string; by: By },
): Promise<Referral | Refused | Denied> {
  const referrer = await findReferrer(env, code);
  if (referrer === null) return refuse({ code: "referral_code_unknown" });
  if (referrer === referee) return refuse({ code: "self_referral" });
  const stub = await findEnterprise(env, referee);
  if (stub === null) return refuse({ code: "not_found" });
  const bonusMicros = referralBonusMicros(env);
  const accepted = await stub.acceptReferral(referrer, bonusMicros, by);
  return isRefusal(accepted) ? accepted : { referrer, referee, bonusMicros };
}

/** Returns what each side of a referral gets. */
export function referralBonusMicros(env: Env): Micros {
  return Number(env.REFERRAL_BONUS_CREDITS) * MICROS_PER_CREDIT;
}

/**
 * Returns the enterprise that a code belongs to. A code that an accepted secret has made needs no call. An older code is
 * compared with the one that its enterprise has stored, so that a code survives the rotation of its secret.
 */
async function findReferrer(env: Env, code: string): Promise<string | null> {
  const known = await readReferralCode(signingSecrets(env), code);
  if (known !== null) return known;
  const enterprise = code.slice(0, Math.max(0, code.lastIndexOf("~")));
  const stub = enterprise === "" ? null : await findEnterprise(env, enterprise);
  const state = await stub?.state(OPERATOR);
  if (state === undefined || isRefusal(state)) return null;
  const stored = state.settings.referralCode;
  return stored !== undefined && (await sameSecret(stored, code)) ? enterprise : null;
}
