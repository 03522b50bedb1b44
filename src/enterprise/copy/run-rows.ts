/**
 * Builds the row that the copy in D1 and the receipt show for a run. The row is computed from the run and its meters.
 * Once the meters are pruned, it is the summary that pruning stored. This file knows the tables of the enterprise's
 * Durable Object, but not D1.
 */
import type { RunRow } from "../../copy/batch.ts";
import { type Meter, type Run, unitOf } from "../../ledger/books.ts";
import { summarizeRun } from "../../ledger/receipt.ts";
import type { AtMs } from "../../ledger/time.ts";
import { parseRun, type RunJson, showRun } from "../../wire/run.ts";
import type { Ledger } from "../books/ledger.ts";
import { RUNS } from "../books/rows.ts";

type PrunedCycle = Pick<RunRow, "cycleStartsAtMs" | "cycleMicros">;

/** Loads the rows of these runs. If a run's meters are pruned, its row is the one from the time of pruning. */
export function loadRunRows(ledger: Ledger, names: readonly string[]): RunRow[] {
  const { store, sql, recent } = ledger;
  const known = names.flatMap((name) => recent.find(name) ?? []);
  const missing = known.length === names.length ? [] : names.filter((name) => recent.find(name) === undefined);
  if (missing.length === 0) return known.map((found) => toRunRow(ledger, found.run, found.meters));
  const meters = Map.groupBy(store.loadMeters(missing), (meter) => meter.run);
  const rows = sql.all("SELECT * FROM runs WHERE run IN (SELECT value FROM json_each(?1))", JSON.stringify(missing));
  const stored = rows.map((row) => {
    if (row.pruned !== null) return readPruned(row.pruned as string);
    return toRunRow(ledger, RUNS.read(row), meters.get(row.run as string) ?? []);
  });
  return [...known.map((found) => toRunRow(ledger, found.run, found.meters)), ...stored];
}

/** Serializes a run for pruning. Stored rows are read for up to 400 days, so this format must not change. */
export function writePruned({ cycleStartsAtMs, cycleMicros, ...run }: RunRow): string {
  return JSON.stringify({ ...showRun(run), cycleStartsAtMs, cycleMicros });
}

function readPruned(text: string): RunRow {
  const { cycleStartsAtMs, cycleMicros, ...run } = JSON.parse(text) as RunJson & PrunedCycle;
  return { ...parseRun(run), cycleStartsAtMs, cycleMicros };
}

function toRunRow(ledger: Ledger, run: Run, meters: readonly Meter[]): RunRow {
  const summary = summarizeRun(run, meters, unitOf(ledger.books.settings.billingModel));
  const draws = meters.filter((meter) => meter.unit === summary.unit).flatMap((meter) => meter.draws);
  const lastChargedMs = draws.reduce((last, draw) => Math.max(last, draw.cycleStartsAtMs), 0);
  const cycleStartsAtMs = lastChargedMs || cycleOfLastReport(ledger, meters);
  const inCycle = draws.filter((draw) => draw.cycleStartsAtMs === cycleStartsAtMs);
  return { ...summary, cycleStartsAtMs, cycleMicros: inCycle.reduce((sum, draw) => sum + draw.micros, 0) };
}

/** Returns the start of the cycle of a run's last report, for a run without charges; 0 if the run has no reports. */
function cycleOfLastReport({ books, store }: Ledger, meters: readonly Meter[]): AtMs {
  const lastReportAtMs = meters.reduce((last, meter) => Math.max(last, meter.lastReportAtMs), 0);
  if (lastReportAtMs >= books.cycle.startsAtMs) return books.cycle.startsAtMs;
  return store.loadEndedCycleStartMs(lastReportAtMs) ?? 0;
}
