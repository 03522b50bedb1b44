/** Notes in the catalog that the copy has become late, and when it no longer is, for the metrics. */

import type { Ledger } from "../books/ledger.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import { copyAsOfMs } from "../copy/projection.ts";
import type { Platform } from "../platform.ts";
import { within } from "../within.ts";

/** A copy that is this far behind is late. With D1 working it is at most five seconds behind. */
const LATE_MS = 60_000;
const NOTE_TIMEOUT_MS = 5_000;

/** Call this after each attempt to write the copy. A note that fails is made after the next attempt. */
export async function noteLateCopy(ledger: Ledger, platform: Platform): Promise<void> {
  const { sql } = ledger;
  const isLate = ledger.nowMs() - copyAsOfMs(ledger) > LATE_MS;
  if (isLate === (getProgress(sql, "copy_late_noted") === 1)) return;
  try {
    await within(platform.defer, NOTE_TIMEOUT_MS, platform.lateCopies.note(ledger.id, isLate));
    setProgress(sql, "copy_late_noted", Number(isLate));
  } catch (error) {
    platform.log.warn({ event: "late_copy_not_noted", enterprise: ledger.id, error: String(error) });
  }
}
