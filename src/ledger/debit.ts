/**
 * One report becomes one debit (rules R1–R3, R6, R10, R13). A report is never refused for lack of credit, only if it
 * contradicts what is known. Usage that nothing prices is kept, and charged once it has a price. `decideDebit` is
 * pure: it takes values and returns values. The guards are in the order in which the refusals are
 * documented. This file is long because a report and a later price change a meter in the same steps.
 */
import { type Attribution, findConflict, findStartFault, openRun } from "./attribution.ts";
import { balanceOf, creditsUsed } from "./balance.ts";
import { type Books, type Draw, type Meter, NO_GROUP, type Run, unitOf } from "./books.ts";
import { type Drawn, drawCharge, type GrantsById, refundCharge } from "./buckets.ts";
import type { BudgetState } from "./budget.ts";
import { budgetAction, leastAvailable } from "./budgets.ts";
import { endHold, holdLeft, spendHold } from "./holds.ts";
import { isKept, joinReading, MAX_METERS_PER_RUN } from "./meter.ts";
import { MAX_MICROS, type Micros, percentOf, reaches, type Unit } from "./micros.ts";
import { isNearLimit } from "./pace.ts";
import type { BookTerms } from "./price-list.ts";
import { costOf, type Price, type Usage } from "./prices.ts";
import { type Refused, refuse } from "./refusals.ts";
import { meterKey, splitMeterKey } from "./tiers.ts";
import type { AtMs } from "./time.ts";

export type Report = Attribution & {
  run: string;
  /** The canonical id of the model, and the name that the caller used. */
  model: string;
  reportedAs: string;
  tier: string;
  /** The current price at this tier; null if nothing prices the model. */
  price: Price | null;
  /** Where the price book found the name. Absent in reports of Workers of the last release. */
  book?: BookTerms | undefined;
  usage: Usage;
  final: boolean;
  /** True for a guess, because a stream was cut off before its usage arrived. */
  estimated: boolean;
};

export type Debit = {
  books: Books;
  run: Run;
  /** The meter before this debit; null for its first report. */
  before: Meter | null;
  meter: Meter;
  /** What this report charged; negative for a refund. */
  chargedMicros: number;
  /** The part that counts in the current cycle: a refund of an earlier cycle's charge does not. */
  cycleMicros: number;
  /** The part that counts on the current local day: a refund of an earlier day's charge does not. */
  dayMicros: number;
  /** False for a duplicate that changes nothing, except perhaps the expiry of a hold. */
  changed: boolean;
  /** True for the run's first report, which counts as a request. */
  firstOfRun: boolean;
  /** True when this report made the last open meter of the run final. */
  closedRun: boolean;
};

export const ACTIONS = ["continue", "wind_down", "stop"] as const;
type Action = (typeof ACTIONS)[number];

export const STOP_REASONS = [
  "credits_exhausted",
  "spend_cap_reached",
  "budget_exhausted",
  "hold_exhausted",
  "enterprise_suspended",
] as const;
type StopReason = (typeof STOP_REASONS)[number];

/** The answer to the agent. All amounts are in `unit`, the meter's unit. */
export type DebitAnswer = {
  run: string;
  model: string;
  tier: string;
  /** False while nothing prices the model: the usage is kept, and charged later. */
  priced: boolean;
  /** What this report charged; negative for a refund. */
  chargedMicros: number;
  runTotalMicros: Micros;
  unit: Unit;
  /** Null without a spend cap. */
  remainingMicros: Micros | null;
  availableMicros: Micros | null;
  /** Two decimals; null if there is nothing to divide by. */
  usedPercent: number | null;
  action: Action;
  reason: StopReason | null;
  seq: number;
  /** Whether the run should report often, because it may soon have to stop. */
  nearLimit: boolean;
};

const WIND_DOWN_PERCENT = 95;
/** How many spellings of its model a meter remembers (rule R1). */
const MAX_NAMES = 16;
/** How often a duplicate may update the time of its meter's last report. */
const REFRESH_MS = 60_000;

/**
 * What is known before a decision: the books, the run (null if it is not known) and its meters. `usedUp` are the grants
 * that a refund may reopen: they are usable and not in the books, because nothing was left of them.
 */
type Known = { books: Books; run: Run | null; meters: readonly Meter[]; usedUp?: GrantsById };

/**
 * Decides what a report charges. Refuses an unknown model if `refuseUnpriced` says so, an attribution that is incomplete
 * or contradicts the run's, the start of a new meter that is too old or in the future, a run with too many meters, and a
 * charge that would make a sum exceed 2^53−1.
 *
 * @param groupOfWorkspace the directory's group for a workspace, called only at the run's first charge
 * @param refuseUnpriced whether a model without a price is refused, unless its meter is known
 */
export function decideDebit(
  known: Known,
  report: Report,
  nowMs: AtMs,
  groupOfWorkspace: (workspace: string) => string | null,
  refuseUnpriced = true,
): Debit | Refused {
  const { books, meters } = known;
  const opened = known.run ?? openRun(report.run, report);
  if ("code" in opened) return refuse(opened);
  const meter = findMeter(meters, report, opened, nowMs);
  if (refuseUnpriced && meter === null && report.price === null) {
    return refuse({ code: "unknown_model", model: report.reportedAs });
  }
  const conflict = findConflict(opened, report);
  if (conflict !== null) return refuse(conflict);
  const fault = meter === null ? findStartFault(opened, report, nowMs) : null;
  if (fault !== null) return refuse(fault);
  if (meter === null && meters.length >= MAX_METERS_PER_RUN) return refuse({ code: "too_many_models" });

  const before = meter ?? openMeter(meters, report, unitOf(books.settings.billingModel), nowMs);
  const reading = joinReading(meter, report);
  const reportedAs = withName(meter, before, report.reportedAs);
  const found = { model: report.model, price: report.price };
  const priced = meter?.price == null ? pin(meters, before, found, meter !== null, nowMs) : before;
  const joined = { ...priced, usage: reading.usage, final: reading.final, estimated: reading.estimated, reportedAs };
  const charge = chargeOf(books, meters, before, joined);
  // Usage that waits keeps waiting if its charge would be too large. Only a report of priced usage is refused.
  if (charge === null && before.price === null && meter !== null) {
    return settleMeter(known, opened, meter, { ...joined, ...unpriced(before) }, 0, nowMs, {
      report,
      groupOfWorkspace,
    });
  }
  if (charge === null) return refuse({ code: "charge_too_large" });
  return settleMeter(known, opened, meter, joined, charge, nowMs, { report, groupOfWorkspace });
}

/**
 * Decides what usage that has waited for a price is charged, now that there is one. Null if the charge would make a sum
 * exceed 2^53−1: then the meter keeps waiting.
 *
 * @param meter one of the run's meters, without a price
 */
export function decidePricing(
  known: Known & { run: Run },
  meter: Meter,
  found: { model: string; price: Price },
  nowMs: AtMs,
): Debit | null {
  const priced = pin(known.meters, meter, found, true, nowMs);
  const charge = chargeOf(known.books, known.meters, meter, priced);
  return charge === null ? null : settleMeter(known, known.run, meter, priced, charge, nowMs, null);
}

/** Returns what the change of a meter charges; negative for a refund. Null if a sum would exceed 2^53−1. */
function chargeOf(books: Books, meters: readonly Meter[], before: Meter, next: Meter): number | null {
  const costMicros = next.price === null ? 0 : costOf(next.usage, next.price, next.unit);
  if (costMicros === null) return null;
  const deltaMicros = costMicros - before.chargedMicros;
  const fits =
    usedOf(books, next.unit) + deltaMicros <= MAX_MICROS && runTotal(meters, next.unit) + deltaMicros <= MAX_MICROS;
  return fits ? deltaMicros : null;
}

/** Moves the credit of a decided charge, and ends the run's hold if its last open meter is now final. */
function settleMeter(
  { books, meters, usedUp }: Known,
  run: Run,
  before: Meter | null,
  joined: Meter,
  deltaMicros: number,
  nowMs: AtMs,
  reported: { report: Report; groupOfWorkspace: (workspace: string) => string | null } | null,
): Debit {
  // A duplicate only updates the time of the last report, at most once a minute, so a flood of them writes nothing.
  const changed = before === null || !sameMeter(before, joined) || nowMs - before.lastReportAtMs >= REFRESH_MS;
  const moved = moveCredit(books, joined.draws, joined.unit, deltaMicros, nowMs, usedUp);
  const meter: Meter = {
    ...joined,
    chargedMicros: joined.chargedMicros + deltaMicros,
    draws: moved.draws,
    lastReportAtMs: changed && reported !== null ? nowMs : joined.lastReportAtMs,
  };
  const allFinal = meter.final && meters.every((other) => other.key === meter.key || other.final);
  const attributed =
    run.reported || reported === null ? run : attribute(run, reported.report, reported.groupOfWorkspace);
  const spent = spendHold(moved.books, attributed, meter.unit, deltaMicros, nowMs);
  const held = allFinal ? endHold(spent.books, spent.run, nowMs) : spent;
  return {
    books: changed ? { ...held.books, seq: held.books.seq + 1 } : held.books,
    run: held.run,
    before,
    meter,
    chargedMicros: deltaMicros,
    cycleMicros: moved.cycleMicros,
    dayMicros: moved.dayMicros,
    changed,
    firstOfRun: !run.reported,
    closedRun: allFinal && before?.final !== true,
  };
}

/** Whether a report or a price has changed nothing but the time of the last report. */
function sameMeter(a: Meter, b: Meter): boolean {
  return (
    a.usage === b.usage &&
    a.final === b.final &&
    a.estimated === b.estimated &&
    a.reportedAs === b.reportedAs &&
    a.price === b.price
  );
}

/** A meter before its first report: nothing is used and nothing is charged. */
function openMeter(meters: readonly Meter[], report: Report, unit: Unit, nowMs: AtMs): Meter {
  const { run, model, reportedAs, tier } = report;
  const key = meterKey(model, tier);
  // The key of a meter never changes, so a meter that was priced later may have the key of another model.
  const taken = meters.some((other) => other.key === key);
  return {
    run,
    key: taken ? meterKey(reportedAs, tier) : key,
    model,
    tier,
    reportedAs: [],
    unit,
    price: null,
    usage: {},
    chargedMicros: 0,
    final: false,
    estimated: false,
    draws: [],
    firstReportAtMs: nowMs,
    lastReportAtMs: nowMs,
    pricedAtMs: null,
  };
}

/**
 * Pins the price of a meter that has none, and gives the meter its model's id. If the run already has a meter under that
 * id, the meter keeps its name.
 */
function pin(
  meters: readonly Meter[],
  meter: Meter,
  { model, price }: { model: string; price: Price | null },
  hasWaited: boolean,
  nowMs: AtMs,
): Meter {
  if (price === null) return meter;
  const taken = meters.some((other) => other.key !== meter.key && other.tier === meter.tier && other.model === model);
  return { ...meter, price, model: taken ? meter.model : model, pricedAtMs: hasWaited ? nowMs : null };
}

/** The fields of a meter that keeps waiting for a price. */
function unpriced({ model }: Meter): Pick<Meter, "model" | "price" | "pricedAtMs"> {
  return { model, price: null, pricedAtMs: null };
}

/**
 * The answer to a decided debit. `books` must include all of its consequences, and so must `budgets`, the budgets of its
 * run.
 */
export function answerDebit(
  debit: Debit,
  books: Books,
  meters: readonly Meter[],
  nowMs: AtMs,
  budgets: readonly BudgetState[] = [],
): DebitAnswer {
  const { meter } = debit;
  const balance = balanceOf(books, meter.unit, nowMs);
  const decided = decideAction(books, debit.run, meter.unit, nowMs, budgets);
  const budgetMicros = leastAvailable(budgets);
  const freeMicros =
    budgetMicros === null ? balance.availableMicros : Math.min(budgetMicros, balance.availableMicros ?? budgetMicros);
  const leftMicros = holdLeft(debit.run, meter.unit) || freeMicros;
  return {
    run: meter.run,
    model: meter.model,
    tier: meter.tier,
    priced: meter.price !== null,
    chargedMicros: debit.chargedMicros,
    runTotalMicros: runTotal(meters, meter.unit),
    unit: meter.unit,
    remainingMicros: balance.remainingMicros,
    availableMicros: balance.availableMicros,
    usedPercent: percentOf(balance.usedMicros, balance.totalMicros),
    ...decided,
    seq: books.seq,
    nearLimit: isNearLimit(decided.action, leftMicros, debit.chargedMicros),
  };
}

/** What the agent should do now. The first match wins. */
export function decideAction(
  books: Books,
  run: Run,
  unit: Unit,
  nowMs: AtMs,
  budgets: readonly BudgetState[] = [],
): { action: Action; reason: StopReason | null } {
  if (books.settings.suspended) return { action: "stop", reason: "enterprise_suspended" };
  if (holdLeft(run, unit) > 0) return { action: "continue", reason: null };
  const balance = balanceOf(books, unit, nowMs);
  const { totalMicros, usedMicros } = balance;
  if (unit === "usd" && totalMicros !== null && usedMicros >= totalMicros) {
    return { action: "stop", reason: "spend_cap_reached" };
  }
  if (balance.availableMicros === 0) {
    if (run.hold?.unit === unit) return { action: "stop", reason: "hold_exhausted" };
    return { action: "stop", reason: unit === "usd" ? "spend_cap_reached" : "credits_exhausted" };
  }
  const asked = budgetAction(budgets);
  if (asked === "stop") return { action: "stop", reason: "budget_exhausted" };
  const nearTotal = totalMicros !== null && totalMicros > 0 && reaches(usedMicros, totalMicros, WIND_DOWN_PERCENT);
  const windDown = nearTotal || asked === "wind_down";
  return { action: windDown ? "wind_down" : "continue", reason: null };
}

/** What the run was charged in this unit. */
export function runTotal(meters: readonly Meter[], unit: Unit): Micros {
  let sum = 0;
  for (const meter of meters) if (meter.unit === unit) sum += meter.chargedMicros;
  return sum;
}

/** Draws a charge, makes a refund, or does nothing. Also returns the parts that count in this cycle and on this day. */
function moveCredit(
  books: Books,
  draws: readonly Draw[],
  unit: Unit,
  deltaMicros: number,
  nowMs: AtMs,
  usedUp?: GrantsById,
): Drawn & { cycleMicros: number; dayMicros: number } {
  if (deltaMicros === 0) return { books, draws, cycleMicros: 0, dayMicros: 0 };
  if (deltaMicros > 0) {
    const drawn = drawCharge(books, draws, unit, deltaMicros, nowMs);
    return { ...drawn, cycleMicros: deltaMicros, dayMicros: deltaMicros };
  }
  const refunded = refundCharge(books, draws, -deltaMicros, nowMs, usedUp);
  return { ...refunded, cycleMicros: -refunded.cycleMicros, dayMicros: -refunded.dayMicros };
}

/** The meter that a report continues; null if it begins a new one. */
export function findMeter(meters: readonly Meter[], report: Report, run: Run, nowMs: AtMs): Meter | null {
  const { reportedAs, tier } = report;
  const key = meterKey(reportedAs, tier);
  // Looks up the reported name first: an alias keeps, within a run, the meaning that it had at its first report.
  const meter =
    meters.find((known) => known.tier === tier && known.reportedAs.includes(reportedAs)) ??
    meters.find((known) => known.key === key) ??
    meters.find((known) => known.tier === tier && known.model === reportedAs) ??
    meters.find((known) => known.tier === tier && known.model === report.model);
  return meter !== undefined && isKept(meter, run.startedAtMs, nowMs) ? meter : null;
}

/** The names of a meter after a report under this name; the same list if it is known, or if the list is full. */
function withName(known: Meter | null, meter: Meter, name: string): readonly string[] {
  const { reportedAs } = meter;
  const first = splitMeterKey(meter.key).name;
  if (reportedAs.includes(name) || reportedAs.length >= MAX_NAMES) return reportedAs;
  if (reportedAs.length > 0) return [...reportedAs, name];
  if (name === first) return reportedAs;
  return known === null ? [name] : [first, name];
}

function attribute(run: Run, report: Report, groupOfWorkspace: (workspace: string) => string | null): Run {
  const group = report.group ?? run.group ?? groupOfWorkspace(run.workspace) ?? NO_GROUP;
  return { ...run, group, reported: true };
}

function usedOf(books: Books, unit: Unit): Micros {
  return unit === "credits" ? creditsUsed(books) : books.cycle.spendUsedMicros;
}
