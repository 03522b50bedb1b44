/**
 * Pays debt with new credit (rule R3). A payment moves the balances at once. It is then attributed to the meters that owe,
 * oldest first, because each receipt says where its charge was drawn from. If many meters owe, attribution takes several
 * changes. Until it is done, the payments wait, and the meters' draws still say debt.
 */
import type { Books, Draw, Meter } from "./books.ts";
import { addDraw, bonusRemaining, drawCredit, monthlyRemaining } from "./buckets.ts";
import type { Micros } from "./micros.ts";
import type { AtMs } from "./time.ts";

/** True if credit is free while there is debt: then the debt must be paid (invariant B4). */
export function owesWithCredit(books: Books, nowMs: AtMs): boolean {
  return books.cycle.debtMicros > 0 && (monthlyRemaining(books) > 0 || bonusRemaining(books, nowMs) > 0);
}

/** Pays this cycle's debt as far as free credit reaches. The payments are draws that no meter has yet. */
export function payDebt(books: Books, nowMs: AtMs): { books: Books; payments: readonly Draw[]; paidMicros: Micros } {
  const freeMicros = monthlyRemaining(books) + bonusRemaining(books, nowMs);
  const paidMicros = Math.min(freeMicros, books.cycle.debtMicros);
  if (paidMicros === 0) return { books, payments: [], paidMicros };
  const drawn = drawCredit({ books, draws: [] }, paidMicros, nowMs, { cycleStartsAtMs: books.cycle.startsAtMs });
  const cycle = { ...drawn.books.cycle, debtMicros: drawn.books.cycle.debtMicros - paidMicros };
  return { books: { ...drawn.books, cycle }, payments: drawn.draws, paidMicros };
}

/**
 * Attributes payments of one cycle, oldest first, to the debt among these draws. The debt shrinks by what is paid, oldest
 * debt first. `parts` are the draws that take its place: the caller adds them to the meter as its most recent draws. Each
 * has the day of its debt, because a refund counts on the day whose charge it undoes.
 */
export function attributePayments(
  payments: readonly Draw[],
  draws: readonly Draw[],
): { payments: readonly Draw[]; paidMicros: Micros; debts: readonly Draw[]; parts: readonly Draw[] } {
  const left = [...payments];
  const parts: Draw[] = [];
  const cycleStartsAtMs = left[0]?.cycleStartsAtMs;
  if (cycleStartsAtMs === undefined) return { payments, paidMicros: 0, debts: draws, parts };
  let paidMicros = 0;
  let next = 0;
  for (const debt of debtOf(draws, cycleStartsAtMs)) {
    let owedMicros = debt.micros;
    for (let payment = left[next]; payment !== undefined && owedMicros > 0; payment = left[next]) {
      const micros = Math.min(payment.micros, owedMicros);
      parts.push({ ...debt, bucket: payment.bucket, grantId: payment.grantId, micros });
      owedMicros -= micros;
      paidMicros += micros;
      if (micros === payment.micros) next += 1;
      else left[next] = { ...payment, micros: payment.micros - micros };
    }
  }
  const debts = paidMicros === 0 ? draws : shrinkDebt(draws, cycleStartsAtMs, paidMicros);
  return { payments: left.slice(next), paidMicros, debts, parts };
}

/** Adds the parts of payments as the most recent draws. */
export function addPaid(draws: readonly Draw[], parts: readonly Draw[]): readonly Draw[] {
  const all = [...draws];
  for (const part of parts) addDraw(all, part, part.micros);
  return all;
}

/** Returns the latest cycle that has debt among these draws; null if there is none. */
export function latestDebtCycleMs(draws: readonly Draw[]): AtMs | null {
  return draws.findLast((draw) => draw.bucket === "debt" && draw.micros > 0)?.cycleStartsAtMs ?? null;
}

/** The cycles in which the meter owes something. */
export function debtCycles(meter: Meter): AtMs[] {
  const owed = meter.draws.filter((draw) => draw.bucket === "debt" && draw.micros > 0);
  return [...new Set([...owed.map((draw) => draw.cycleStartsAtMs), meter.older?.debtCycleMs ?? []].flat())];
}

/** What is owed in the cycle, oldest first. */
function debtOf(draws: readonly Draw[], cycleStartsAtMs: AtMs): readonly Draw[] {
  return draws.filter((draw) => draw.bucket === "debt" && draw.cycleStartsAtMs === cycleStartsAtMs);
}

/** Takes a paid amount off the draws on debt, oldest first. */
function shrinkDebt(draws: readonly Draw[], cycleStartsAtMs: AtMs, micros: Micros): readonly Draw[] {
  let left = micros;
  const shrunk = draws.map((draw) => {
    if (draw.bucket !== "debt" || draw.cycleStartsAtMs !== cycleStartsAtMs) return draw;
    const part = Math.min(left, draw.micros);
    left -= part;
    return { ...draw, micros: draw.micros - part };
  });
  return shrunk.filter((draw) => draw.bucket !== "debt" || draw.micros > 0 || draw.lapsedMicros > 0);
}
