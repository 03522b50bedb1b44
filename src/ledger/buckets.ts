/**
 * Decides where a charge is drawn from and where a refund goes (rule R3): allowance before bonus, bonus by soonest
 * expiry, and the rest becomes debt. A refund undoes the most recent draw first.
 * Every function takes books and draws and returns new ones. Sums are preserved to the micro.
 */
import { type Books, type Bucket, type Draw, type Grant, grantRemaining, grantUsable } from "./books.ts";
import { dayOf } from "./calendar.ts";
import { eachUsable, findGrant, putGrants, usableSum } from "./grant-list.ts";
import { MAX_MICROS, type Micros, type Unit } from "./micros.ts";
import type { AtMs } from "./time.ts";

/** Grants by their ids. */
export type GrantsById = ReadonlyMap<string, Grant>;
const NO_GRANTS_BY_ID: GrantsById = new Map();

export type Drawn = { books: Books; draws: readonly Draw[] };
/** The parts of the refund that undo charges of the current cycle and of the current local day, and lower their totals. */
type Refunded = Drawn & { cycleMicros: Micros; dayMicros: Micros };

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
    addDraw(spent, { bucket: "spend", grantId: null, ...periodOf(books, nowMs) }, micros);
    return { books: { ...books, cycle }, draws: spent };
  }
  const period = periodOf(books, nowMs);
  const covered = drawCredit({ books, draws }, micros, nowMs, period);
  const cycle = { ...covered.books.cycle, debtMicros: covered.books.cycle.debtMicros + covered.uncoveredMicros };
  addDraw(covered.draws, { bucket: "debt", grantId: null, ...period }, covered.uncoveredMicros);
  return { books: { ...covered.books, cycle }, draws: covered.draws };
}

/**
 * Refunds `micros` > 0, most recent draw first. What came from a bucket that has ended lapses.
 *
 * @param usedUp grants that are usable and not in the books, because nothing was left of them
 */
export function refundCharge(
  books: Books,
  draws: readonly Draw[],
  micros: Micros,
  nowMs: AtMs,
  usedUp: GrantsById = NO_GRANTS_BY_ID,
): Refunded {
  const kept = [...draws];
  const dayStartsAtMs = dayOf(books.cycle, nowMs);
  /** The grants that get something back. They replace those in the books once, at the end. */
  const grants = new Map<string, Grant>();
  let cycleMicros = 0;
  let dayMicros = 0;
  for (let i = kept.length - 1, left = micros; left > 0; i--) {
    const draw = kept[i];
    if (draw === undefined) throw new Error(`a refund of ${micros} passes what the meter has drawn`);
    const part = Math.min(left, draw.micros);
    left -= part;
    const back = giveBack(books, { grants, usedUp }, draw, part, nowMs);
    books = back.books;
    if (draw.dayStartsAtMs === dayStartsAtMs) dayMicros += part;
    const isLate = draw.cycleStartsAtMs !== books.cycle.startsAtMs;
    if (!isLate) cycleMicros += part;
    const lapsedMicros = draw.lapsedMicros + (back.lapsed ? part : 0);
    const refunded = { ...draw, micros: draw.micros - part, lapsedMicros };
    const isLateGrant = isLate && draw.bucket === "grant" && part > 0;
    kept[i] = isLateGrant ? { ...refunded, lateMicros: (draw.lateMicros ?? 0) + part } : refunded;
  }
  return {
    books: { ...books, grants: putGrants(books.grants, [...grants.values()]) },
    draws: withoutUndone(kept),
    cycleMicros,
    dayMicros,
  };
}

/**
 * Returns what a draw counts in the use of its cycle. A refund after the end of the cycle did not lower that. Only
 * grants get such a refund back; that of another bucket has lapsed.
 */
export function countedMicros({ bucket, micros, lapsedMicros, lateMicros = 0 }: Draw): Micros {
  return micros + (bucket === "grant" ? lateMicros : lapsedMicros);
}

/**
 * Leaves out the draws of which nothing is left. If a cycle has no other draw, one empty draw remains, because a run is
 * listed in every cycle in which it was charged. It is on no grant and no debt, so nothing can be refunded to it or paid.
 */
function withoutUndone(draws: readonly Draw[]): Draw[] {
  const counted = new Set(draws.filter(hasEffect).map(({ cycleStartsAtMs }) => cycleStartsAtMs));
  return draws.flatMap((draw) => {
    if (hasEffect(draw)) return draw;
    if (counted.has(draw.cycleStartsAtMs)) return [];
    counted.add(draw.cycleStartsAtMs);
    return { ...draw, bucket: draw.bucket === "spend" ? "spend" : "monthly", grantId: null };
  });
}

/** Whether something is left of a draw, or counts in its cycle although it was refunded. */
export function hasEffect({ micros, lapsedMicros, lateMicros = 0 }: Draw): boolean {
  return micros > 0 || lapsedMicros > 0 || lateMicros > 0;
}

/**
 * Draws on the allowance, then on the grants in their order; `uncoveredMicros` is what neither covers.
 *
 * @param period the period of the charge; without a day for the payment of a debt
 */
export function drawCredit(
  from: Drawn,
  micros: Micros,
  nowMs: AtMs,
  period: Pick<Draw, "cycleStartsAtMs" | "dayStartsAtMs">,
): { books: Books; draws: Draw[]; uncoveredMicros: Micros } {
  const { books } = from;
  const draws = [...from.draws];
  const fromMonthly = Math.min(micros, Math.max(0, monthlyRemaining(books)));
  addDraw(draws, { bucket: "monthly", grantId: null, ...period }, fromMonthly);
  const drawn: Grant[] = [];
  let left = micros - fromMonthly;
  for (const grant of left > 0 ? eachUsable(books.grants, nowMs) : []) {
    const part = Math.min(left, grantRemaining(grant));
    left -= part;
    drawn.push({ ...grant, drawnMicros: grant.drawnMicros + part });
    addDraw(draws, { bucket: "grant", grantId: grant.id, ...period }, part);
    if (left === 0) break;
  }
  const cycle = {
    ...books.cycle,
    monthlyUsedMicros: books.cycle.monthlyUsedMicros + fromMonthly,
    bonusUsedMicros: books.cycle.bonusUsedMicros + (micros - fromMonthly - left),
  };
  return { books: { ...books, cycle, grants: putGrants(books.grants, drawn) }, draws, uncoveredMicros: left };
}

/** What identifies a draw of a meter: where it was drawn from, and the period of the charge. */
type DrawPlace = Pick<Draw, "grantId" | "cycleStartsAtMs" | "dayStartsAtMs"> & { bucket: Bucket };

/** Adds to the most recent draw if it is on the same bucket and day, which keeps the list of draws short. */
export function addDraw(draws: Draw[], place: DrawPlace, micros: Micros): void {
  if (micros === 0) return;
  const { bucket, grantId, cycleStartsAtMs, dayStartsAtMs } = place;
  const last = draws.at(-1);
  const same =
    last?.bucket === bucket &&
    last.grantId === grantId &&
    last.cycleStartsAtMs === cycleStartsAtMs &&
    last.dayStartsAtMs === dayStartsAtMs;
  if (same) draws[draws.length - 1] = { ...last, micros: last.micros + micros };
  else {
    const day = dayStartsAtMs === undefined ? {} : { dayStartsAtMs };
    draws.push({ bucket, grantId, cycleStartsAtMs, micros, lapsedMicros: 0, ...day });
  }
}

/** The cycle and the local day of a charge that is made now. */
function periodOf({ cycle }: Books, nowMs: AtMs): Pick<Draw, "cycleStartsAtMs" | "dayStartsAtMs"> {
  return { cycleStartsAtMs: cycle.startsAtMs, dayStartsAtMs: dayOf(cycle, nowMs) };
}

/**
 * Undoes part of a draw. `lapsed`: its bucket has ended, so nothing returns to it.
 *
 * @param known the grants that have got something back so far, where a grant that gets more is replaced; and the others
 *   that are not in the books
 */
function giveBack(
  books: Books,
  { grants, usedUp }: { grants: Map<string, Grant>; usedUp: GrantsById },
  draw: Draw,
  micros: Micros,
  nowMs: AtMs,
): { books: Books; lapsed: boolean } {
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
      const id = draw.grantId ?? "";
      const grant = grants.get(id) ?? findGrant(books.grants, id) ?? usedUp.get(id) ?? null;
      if (grant === null || !grantUsable(grant, nowMs)) return { books: next, lapsed: true };
      grants.set(id, { ...grant, drawnMicros: grant.drawnMicros - micros });
      return { books: next, lapsed: false };
    }
    default:
      return draw.bucket satisfies never;
  }
}
