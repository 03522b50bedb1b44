/**
 * One report becomes one debit (rules R1–R3, R6, R10). A report is never refused for lack of credit, only if it
 * contradicts what is known or cannot be priced. `decideDebit` is pure: it takes values and returns values. Its guards
 * are in the order in which the refusals are documented.
 */
import { type Attribution, findConflict, findStartFault, openRun } from "./attribution.ts";
import { balanceOf, creditsUsed } from "./balance.ts";
import { type Books, type Draw, type Meter, NO_GROUP, type Run, unitOf } from "./books.ts";
import { type Drawn, drawCharge, refundCharge } from "./buckets.ts";
import { endHold, holdLeft, spendHold } from "./holds.ts";
import { isKept, joinReading } from "./meter.ts";
import { MAX_MICROS, type Micros, percentOf, reaches, type Unit } from "./micros.ts";
import type { BookTerms } from "./price-list.ts";
import { costOf, type Price, type Usage } from "./prices.ts";
import { type Refused, refuse } from "./refusals.ts";
import type { AtMs } from "./time.ts";

export type Report = Attribution & {
  run: string;
  /** The canonical id of the model, and the name that the caller used. */
  model: string;
  reportedAs: string;
  /** The current price; null if the book has none, which is refused unless the meter is known. */
  price: Price | null;
  /** Where the price book found the name. Absent in reports of Workers of the last release. */
  book?: BookTerms | undefined;
  usage: Usage;
  final: boolean;
};

export type Debit = {
  books: Books;
  run: Run;
  meter: Meter;
  /** What this report charged; negative for a refund. */
  chargedMicros: number;
  /** The part that counts in the current cycle: a refund of an earlier cycle's charge does not. */
  cycleMicros: number;
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
  "hold_exhausted",
  "enterprise_suspended",
] as const;
type StopReason = (typeof STOP_REASONS)[number];

/** The answer to the agent. All amounts are in `unit`, the meter's unit. */
export type DebitAnswer = {
  run: string;
  model: string;
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
};

const WIND_DOWN_PERCENT = 95;
/** How often a duplicate may update the time of its meter's last report. */
const REFRESH_MS = 60_000;

/**
 * Decides what a report charges. Refuses an unknown model, an attribution that is incomplete or contradicts the run's,
 * the start of a new meter that is too old or in the future, and a charge that would make a sum exceed 2^53−1.
 *
 * @param known the books, the run (null if it is not known) and its meters
 * @param groupOfWorkspace the directory's group for a workspace, called only at the run's first charge
 */
export function decideDebit(
  known: { books: Books; run: Run | null; meters: readonly Meter[] },
  report: Report,
  nowMs: AtMs,
  groupOfWorkspace: (workspace: string) => string | null,
): Debit | Refused {
  const { books } = known;
  const opened = known.run ?? openRun(report.run, report);
  if ("code" in opened) return refuse(opened);
  const meter = findMeter(known.meters, report, opened, nowMs);
  const price = meter?.price ?? report.price;
  if (price === null) return refuse({ code: "unknown_model", model: report.reportedAs });
  const conflict = findConflict(opened, report);
  if (conflict !== null) return refuse(conflict);
  const fault = meter === null ? findStartFault(opened, report, nowMs) : null;
  if (fault !== null) return refuse(fault);

  const unit = meter?.unit ?? unitOf(books.settings.billingModel);
  const reading = joinReading(meter, report);
  const costMicros = costOf(reading.usage, price, unit);
  const deltaMicros = costMicros === null ? 0 : costMicros - (meter?.chargedMicros ?? 0);
  if (costMicros === null || usedOf(books, unit) + deltaMicros > MAX_MICROS)
    return refuse({ code: "charge_too_large" });
  if (runTotal(known.meters, unit) + deltaMicros > MAX_MICROS) return refuse({ code: "charge_too_large" });

  const reportedAs = withName(meter?.reportedAs ?? [], report, meter?.model ?? report.model);
  // A duplicate only updates the time of the last report, at most once a minute, so a flood of them writes nothing.
  const changed = reading !== meter || reportedAs !== meter.reportedAs || nowMs - meter.lastReportAtMs >= REFRESH_MS;
  const draws = meter?.draws ?? [];
  const moved = moveCredit(books, draws, unit, deltaMicros, nowMs);
  const nextMeter: Meter = {
    run: report.run,
    model: meter?.model ?? report.model,
    reportedAs,
    unit,
    price,
    usage: reading.usage,
    chargedMicros: costMicros,
    final: reading.final,
    draws: moved.draws,
    firstReportAtMs: meter?.firstReportAtMs ?? nowMs,
    lastReportAtMs: changed ? nowMs : (meter?.lastReportAtMs ?? nowMs),
  };
  const others = known.meters.filter((other) => other.model !== nextMeter.model);
  const allFinal = nextMeter.final && others.every((other) => other.final);
  const attributed = opened.reported ? opened : attribute(opened, report, groupOfWorkspace);
  const spent = spendHold(moved.books, attributed, unit, deltaMicros, nowMs);
  const held = allFinal ? endHold(spent.books, spent.run) : spent;
  return {
    books: changed ? { ...held.books, seq: held.books.seq + 1 } : held.books,
    run: held.run,
    meter: nextMeter,
    chargedMicros: deltaMicros,
    cycleMicros: moved.cycleMicros,
    changed,
    firstOfRun: !opened.reported,
    closedRun: allFinal && meter?.final !== true,
  };
}

/** The answer to a decided debit. `books` must include all of its consequences. */
export function answerDebit(debit: Debit, books: Books, meters: readonly Meter[], nowMs: AtMs): DebitAnswer {
  const { meter } = debit;
  const balance = balanceOf(books, meter.unit, nowMs);
  return {
    run: meter.run,
    model: meter.model,
    chargedMicros: debit.chargedMicros,
    runTotalMicros: runTotal(meters, meter.unit),
    unit: meter.unit,
    remainingMicros: balance.remainingMicros,
    availableMicros: balance.availableMicros,
    usedPercent: percentOf(balance.usedMicros, balance.totalMicros),
    ...decideAction(books, debit.run, meter.unit, nowMs),
    seq: books.seq,
  };
}

/** What the agent should do now. The first match wins. */
export function decideAction(
  books: Books,
  run: Run,
  unit: Unit,
  nowMs: AtMs,
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
  const windDown = totalMicros !== null && totalMicros > 0 && reaches(usedMicros, totalMicros, WIND_DOWN_PERCENT);
  return { action: windDown ? "wind_down" : "continue", reason: null };
}

/** What the run was charged in this unit. */
export function runTotal(meters: readonly Meter[], unit: Unit): Micros {
  let sum = 0;
  for (const meter of meters) if (meter.unit === unit) sum += meter.chargedMicros;
  return sum;
}

/** Draws a charge, makes a refund, or does nothing. `cycleMicros` is the part that counts in this cycle. */
function moveCredit(
  books: Books,
  draws: readonly Draw[],
  unit: Unit,
  deltaMicros: number,
  nowMs: AtMs,
): Drawn & { cycleMicros: number } {
  if (deltaMicros === 0) return { books, draws, cycleMicros: 0 };
  if (deltaMicros > 0) return { ...drawCharge(books, draws, unit, deltaMicros, nowMs), cycleMicros: deltaMicros };
  const refunded = refundCharge(books, draws, -deltaMicros, nowMs);
  return { ...refunded, cycleMicros: -refunded.cycleMicros };
}

function findMeter(meters: readonly Meter[], report: Report, run: Run, nowMs: AtMs): Meter | null {
  // Looks up the reported name first: an alias keeps, within a run, the meaning that it had at its first report.
  const meter =
    meters.find((known) => known.reportedAs.includes(report.reportedAs)) ??
    meters.find((known) => known.model === report.reportedAs) ??
    meters.find((known) => known.model === report.model);
  return meter !== undefined && isKept(meter, run.startedAtMs, nowMs) ? meter : null;
}

function withName(names: readonly string[], report: Report, model: string): readonly string[] {
  return report.reportedAs === model || names.includes(report.reportedAs) ? names : [...names, report.reportedAs];
}

function attribute(run: Run, report: Report, groupOfWorkspace: (workspace: string) => string | null): Run {
  const group = report.group ?? run.group ?? groupOfWorkspace(run.workspace) ?? NO_GROUP;
  return { ...run, group, reported: true };
}

function usedOf(books: Books, unit: Unit): Micros {
  return unit === "credits" ? creditsUsed(books) : books.cycle.spendUsedMicros;
}
