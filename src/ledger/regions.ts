/**
 * Where an enterprise's data may be. A jurisdiction is a promise: the enterprise's Durable Object and its rows of the
 * copy stay in it. A location hint only asks the platform to start the object near a place.
 */
export const JURISDICTIONS = ["eu", "us"] as const;
export type Jurisdiction = (typeof JURISDICTIONS)[number];

export const LOCATION_HINTS = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"] as const;
export type LocationHint = (typeof LOCATION_HINTS)[number];

export const REGIONS = [...JURISDICTIONS, ...LOCATION_HINTS] as const;
export type Region = (typeof REGIONS)[number];

/** Returns the jurisdiction that a region is, or null if it is a hint or no region. */
export function jurisdictionOf(region: string | null | undefined): Jurisdiction | null {
  return JURISDICTIONS.find((jurisdiction) => jurisdiction === region) ?? null;
}

/** Returns the location hint that a region is, or null. */
export function locationHintOf(region: string | null | undefined): LocationHint | null {
  return LOCATION_HINTS.find((hint) => hint === region) ?? null;
}
