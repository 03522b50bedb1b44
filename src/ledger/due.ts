/**
 * What happens with time alone: grants expire and cycles turn (rule R4). At the same instant, expiries come first, then
 * the turn, then incoming requests. Settling again at the same or an earlier time changes nothing.
 */
import { type Books, type Cycle, type Grant, grantRemaining } from "./books.ts";
import { type CycleBounds, cycleAfter } from "./cycle.ts";
import { BY_CLOCK, type NewEntry } from "./entries.ts";
import { eachGrant, firstOpen, putGrants } from "./grant-list.ts";
import { allowanceOf } from "./plans.ts";
import type { AtMs } from "./time.ts";

/** Expiring this many grants writes about 300 KB of entries, and takes about ten milliseconds. */
const MAX_EXPIRED = 1_000;

type Settled = {
  books: Books;
  entries: NewEntry[];
  /** The cycles that ended, in their final state. */
  closed: Cycle[];
  expired: Grant[];
};

/**
 * Returns the books at `nowMs`, after everything that was due until then, in order. Several idle cycles count as one
 * turn into the current cycle: one allowance, one `cycle_started`. At most `maxExpired` grants expire at once. Grants beyond
 * that stay due: they can no longer be used, and the next call expires them.
 */
export function settleDue(books: Books, nowMs: AtMs, maxExpired = MAX_EXPIRED): Settled {
  const settled: Settled = { books, entries: [], closed: [], expired: [] };
  for (;;) {
    const ended = settled.books.cycle.endsAtMs <= nowMs;
    const full = settled.expired.length === maxExpired;
    const expiresAtMs = full ? Number.POSITIVE_INFINITY : soonestExpiryMs(settled.books);
    if (ended && expiresAtMs > settled.books.cycle.endsAtMs) writeDebtOff(settled);
    const next = ended ? nextBounds(settled.books, nowMs) : null;
    const untilMs = Math.min(nowMs, next?.startsAtMs ?? nowMs);
    // Debt is written off after the grants that expire by the end of its cycle, and before those that expire later.
    const { endsAtMs } = settled.books.cycle;
    if (expiresAtMs <= untilMs) {
      expireUntil(settled, expiresAtMs <= endsAtMs ? Math.min(untilMs, endsAtMs) : untilMs, maxExpired);
    } else if (next !== null) turn(settled, next);
    else return settled;
  }
}

/** When a grant expires or the cycle ends next. */
export function nextDueAtMs(books: Books): AtMs {
  return Math.min(books.cycle.endsAtMs, soonestExpiryMs(books));
}

/** A new cycle under the current settings, with nothing used yet. */
export function freshCycle(books: Pick<Books, "settings">, bounds: CycleBounds): Cycle {
  const { settings } = books;
  return {
    ...bounds,
    timeZone: settings.timeZone,
    allowanceMicros: allowanceOf(settings),
    monthlyUsedMicros: 0,
    bonusUsedMicros: 0,
    debtMicros: 0,
    returnedMicros: 0,
    spendUsedMicros: 0,
  };
}

/** The entry for the start of a cycle. `previous` is the cycle that ended, or null for the first cycle. */
export function cycleStartEntry(cycle: Cycle, previous: Cycle | null, atMs: AtMs, by: string): NewEntry {
  return {
    atMs,
    by,
    facts: {
      type: "cycle_started",
      startsAtMs: cycle.startsAtMs,
      endsAtMs: cycle.endsAtMs,
      allowanceMicros: cycle.allowanceMicros,
      timeZone: cycle.timeZone,
      previous:
        previous === null
          ? null
          : {
              startsAtMs: previous.startsAtMs,
              usedMicros: previous.monthlyUsedMicros + previous.bonusUsedMicros + previous.debtMicros,
              spendMicros: previous.spendUsedMicros,
            },
    },
  };
}

function nextBounds(books: Books, nowMs: AtMs): CycleBounds {
  return cycleAfter(books.cycle.endsAtMs, nowMs, books.settings.timeZone, books.settings.anchorDay);
}

function soonestExpiryMs(books: Books): AtMs {
  // Grants are in the order of expiry. Those that are used up or have ended have nothing left to expire.
  return firstOpen(books.grants)?.expiresAtMs ?? Number.POSITIVE_INFINITY;
}

/** Expires the grants whose time is over by the instant, soonest first, up to the limit. */
function expireUntil(settled: Settled, atMs: AtMs, maxExpired: number): void {
  const expired: Grant[] = [];
  for (const grant of eachGrant(settled.books.grants)) {
    if (grant.expiresAtMs === null || grant.expiresAtMs > atMs) break;
    if (settled.expired.length + expired.length === maxExpired) break;
    const amountMicros = grantRemaining(grant);
    if (amountMicros === 0) continue;
    expired.push({ ...grant, expiredMicros: grant.expiredMicros + amountMicros });
    const facts = { type: "grant_expired", grant: grant.id, amountMicros } as const;
    settled.entries.push({ atMs: grant.expiresAtMs, by: BY_CLOCK, facts });
  }
  settled.expired.push(...expired);
  const grants = putGrants(settled.books.grants, expired);
  settled.books = { ...settled.books, grants, seq: settled.books.seq + expired.length };
}

function writeDebtOff(settled: Settled): void {
  const { cycle } = settled.books;
  if (cycle.debtMicros === 0 || settled.closed.at(-1)?.startsAtMs === cycle.startsAtMs) return;
  settled.closed.push(cycle);
  settled.books = { ...settled.books, seq: settled.books.seq + 1 };
  settled.entries.push({
    atMs: cycle.endsAtMs,
    by: BY_CLOCK,
    facts: { type: "debt_written_off", amountMicros: cycle.debtMicros, cycleStartsAtMs: cycle.startsAtMs },
  });
}

function turn(settled: Settled, bounds: CycleBounds): void {
  const previous = settled.books.cycle;
  if (settled.closed.at(-1)?.startsAtMs !== previous.startsAtMs) settled.closed.push(previous);
  const cycle = freshCycle(settled.books, bounds);
  settled.books = { ...settled.books, cycle, seq: settled.books.seq + 1 };
  settled.entries.push(cycleStartEntry(cycle, previous, cycle.startsAtMs, BY_CLOCK));
}
