/**
 * Decides whether a new run may start (rules R5, R6, R14). Checking and holding are one step over the balance and the
 * run's budgets, so if many agents ask at once, exactly those that fit are admitted. A known run is not new: asking again gets the same answer, and may raise its
 * hold.
 */
import { type Attribution, findConflict, findStartFault, openRun } from "./attribution.ts";
import { balanceOf } from "./balance.ts";
import { type Books, type Meter, type Run, unitOf } from "./books.ts";
import type { BudgetState } from "./budget.ts";
import { findBudgetShortfall } from "./budgets.ts";
import { DEFAULT_HOLD_TTL_MS, holdLeft, raiseHold } from "./holds.ts";
import { isKept } from "./meter.ts";
import { MAX_MICROS, type Micros } from "./micros.ts";
import { type Refusal, type Refused, refuse } from "./refusals.ts";
import type { AtMs } from "./time.ts";

export type StartRequest = Attribution & {
  run: string;
  /** How much to hold, in the enterprise's unit; null: no hold. */
  holdMicros: Micros | null;
  /** Null: the hold's current time to live, or 15 minutes. */
  holdTtlMs: number | null;
};

type BudgetsOf = (run: Run) => readonly BudgetState[];

export type Admission = {
  books: Books;
  run: Run;
  /** True if the run was not known before. */
  created: boolean;
  /** True if the run is new or its hold was raised. */
  changed: boolean;
};

/**
 * Admits the run, or refuses it: for its attribution, for the time of its start, because the enterprise is suspended, or
 * because too little is available of the balance or of a blocking budget. A run that is known is refused if all of its
 * meters are final.
 *
 * @param known the books, the run (null if it is not known) and its meters
 * @param budgetsOf the budgets of a run as they stand now, in the order of dimensions and periods
 */
export function decideAdmission(
  known: { books: Books; run: Run | null; meters: readonly Meter[] },
  request: StartRequest,
  nowMs: AtMs,
  budgetsOf: BudgetsOf = () => [],
): Admission | Refused {
  const { books } = known;
  if (known.run !== null) return admitKnown(books, known.run, known.meters, request, nowMs, budgetsOf);
  const run = openRun(request.run, { ...request, startedAtMs: request.startedAtMs ?? nowMs });
  if ("code" in run) return refuse(run);
  const fault = findStartFault(run, request, nowMs);
  if (fault !== null) return refuse(fault);
  if (books.settings.suspended) return refuse({ code: "enterprise_suspended" });
  const shortfall = findShortfall(books, run, request.holdMicros, nowMs, budgetsOf);
  if (shortfall !== null) return refuse(shortfall);
  return { ...withHold(books, run, request, nowMs), created: true, changed: true };
}

function admitKnown(
  books: Books,
  run: Run,
  meters: readonly Meter[],
  request: StartRequest,
  nowMs: AtMs,
  budgetsOf: BudgetsOf,
): Admission | Refused {
  const conflict = findConflict(run, request);
  if (conflict !== null) return refuse(conflict);
  // Runs beyond their retention count as forgotten, even if their rows are not pruned yet.
  const kept = meters.filter((meter) => isKept(meter, run.startedAtMs, nowMs));
  if (kept.length > 0 && kept.every((meter) => meter.final)) return refuse({ code: "run_closed" });
  const fault = findStartFault(run, request, nowMs);
  if (fault !== null && kept.length === 0) return refuse(fault);
  const left = holdLeft(run, unitOf(books.settings.billingModel));
  if (request.holdMicros === null || request.holdMicros <= left) return { books, run, created: false, changed: false };
  const shortfall = findShortfall(books, run, request.holdMicros, nowMs, budgetsOf);
  if (shortfall !== null) return refuse(shortfall);
  return { ...withHold(books, run, request, nowMs), created: false, changed: true };
}

/**
 * Why there is not enough for the run, or for raising its hold to `holdMicros`; null if there is. The balance's refusals
 * come before a budget's.
 */
function findShortfall(
  books: Books,
  run: Run,
  holdMicros: Micros | null,
  nowMs: AtMs,
  budgetsOf: BudgetsOf,
): Refusal | null {
  const neededMicros = (holdMicros ?? 0) - holdLeft(run, unitOf(books.settings.billingModel));
  return findLackOfCredit(books, neededMicros, nowMs) ?? findBudgetShortfall(budgetsOf(run), neededMicros);
}

function findLackOfCredit(books: Books, neededMicros: number, nowMs: AtMs): Refusal | null {
  const { unit, availableMicros, heldMicros } = balanceOf(books, unitOf(books.settings.billingModel), nowMs);
  // Without a cap every hold fits, as long as the sum of all holds is a valid amount.
  if (availableMicros === null) return heldMicros + neededMicros > MAX_MICROS ? { code: "charge_too_large" } : null;
  if (unit === "usd") {
    const fits = availableMicros > 0 && neededMicros <= availableMicros;
    return fits ? null : { code: "spend_cap_reached", availableMicros };
  }
  if (availableMicros === 0) return { code: "credits_exhausted", availableMicros };
  return neededMicros > availableMicros ? { code: "insufficient_credits", availableMicros } : null;
}

function withHold(books: Books, run: Run, request: StartRequest, nowMs: AtMs): { books: Books; run: Run } {
  const counted = { ...books, seq: books.seq + 1 };
  if (request.holdMicros === null || request.holdMicros === 0) return { books: counted, run };
  const ttlMs = request.holdTtlMs ?? run.hold?.ttlMs ?? DEFAULT_HOLD_TTL_MS;
  return raiseHold(counted, run, request.holdMicros, ttlMs, nowMs);
}
