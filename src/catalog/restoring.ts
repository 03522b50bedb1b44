/**
 * Which enterprises are being restored, as this isolate knows it. An object that has just gone back does not know yet what
 * was revoked since then, so isolates refuse calls before they reach it. The list is at most 30 seconds old, and a
 * restore begins a minute after it was listed. If the catalog does not respond, the last list stays in use; an isolate that
 * has never read a list refuses calls.
 */
import { catalogOf } from "./object.ts";
import { within } from "./within.ts";

const MAX_AGE_MS = 30_000;
const RENEW_AGE_MS = 20_000;
/** How long a request waits for the catalog, and for how long the last list stays in use after a failure. */
const LIMIT_MS = 1_000;
/** How long a request waits in an isolate that has no list yet. */
const FIRST_LIMIT_MS = 10_000;

let listed: ReadonlySet<string> = new Set();
/** When the list was last read; 0 before the first time. */
let readAtMs = 0;
let failedAtMs = 0;
let renewalStartedAtMs = 0;

/** The message starts with the name that isTransient recognizes, because RPC keeps only the message. */
class Restoring extends Error {
  constructor(why: string) {
    super(`LedgerBusy: ${why}`);
  }
}

/** Throws if this enterprise is being restored, or if this isolate could not find out yet. */
export function refuseRestoring(enterprise: string): void {
  if (listed.has(enterprise)) throw new Restoring(`${enterprise} is being restored`);
  if (readAtMs === 0 && failedAtMs > 0) throw new Restoring("the list of restores could not be read");
}

/** Notes that the restore of an enterprise was listed by this isolate. */
export function noteRestoring(enterprise: string): void {
  listed = new Set([...listed, enterprise]);
}

/** Reads the list if it is too old. Renews it in the background before then, so a request rarely waits. */
export async function renewRestoring(env: Env, ctx: { waitUntil(work: Promise<unknown>): void }): Promise<void> {
  const nowMs = Date.now();
  const ageMs = nowMs - readAtMs;
  if (ageMs < RENEW_AGE_MS) return;
  if (ageMs < MAX_AGE_MS) {
    if (nowMs - renewalStartedAtMs < LIMIT_MS) return;
    renewalStartedAtMs = nowMs;
    ctx.waitUntil(renew(env, LIMIT_MS));
  } else if (readAtMs === 0 || nowMs - failedAtMs >= LIMIT_MS) {
    // Each request reads the list itself. It must not go on with an old list while another request reads the new one,
    // and a promise of another request may never resolve.
    await renew(env, readAtMs === 0 ? FIRST_LIMIT_MS : LIMIT_MS);
  }
}

async function renew(env: Env, limitMs: number): Promise<void> {
  try {
    listed = new Set(await within(limitMs, async () => catalogOf(env).restoring()));
    readAtMs = Date.now();
  } catch (error) {
    failedAtMs = Date.now();
    console.error(JSON.stringify({ event: "restores_not_read", error: String(error) }));
  }
}
