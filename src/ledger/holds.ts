/**
 * Holds (rule R6): credits or USD set aside for a run. The run's charges are taken from its hold first. A hold ends with
 * the run's final report, its release or its expiry. `books.held` is always the sum of the active holds by unit.
 */
import { type Books, type Hold, type Run, unitOf } from "./books.ts";
import type { Micros, Unit } from "./micros.ts";
import type { AtMs } from "./time.ts";

export const DEFAULT_HOLD_TTL_MS = 900_000;

type HoldChange = { books: Books; run: Run };

/** Subtracts a charge of the run from what is left of its hold, and restarts the hold's time to live. */
export function spendHold(books: Books, run: Run, unit: Unit, chargedMicros: Micros, nowMs: AtMs): HoldChange {
  if (run.hold === null) return { books, run };
  const taken = run.hold.unit === unit ? Math.min(run.hold.micros, Math.max(0, chargedMicros)) : 0;
  const hold = { ...run.hold, micros: run.hold.micros - taken, expiresAtMs: nowMs + run.hold.ttlMs };
  return { books: withHeld(books, hold.unit, -taken), run: { ...run, hold } };
}

/** Releases what is left of the run's hold. */
export function endHold(books: Books, run: Run, endedAtMs: AtMs): HoldChange {
  if (run.hold === null) return { books, run };
  const ended = { ...run, hold: null, holdEndedAtMs: endedAtMs };
  return { books: withHeld(books, run.hold.unit, -run.hold.micros), run: ended };
}

/** Ends a hold that has expired, which no longer counted. */
export function endExpiredHold(books: Books, run: Run): HoldChange {
  if (run.hold === null) return { books, run };
  const { unit, micros, expiresAtMs } = run.hold;
  const overdue = { ...books.overdue, [unit]: books.overdue[unit] - micros };
  return endHold({ ...books, overdue }, run, expiresAtMs);
}

/** The sum of the active holds at this moment. */
export function heldNow(books: Books, unit: Unit): Micros {
  return books.held[unit] - books.overdue[unit];
}

/** Raises the run's hold to at least `micros`. The caller has checked that it fits. */
export function raiseHold(books: Books, run: Run, micros: Micros, ttlMs: number, nowMs: AtMs): HoldChange {
  const unit = unitOf(books.settings.billingModel);
  const left = holdLeft(run, unit);
  const ended = run.hold !== null && run.hold.unit !== unit ? endHold(books, run, nowMs).books : books;
  const hold: Hold = { unit, micros: Math.max(left, micros), ttlMs, expiresAtMs: nowMs + ttlMs };
  return { books: withHeld(ended, unit, hold.micros - left), run: { ...run, hold } };
}

/** What is left of the run's hold in this unit; 0 without a hold. */
export function holdLeft(run: Run | null, unit: Unit): Micros {
  return run?.hold?.unit === unit ? run.hold.micros : 0;
}

function withHeld(books: Books, unit: Unit, byMicros: number): Books {
  if (byMicros === 0) return books;
  return { ...books, held: { ...books.held, [unit]: books.held[unit] + byMicros } };
}
