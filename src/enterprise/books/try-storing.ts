/** Lets reads go on when the disk or the object is full: they store what they can, and answer without it otherwise. */
import { isStorageFull } from "../../wire/transient.ts";

/** Runs `store`, whose effect a read can do without. Returns false if nothing can be stored. Other errors are thrown. */
export function tryStoring(store: () => unknown): boolean {
  try {
    store();
    return true;
  } catch (error) {
    if (isStorageFull(error)) return false;
    throw error;
  }
}
