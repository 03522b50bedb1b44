/**
 * Decides where a charge is drawn from and where a refund goes (rule R3): allowance before bonus, bonus by soonest
 * expiry, and the rest becomes debt. A refund undoes the most recent draw first.
 * Every function takes books and draws and returns new ones. Sums are preserved to the micro.
 */
import { type Books, type Bucket, type Draw, type Grant, grantRemaining, grantUsable } from "./books.ts";
import { eachUsable, findGrant, putGrants, usableSum } from "./grant-list.ts";
import { MAX_MICROS, type Micros, type Unit } from "./micros.ts";
import type { AtMs } from "./time.ts";

export type Drawn = { books: Books; draws: readonly Draw[] };
/** `cycleMicros` is the part of the refund that belongs to the current cycle and lowers its totals. */
type Refunded = Drawn & { cycleMicros: Micros };

/** What is left of the allowance in this cycle. */
export function monthlyRemaining(books: Books): Micros {
  return books.cycle.allowanceMicros - books.cycle.monthlyUsedMicros;
}

/** What is left of all grants that can be used now. */
export function bonusRemaining(books: Books, nowMs: AtMs): Micros {
  return usableSum(books.grants, nowMs).micros;
}

/** Draws a charge of `micros` ≥ 0. */
export function drawCharge(books: Books, draws: readonly Draw[], unit: Unit, micros: Micros, nowMs: AtMs): Drawn {
  if (unit === "usd") {
    const cycle = { ...books.cycle, spendUsedMicros: books.cycle.spendUsedMicros + micros };
    const spent = [...draws];
    addDraw(spent, "spend", null, cycle.startsAtMs, micros);
    return { books: { ...books, cycle }, draws: spent };
  }
  const covered = drawCredit({ books, draws }, micros, nowMs);
  const cycle = { ...covered.books.cycle, debtMicros: covered.books.cycle.debtMicros + covered.uncoveredMicros };
  addDraw(covered.draws, "debt", null, cycle.startsAtMs, covered.uncoveredMicros);
  return { books: { ...covered.books, cycle }, draws: covered.draws };
}

/** Refunds `micros` > 0, most recent draw first. What came from a bucket that has ended lapses. */
export function refundCharge(books: Books, draws: readonly Draw[], micros: Micros, nowMs: AtMs): Refunded {
  const kept = [...draws];
  let cycleMicros = 0;
  for (let i = kept.length - 1, left = micros; left > 0; i--) {
    const draw = kept[i];
    if (draw === undefined) throw new Error(`a refund of ${micros} passes what the meter has drawn`);
    const part = Math.min(left, draw.micros);
    left -= part;
    const back = giveBack(books, draw, part, nowMs);
    books = back.books;
    if (draw.cycleStartsAtMs === books.cycle.startsAtMs) cycleMicros += part;
    const lapsedMicros = draw.lapsedMicros + (back.lapsed ? part : 0);
    kept[i] = { ...draw, micros: draw.micros - part, lapsedMicros };
  }
  return { books, draws: kept.filter((draw) => draw.micros > 0 || draw.lapsedMicros > 0), cycleMicros };
}

/** Draws on the allowance, then on the grants in their order; `uncoveredMicros` is what neither covers. */
export function drawCredit(
  from: Drawn,
  micros: Micros,
  nowMs: AtMs,
): { books: Books; draws: Draw[]; uncoveredMicros: Micros } {
  const { books } = from;
  const startsAtMs = books.cycle.startsAtMs;
  const draws = [...from.draws];
  const fromMonthly = Math.min(micros, Math.max(0, monthlyRemaining(books)));
  addDraw(draws, "monthly", null, startsAtMs, fromMonthly);
  const drawn: Grant[] = [];
  let left = micros - fromMonthly;
  for (const grant of left > 0 ? eachUsable(books.grants, nowMs) : []) {
    const part = Math.min(left, grantRemaining(grant));
    left -= part;
    drawn.push({ ...grant, drawnMicros: grant.drawnMicros + part });
    addDraw(draws, "grant", grant.id, startsAtMs, part);
    if (left === 0) break;
  }
  const cycle = {
    ...books.cycle,
    monthlyUsedMicros: books.cycle.monthlyUsedMicros + fromMonthly,
    bonusUsedMicros: books.cycle.bonusUsedMicros + (micros - fromMonthly - left),
  };
  return { books: { ...books, cycle, grants: putGrants(books.grants, drawn) }, draws, uncoveredMicros: left };
}

/** Adds to the most recent draw if it is on the same bucket, which keeps the list of draws short. */
export function addDraw(
  draws: Draw[],
  bucket: Bucket,
  grantId: string | null,
  cycleStartsAtMs: AtMs,
  micros: Micros,
): void {
  if (micros === 0) return;
  const last = draws.at(-1);
  if (last?.bucket === bucket && last.grantId === grantId && last.cycleStartsAtMs === cycleStartsAtMs) {
    draws[draws.length - 1] = { ...last, micros: last.micros + micros };
  } else draws.push({ bucket, grantId, cycleStartsAtMs, micros, lapsedMicros: 0 });
}

/** Undoes part of a draw. `lapsed`: its bucket has ended, so nothing returns to it. */
function giveBack(books: Books, draw: Draw, micros: Micros, nowMs: AtMs): { books: Books; lapsed: boolean } {
  const { cycle } = books;
  const current = draw.cycleStartsAtMs === cycle.startsAtMs;
  switch (draw.bucket) {
    case "spend": {
      if (!current) return { books, lapsed: true };
      return {
        books: { ...books, cycle: { ...cycle, spendUsedMicros: cycle.spendUsedMicros - micros } },
        lapsed: false,
      };
    }
    case "debt": {
      if (!current) return { books, lapsed: true };
      return { books: { ...books, cycle: { ...cycle, debtMicros: cycle.debtMicros - micros } }, lapsed: false };
    }
    case "monthly": {
      if (!current) return { books, lapsed: true };
      const monthlyUsedMicros = cycle.monthlyUsedMicros - micros;
      // Capped, because this is a bound and not a balance: repeated refunds must not exceed the range of integers.
      const returnedMicros = Math.min(MAX_MICROS, cycle.returnedMicros + micros);
      return { books: { ...books, cycle: { ...cycle, monthlyUsedMicros, returnedMicros } }, lapsed: false };
    }
    case "grant": {
      const bonusUsedMicros = cycle.bonusUsedMicros - (current ? micros : 0);
      const next = { ...books, cycle: { ...cycle, bonusUsedMicros } };
      const grant = findGrant(books.grants, draw.grantId ?? "");
      if (grant === null || !grantUsable(grant, nowMs)) return { books: next, lapsed: true };
      const refunded = { ...grant, drawnMicros: grant.drawnMicros - micros };
      return { books: { ...next, grants: putGrants(next.grants, [refunded]) }, lapsed: false };
    }
    default:
      return draw.bucket satisfies never;
  }
}
