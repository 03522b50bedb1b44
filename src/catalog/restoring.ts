/**
 * Which enterprises are being restored, as this isolate knows it. An object that has just gone back does not know yet what
 * was revoked since then, so isolates refuse calls before they reach it. The list is at most 30 seconds old, and a
 * restore begins a minute after it was listed. If the catalog does not respond, the last list stays in use.
 */
import { catalogOf } from "./object.ts";
import { within } from "./within.ts";

const MAX_AGE_MS = 30_000;
const RENEW_AGE_MS = 20_000;
/** How long a request waits for the catalog, and how long a renewal may take before another one starts. */
const LIMIT_MS = 1_000;

let listed: ReadonlySet<string> = new Set();
let readAtMs = 0;
let renewalStartedAtMs = 0;

/** The message starts with the name that isTransient recognizes, because RPC keeps only the message. */
class Restoring extends Error {
  constructor(enterprise: string) {
    super(`LedgerBusy: ${enterprise} is being restored`);
  }
}

/** Throws if this enterprise is being restored. */
export function refuseRestoring(enterprise: string): void {
  if (listed.has(enterprise)) throw new Restoring(enterprise);
}

/** Notes that the restore of an enterprise was listed by this isolate. */
export function noteRestoring(enterprise: string): void {
  listed = new Set([...listed, enterprise]);
}

/** Reads the list if it is too old. Renews it in the background before then, so a request rarely waits. */
export async function renewRestoring(env: Env, ctx: { waitUntil(work: Promise<unknown>): void }): Promise<void> {
  const nowMs = Date.now();
  const ageMs = nowMs - readAtMs;
  if (ageMs < RENEW_AGE_MS || nowMs - renewalStartedAtMs < LIMIT_MS) return;
  renewalStartedAtMs = nowMs;
  if (ageMs >= MAX_AGE_MS) await renew(env);
  else ctx.waitUntil(renew(env));
}

async function renew(env: Env): Promise<void> {
  try {
    listed = new Set(await within(LIMIT_MS, async () => catalogOf(env).restoring()));
    readAtMs = Date.now();
  } catch (error) {
    console.error(JSON.stringify({ event: "restores_not_read", error: String(error) }));
  }
}
