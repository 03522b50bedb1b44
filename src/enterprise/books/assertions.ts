/**
 * Asserts the invariants of the values that a commit is about to write. A violation is a bug in our code. It throws, so
 * the transaction is rolled back and no wrong value is stored. The audit checks more, but later. These assertions cost
 * only a few comparisons per debit.
 */
import { type Books, type Grant, grantRemaining, type Meter } from "../../ledger/books.ts";
import type { Micros } from "../../ledger/micros.ts";

export function assertBalances({ cycle, held, overdue, capMicros }: Books): void {
  assertMicros(cycle.monthlyUsedMicros, "use of the allowance");
  assertMicros(cycle.bonusUsedMicros, "use of grants");
  assertMicros(cycle.debtMicros, "debt");
  assertMicros(cycle.returnedMicros, "refunds to the allowance");
  assertMicros(cycle.spendUsedMicros, "spend");
  assertMicros(cycle.allowanceMicros - cycle.monthlyUsedMicros, "what remains of the allowance");
  assertMicros(held.credits, "held credits");
  assertMicros(held.usd, "held spend");
  assertMicros(overdue.credits, "held credits that have expired");
  assertMicros(overdue.usd, "held spend that has expired");
  if (capMicros !== null) assertMicros(capMicros, "spend cap");
}

export function assertGrant(grant: Grant): void {
  assertMicros(grant.drawnMicros, `what is drawn of grant ${grant.id}`);
  assertMicros(grant.expiredMicros, `what has expired of grant ${grant.id}`);
  assertMicros(grant.voidedMicros, `what is voided of grant ${grant.id}`);
  assertMicros(grantRemaining(grant), `what remains of grant ${grant.id}`);
}

/** Asserts that a meter's amounts are valid, and that its draws sum exactly to its charge. */
export function assertMeter({ run, model, price, chargedMicros, draws, older }: Meter): void {
  assertMicros(chargedMicros, `the charge of ${run} on ${model}`);
  let drawnMicros = older?.micros ?? 0;
  for (const { micros, lapsedMicros } of draws) {
    assertMicros(micros, `a draw of ${run} on ${model}`);
    assertMicros(lapsedMicros, `a lapsed refund of ${run} on ${model}`);
    drawnMicros += micros;
  }
  if (price === null && chargedMicros > 0) throw new Error(`${run} on ${model} is charged without a price`);
  if (drawnMicros !== chargedMicros) {
    throw new Error(`${run} on ${model} is charged ${chargedMicros} micros, but its draws sum to ${drawnMicros}`);
  }
}

function assertMicros(amount: Micros, what: string): void {
  if (!Number.isSafeInteger(amount) || amount < 0) throw new Error(`${what} is not an amount of micros: ${amount}`);
}
