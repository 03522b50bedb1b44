/**
 * The enterprises that are being restored, as this isolate knows them. An object that has just gone back does not know yet
 * what was revoked since then, so isolates refuse calls before they reach it.
 */
import { KnownRestores } from "./known-restores.ts";
import { catalogOf } from "./object.ts";

const known = new KnownRestores(() => Date.now());

/** Throws if this enterprise is being restored, or if this isolate could not find out yet. */
export function refuseRestoring(enterprise: string): void {
  known.refuse(enterprise);
}

/** Notes that the restore of an enterprise was listed by this isolate. */
export function noteRestoring(enterprise: string): void {
  known.note(enterprise);
}

/** Reads the list from the catalog if it is too old. */
export function renewRestoring(env: Env, ctx: { waitUntil(work: Promise<unknown>): void }): Promise<void> {
  return known.renew(
    async () => catalogOf(env).restoring(),
    (work) => ctx.waitUntil(work),
  );
}
