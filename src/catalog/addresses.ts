/**
 * Where an enterprise's Durable Object is. A jurisdiction changes the object's id, so the jurisdiction is part of an
 * enterprise's address. A caller's key, session, token or link contains it under its MAC. For the operator, schedules and
 * other enterprises the catalog knows it. No other file makes the id of an enterprise's object.
 */
import { JURISDICTIONS, type Jurisdiction, type LocationHint } from "../ledger/regions.ts";
import { catalogOf } from "./object.ts";
import type { Place } from "./placement.ts";
import { refuseRestoring } from "./restoring.ts";

/** `region` is a jurisdiction, or empty: claims of keys and tokens contain it like this. */
export type Address = { enterprise: string; region: string };

/** An enterprise that the catalog has placed keeps its place, so this isolate may remember it for long. */
const MAX_AGE_MS = 3_600_000;
const MAX_KNOWN = 10_000;

/** Where the catalog has placed an enterprise. Its copy may have been moved since: only its object knows. */
export type Placed = Address & Place;

/** The places that the catalog has returned. Losing them only costs calls. */
const known = new Map<string, { placed: Placed; readAtMs: number }>();

/**
 * Returns a stub of the enterprise's object. Get a new stub for each call, because a stub stays broken after a call
 * fails. Throws if the platform does not know the jurisdiction: an object must never be created outside of it. Throws if
 * the enterprise is being restored.
 */
export function objectAt(env: Env, { enterprise, region }: Address, locationHint: LocationHint | null = null) {
  refuseRestoring(enterprise);
  const options = locationHint === null ? undefined : { locationHint };
  if (region === "") return env.ENTERPRISE.getByName(enterprise, options);
  const jurisdiction = JURISDICTIONS.find((name) => name === region);
  if (jurisdiction === undefined) throw new Error(`"${region}" is not a jurisdiction`);
  // An id cannot contain "~", so no enterprise without a region has this name.
  if (simulatesRegions(env)) return env.ENTERPRISE.getByName(`${jurisdiction}~${enterprise}`, options);
  return env.ENTERPRISE.jurisdiction(jurisdiction).getByName(enterprise, options);
}

/** Returns where an enterprise is, by its id; null if the catalog has never listed it, so it does not exist. */
export async function findAddress(env: Env, enterprise: string): Promise<Placed | null> {
  const found = known.get(enterprise);
  if (found !== undefined && Date.now() - found.readAtMs < MAX_AGE_MS) return found.placed;
  const place = await readPlace(env, enterprise);
  return place === null ? null : remember({ ...place, enterprise });
}

/** Whether the platform offers this jurisdiction. The development runtime has none. */
export function hasJurisdiction(env: Env, jurisdiction: Jurisdiction): boolean {
  if (simulatesRegions(env)) return true;
  try {
    env.ENTERPRISE.jurisdiction(jurisdiction);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether the region is part of the object's name instead of a jurisdiction, and uses the default database unless it has
 * its own. Only `npm start` and tests set this variable, because the development runtime has no jurisdictions.
 */
export function simulatesRegions(env: Env): boolean {
  return (env as { SIMULATE_REGIONS?: string }).SIMULATE_REGIONS === "true";
}

async function readPlace(env: Env, enterprise: string): Promise<Place | null> {
  try {
    return await catalogOf(env).placeOf(enterprise);
  } catch (error) {
    // During a deploy the catalog may still run the last release, in which every enterprise had the same place.
    if (!/does not implement/.test(String(error))) throw error;
    return { region: "", shard: "DB" };
  }
}

function remember(placed: Placed): Placed {
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(placed.enterprise, { placed, readAtMs: Date.now() });
  return placed;
}
