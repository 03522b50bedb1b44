/** Calls the steps of a restore in an enterprise's object. */
import type { RestoreStepName } from "./restore-steps.ts";
import type { RestoredObject } from "./restores.ts";
import { within } from "./within.ts";

/** A step that has not responded after this time is called again. */
const LIMIT_MS = 60_000;

/** Returns the object with this id. Each step is one call, with a new stub. */
export function restoredObject({ ENTERPRISE }: Env, objectId: string): RestoredObject {
  const get =
    (_: object, name: string) =>
    (...args: unknown[]) =>
      within(LIMIT_MS, async () =>
        ENTERPRISE.get(ENTERPRISE.idFromString(objectId)).restoreStep(name as RestoreStepName, args),
      );
  return new Proxy({}, { get }) as RestoredObject;
}
