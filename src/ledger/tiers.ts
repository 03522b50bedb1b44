/**
 * Price tiers (rule R1). A model may have other prices for some calls, for example for long prompts or for batches. The
 * caller names the tier, because the ledger cannot see single calls. A run has one meter for each model and tier.
 */

/** The tier of a report that names none. An entry's own rates are its prices, so no entry may use this name. */
export const STANDARD_TIER = "standard";
export const TIER_PATTERN = /^[a-z][a-z0-9_]{0,31}$/;
export const TIER_RULE = "must be 1 to 32 lowercase letters, digits and _, and start with a letter";

/** Returns what identifies a meter within its run. A name never contains a space, so no two meters share a key. */
export function meterKey(name: string, tier: string): string {
  return tier === STANDARD_TIER ? name : `${name} ${tier}`;
}

/** Returns the name and the tier of a meter's key. */
export function splitMeterKey(key: string): { name: string; tier: string } {
  const space = key.indexOf(" ");
  return space < 0 ? { name: key, tier: STANDARD_TIER } : { name: key.slice(0, space), tier: key.slice(space + 1) };
}
