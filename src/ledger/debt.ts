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
 * Attributes payments of one cycle, oldest first, to these debtors in their order. A payment becomes the debtor's most
 * recent draw, and its debt shrinks by as much, oldest debt first. The draw has the day of that debt, because a refund
 * counts on the day whose charge it undoes. Returns the payments that are left, and the debtors that changed.
 */
export function attributePayments(
  payments: readonly Draw[],
  debtors: readonly Meter[],
): { payments: readonly Draw[]; paid: Meter[] } {
  const left = [...payments];
  const paid: Meter[] = [];
  let next = 0;
  for (const meter of debtors) {
    const cycleStartsAtMs = left[next]?.cycleStartsAtMs;
    if (cycleStartsAtMs === undefined) break;
    const parts: Draw[] = [];
    let paidMicros = 0;
    for (const debt of debtOf(meter, cycleStartsAtMs)) {
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
    if (paidMicros === 0) continue;
    const draws = [...shrinkDebt(meter.draws, cycleStartsAtMs, paidMicros)];
    for (const part of parts) addDraw(draws, part, part.micros);
    paid.push({ ...meter, draws });
  }
  return { payments: left.slice(next), paid };
}

/** The cycles in which the meter owes something. */
export function debtCycles(meter: Meter): AtMs[] {
  const owed = meter.draws.filter((draw) => draw.bucket === "debt" && draw.micros > 0);
  return [...new Set(owed.map((draw) => draw.cycleStartsAtMs))];
}

/** What the meter owes in the cycle, oldest first. */
function debtOf(meter: Meter, cycleStartsAtMs: AtMs): readonly Draw[] {
  return meter.draws.filter((draw) => draw.bucket === "debt" && draw.cycleStartsAtMs === cycleStartsAtMs);
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
  return shrunk.filter((draw) => draw.micros > 0 || draw.lapsedMicros > 0);
}
