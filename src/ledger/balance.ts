/**
 * The sums of one unit that decide whether a run may start, and that every screen shows: the number shown is the number
 * that blocks. Credits are measured against allowance and usable bonus, USD against the spend cap (null: no cap).
 */
import type { Books } from "./books.ts";
import { bonusRemaining, monthlyRemaining } from "./buckets.ts";
import { heldNow } from "./holds.ts";
import type { Micros, Unit } from "./micros.ts";
import type { AtMs } from "./time.ts";

export type Balance = {
  unit: Unit;
  /** This cycle's charges, less their refunds. */
  usedMicros: Micros;
  /** Allowance plus usable bonus, or the spend cap; null without a cap. */
  totalMicros: Micros | null;
  /** At least 0; null without a cap. */
  remainingMicros: Micros | null;
  heldMicros: Micros;
  /** max(0, remaining − debt − active holds); null without a cap. */
  availableMicros: Micros | null;
};

/** The balance of the current cycle in this unit. */
export function balanceOf(books: Books, unit: Unit, nowMs: AtMs): Balance {
  return unit === "credits" ? creditsBalance(books, nowMs) : spendBalance(books);
}

/** This cycle's charges in credits, less their refunds. */
export function creditsUsed(books: Pick<Books, "cycle">): Micros {
  return books.cycle.monthlyUsedMicros + books.cycle.bonusUsedMicros + books.cycle.debtMicros;
}

function creditsBalance(books: Books, nowMs: AtMs): Balance {
  const bonusMicros = bonusRemaining(books, nowMs);
  const remainingMicros = monthlyRemaining(books) + bonusMicros;
  const heldMicros = heldNow(books, "credits");
  return {
    unit: "credits",
    usedMicros: creditsUsed(books),
    totalMicros: books.cycle.allowanceMicros + books.cycle.bonusUsedMicros + bonusMicros,
    remainingMicros,
    heldMicros,
    availableMicros: Math.max(0, remainingMicros - books.cycle.debtMicros - heldMicros),
  };
}

function spendBalance(books: Books): Balance {
  const { capMicros } = books;
  const usedMicros = books.cycle.spendUsedMicros;
  const heldMicros = heldNow(books, "usd");
  const remainingMicros = capMicros === null ? null : Math.max(0, capMicros - usedMicros);
  return {
    unit: "usd",
    usedMicros,
    totalMicros: capMicros,
    remainingMicros,
    heldMicros,
    availableMicros: remainingMicros === null ? null : Math.max(0, remainingMicros - heldMicros),
  };
}
