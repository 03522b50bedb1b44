/**
 * What pages ask for beside the gauge, in the same call: the grants, the cycles that have ended, and the comparison with
 * the previous cycle. So one view of a page is one call to the object.
 */
import { type Cycle, unitOf } from "../ledger/books.ts";
import { summarizeGrant } from "../ledger/grants.ts";
import { MAX_MICROS } from "../ledger/micros.ts";
import { type AtMs, DAY_MS } from "../ledger/time.ts";
import { showGrant } from "../wire/grant.ts";
import type { CopyView, EndedCycle, ViewAsked } from "./answers.ts";
import { loadKeptCycles } from "./books/cycle-list.ts";
import { firstCycleOf, listImportedCycles } from "./books/imported-cycles.ts";
import type { Ledger } from "./books/ledger.ts";
import { getProgress } from "./books/progress.ts";
import { tryStoring } from "./books/try-storing.ts";
import { foldOutbox } from "./copy/totals.ts";

type Extras = Pick<CopyView, "grants" | "endedCycles" | "previous">;

export function pageExtras(ledger: Ledger, asked: ViewAsked, onlyUser: string | null): Extras {
  return {
    ...(asked.grants === undefined ? {} : { grants: onlyUser === null ? loadGrants(ledger, asked.grants) : null }),
    ...(asked.endedCycles === undefined ? {} : { endedCycles: loadEndedCycles(ledger, asked) }),
    ...(asked.endedCycles === undefined && asked.grants === undefined ? {} : { previous: comparePrevious(ledger) }),
  };
}

function loadGrants(ledger: Ledger, limit: number) {
  ledger.trySettle();
  return ledger.store.loadGrantPage(MAX_MICROS, limit).map((grant) => showGrant(summarizeGrant(grant, ledger.nowMs())));
}

function loadEndedCycles(ledger: Ledger, { endedCycles = 0, cycleStartsAtMs }: ViewAsked): EndedCycle[] {
  const { books } = ledger;
  const ended = loadKeptCycles(ledger, books.cycle.startsAtMs, endedCycles).map(summarize);
  const newest = [...ended, ...loadImported(ledger, books.cycle.startsAtMs, endedCycles - ended.length)];
  if (cycleStartsAtMs === undefined || newest.some(({ startsAtMs }) => startsAtMs === cycleStartsAtMs)) return newest;
  const asked = [
    ...loadKeptCycles(ledger, cycleStartsAtMs + 1, 1).map(summarize),
    ...loadImported(ledger, cycleStartsAtMs + 1, 1),
  ];
  return [...newest, ...asked.filter(({ startsAtMs }) => startsAtMs === cycleStartsAtMs)];
}

/** The months of imported history are listed after the cycles. They had no allowance here. */
function loadImported(ledger: Ledger, beforeMs: AtMs, limit: number): EndedCycle[] {
  const { sql } = ledger;
  if (limit <= 0 || getProgress(sql, "imported_before_ms") === 0) return [];
  tryStoring(() => sql.transaction(() => foldOutbox(sql)));
  const { timeZone } = firstCycleOf(ledger);
  return listImportedCycles(ledger, beforeMs, limit).map(({ startsAtMs, endsAtMs, usedMicros }) => {
    const used = { monthlyUsedMicros: usedMicros.credits, spendUsedMicros: usedMicros.usd };
    const none = { allowanceMicros: 0, bonusUsedMicros: 0, debtMicros: 0 };
    return { startsAtMs, endsAtMs, timeZone, ...used, ...none, imported: true as const };
  });
}

function summarize(cycle: Cycle): EndedCycle {
  const { startsAtMs, endsAtMs, timeZone, allowanceMicros } = cycle;
  const { monthlyUsedMicros, bonusUsedMicros, debtMicros, spendUsedMicros } = cycle;
  const used = { monthlyUsedMicros, bonusUsedMicros, debtMicros, spendUsedMicros };
  return { startsAtMs, endsAtMs, timeZone, allowanceMicros, ...used };
}

/**
 * Returns what the previous cycle used up to the same time after its start as now. Of the day that contains this point,
 * it counts the part that has passed.
 */
function comparePrevious(ledger: Ledger): NonNullable<CopyView["previous"]> | null {
  const { books, store, sql } = ledger;
  const previous = store.loadCyclePage(books.cycle.startsAtMs, 1)[0];
  if (previous === undefined) return null;
  const unit = unitOf(books.settings.billingModel);
  const { startsAtMs, endsAtMs } = previous;
  const pointMs = Math.min(endsAtMs, startsAtMs + ledger.nowMs() - books.cycle.startsAtMs);
  const days = sql.all(
    `SELECT starts_at_ms, sum(amount_micros) AS amount_micros FROM totals_time
      WHERE span = 'day' AND unit = ?1 AND starts_at_ms >= ?2 AND starts_at_ms < ?3 GROUP BY starts_at_ms`,
    unit,
    startsAtMs,
    pointMs,
  ) as { starts_at_ms: number; amount_micros: number }[];
  const usedByNowMicros = days.reduce((sum, day) => {
    const passedRatio = Math.min(1, (pointMs - day.starts_at_ms) / DAY_MS);
    return sum + Math.round(day.amount_micros * passedRatio);
  }, 0);
  const { monthlyUsedMicros, bonusUsedMicros, debtMicros, spendUsedMicros } = previous;
  const usedMicros = unit === "usd" ? spendUsedMicros : monthlyUsedMicros + bonusUsedMicros + debtMicros;
  return { startsAtMs, endsAtMs, usedMicros, usedByNowMicros };
}
